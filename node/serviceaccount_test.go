package node_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// machine makes a service account of a client's, and returns a client with a token of it.
func (n *testNode) machine(of *client.Client, name string, roles ...string) *client.Client {
	n.t.Helper()
	if _, err := of.CreateServiceAccount(n.t.Context(), client.NewServiceAccount{Name: name, Purpose: "publishes from main", Roles: roles}); err != nil {
		n.t.Fatal(err)
	}
	return n.serviceToken(of, name)
}

func (n *testNode) serviceToken(of *client.Client, name string) *client.Client {
	n.t.Helper()
	made, err := of.NewServiceToken(n.t.Context(), name, client.NewToken{Label: "ci", Scopes: []string{"all"}})
	if err != nil {
		n.t.Fatal(err)
	}
	return n.with(made.Secret)
}

// TestServiceAccountPublishes: a machine publishes what its sponsor owns, is named with its sponsor in
// the feed, on the app's page and where it asked for something, and decides nothing.
func TestServiceAccountPublishes(t *testing.T) {
	n := start(t)
	grace := n.as(grace, access.RoleDeveloper, access.RoleReviewer, access.RoleOperator) // may all of it herself
	own := strings.Replace(string(manifest("shop", kvAsk)), ada, "grace@example.com", 1)
	ci := n.machine(grace, "ci", "developer", "reviewer", "operator")
	p, err := ci.Publish(t.Context(), []byte(own), keeps(17), signAs(t, ci, keeps(17)), nil)
	if err != nil || p.Release.CreatedBy != "ci"+abi.ServiceDomain || p.Release.Sponsor != "grace@example.com" || len(p.Requests) == 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	const shown = "ci (service account of grace@example.com)"
	if q := p.Requests[0]; q.Name(q.By) != shown {
		t.Errorf("the request is by %+v", q)
	}
	if app, err := grace.App(t.Context(), "shop"); err != nil || app.Owner != "grace@example.com" {
		t.Errorf("a machine owns an app: %+v, %v", app, err)
	}
	events, err := grace.FindEvents(t.Context(), client.EventFilter{App: "shop"})
	if err != nil || !slices.ContainsFunc(events, func(e abi.Event) bool { return e.Kind == "release.published" && e.By() == shown }) {
		t.Errorf("%+v, %v", events, err)
	}
	session := n.session("grace@example.com")
	for _, path := range []string{"/activity", "/requests"} {
		if body := n.do("GET", n.ConsoleURL()+path, "", "Cookie", session).Body; !strings.Contains(body, shown) {
			t.Errorf("%s does not name it", path)
		}
	}
	// Neither the machine nor its sponsor decides, and the machine changes no people.
	_, decided := ci.Decide(t.Context(), p.Requests[0].ID, true, "fine")
	_, own2 := grace.Decide(t.Context(), p.Requests[0].ID, true, "fine")
	_, put := ci.PutUser(t.Context(), "eve@example.com", []string{"reviewer"}, false)
	_, invited := ci.Invite(t.Context(), ada)
	_, made := ci.CreateServiceAccount(t.Context(), client.NewServiceAccount{Name: "child", Roles: []string{"developer"}})
	_, token := ci.NewServiceToken(t.Context(), "ci", client.NewToken{Label: "more"})
	_, group := ci.CreateGroup(t.Context(), "mine")
	_, away := ci.Transfer(t.Context(), "shop", ada, "take it")
	_, keyed := ci.AddKey(t.Context(), "x", "", "", "")
	for what, err := range map[string]error{"decides": decided, "puts a user": put, "invites": invited, "makes another": made, "makes itself a token": token, "makes a group": group, "gives an app away": away, "adds a key": keyed} {
		if problemOf(t, err).Type != "/problems/in-person" {
			t.Errorf("a machine %s: %v", what, err)
		}
	}
	if problemOf(t, own2).Type != "/problems/self-review" {
		t.Errorf("the sponsor decides: %v", own2)
	}
	n.decide(p)
	if who, err := ci.Whoami(t.Context()); err != nil || who.Sponsor != "grace@example.com" {
		t.Errorf("%+v, %v", who, err)
	}
}

// TestServiceAccountEndsOnTheWire: from the moment at which the sponsor is disabled the token is refused, with a
// reason; operators find the account, and name a successor.
func TestServiceAccountEndsOnTheWire(t *testing.T) {
	n := start(t)
	boss, dev := n.ops(), n.ada()
	ci := n.machine(dev, "ci", "developer")
	if _, err := ci.Apps(t.Context()); err != nil {
		t.Fatal(err)
	}
	if mine, err := dev.ServiceAccounts(t.Context(), client.ServiceAccountFilter{}); err != nil || len(mine) != 1 || mine[0].Tokens != 1 || mine[0].Effective[0] != "developer" {
		t.Errorf("%+v, %v", mine, err)
	}
	if all, err := n.rex().ServiceAccounts(t.Context(), client.ServiceAccountFilter{}); err != nil || len(all) != 0 {
		t.Errorf("a stranger sees %+v, %v", all, err)
	}
	if _, err := n.rex().ServiceAccount(t.Context(), "ci"); problemOf(t, err).Status != http.StatusForbidden {
		t.Errorf("a stranger reads it: %v", err)
	}
	if users, err := boss.Users(t.Context()); err != nil || slices.ContainsFunc(users, func(u client.User) bool { return strings.HasPrefix(u.Name, "ci@") }) {
		t.Errorf("a machine is listed among people: %v", err)
	}
	kept := func() string { // a token that a store still has, as after a restore
		secret, err := n.TokenFor(t.Context(), "ci"+abi.ServiceDomain, "left over", 0)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	if _, err := boss.PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := ci.Apps(t.Context()); problemOf(t, err).Status != http.StatusUnauthorized {
		t.Errorf("its token: %v", err)
	}
	if _, err := n.with(kept()).Apps(t.Context()); problemOf(t, err).Type != "/problems/sponsor-left" {
		t.Errorf("a token that was left: %v", err)
	}
	all, err := boss.ServiceAccounts(t.Context(), client.ServiceAccountFilter{Orphaned: true})
	if err != nil || len(all) != 1 || !all[0].Orphaned || len(all[0].Effective) != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := boss.NewServiceToken(t.Context(), "ci", client.NewToken{Label: "x"}); problemOf(t, err).Type != "/problems/bad-service-account" {
		t.Errorf("a token without a sponsor: %v", err)
	}
	successor := "grace@example.com"
	n.as(successor, access.RoleDeveloper)
	a, err := boss.ChangeServiceAccount(t.Context(), "ci", client.ServiceAccountChange{Sponsor: &successor})
	if err != nil || a.Orphaned || a.Sponsor != successor || a.Tokens != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	hers := n.as(successor)
	again := n.serviceToken(hers, "ci")
	if _, err := again.Apps(t.Context()); err != nil {
		t.Error(err)
	}
	yes := true
	if _, err := hers.ChangeServiceAccount(t.Context(), "ci", client.ServiceAccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Apps(t.Context()); problemOf(t, err).Status != http.StatusUnauthorized {
		t.Errorf("disabled: %v", err)
	}
	if _, err := hers.ChangeServiceAccount(t.Context(), "ci", client.ServiceAccountChange{Sponsor: new(string)}); err == nil {
		t.Error("an account of nobody")
	}
	if err := hers.DeleteServiceAccount(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := hers.ServiceAccount(t.Context(), "ci"); problemOf(t, err).Type != "/problems/no-such-service-account" {
		t.Errorf("deleted: %v", err)
	}
	events, err := boss.FindEvents(t.Context(), client.EventFilter{Kinds: []string{"service_account.created", "service_account.changed", "service_account.deleted"}})
	if err != nil || len(events) != 4 || events[1].Detail["was_sponsor"] != ada || events[0].Subject != "ci"+abi.ServiceDomain {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestServiceAccountPages: the console makes one, shows its token once, and deletes it.
func TestServiceAccountPages(t *testing.T) {
	n := start(t)
	session := n.session(ada, access.RoleDeveloper)
	post := func(path string, form url.Values) answer {
		return n.do("POST", n.ConsoleURL()+path, form.Encode(), "Cookie", session, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	page := func(path string) string {
		return n.do("GET", n.ConsoleURL()+path, "", "Cookie", session).Body
	}
	made := post("/service-accounts", url.Values{"name": {"ci"}, "purpose": {"<b>builds"}, "role": {"developer"}})
	if made.Status != http.StatusSeeOther || !strings.HasPrefix(made.Header.Get("Location"), "/service-accounts/ci") {
		t.Fatalf("%d %s", made.Status, made.Body)
	}
	if body := page("/service-accounts"); !strings.Contains(body, `href="/service-accounts/ci"`) || !strings.Contains(body, "&lt;b&gt;builds") {
		t.Error(body)
	}
	once := post("/service-accounts/ci/tokens", url.Values{"label": {"build server"}, "days": {"1"}, "scope": {"apps:read"}})
	_, rest, _ := strings.Cut(once.Body, "agora_tok_")
	secret, _, _ := strings.Cut("agora_tok_"+rest, "<")
	if who, err := n.with(secret).Whoami(t.Context()); err != nil || who.User != "ci"+abi.ServiceDomain || !slices.Equal(who.Scopes, []string{"apps:read"}) {
		t.Errorf("%+v, %v", who, err)
	}
	if strings.Contains(page("/service-accounts/ci"), secret) {
		t.Error("the secret is shown twice")
	}
	if got := post("/service-accounts/ci/change", url.Values{"role": {"operator"}}); got.Status != http.StatusUnprocessableEntity || !strings.Contains(got.Body, "has not the role operator") {
		t.Errorf("a role that ada has not: %d %s", got.Status, got.Body)
	}
	if got := post("/service-accounts/ci/delete", nil); got.Status != http.StatusSeeOther || strings.Contains(page("/service-accounts"), `href="/service-accounts/ci"`) {
		t.Errorf("%d", got.Status)
	}
}
