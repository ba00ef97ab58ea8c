package node_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// arrives signs a person in with a link, in a browser that says what it is.
func (n *testNode) arrives(user, agent string, roles ...access.Role) *visitor {
	n.t.Helper()
	link, err := n.Welcome(n.t.Context(), user, roles...)
	if err != nil {
		n.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	v := n.visitor()
	if in := v.request(http.MethodPost, "/sign-in", map[string][]string{"link": {secret}}, "User-Agent", agent); in.Status != http.StatusOK || v.session() == "" {
		n.t.Fatalf("%d %s", in.Status, in.URL)
	}
	return v
}

// in reports whether a visitor is signed in.
func (v *visitor) in() bool { return v.get("/settings").URL.Path == "/settings" }

// TestMySessions: a person sees where they are signed in, and signs out there: one, and all others; in the
// console, and by the API; an operator ends another person's sessions, and nobody else does.
func TestMySessions(t *testing.T) {
	n := start(t)
	here := n.arrives(ada, firefox, access.RoleDeveloper)
	there := n.arrives(ada, "<script>alert(1)</script>")
	third := n.arrives(ada, "curl/8.5.0")
	page := here.get("/settings").Body
	section := page[strings.Index(page, `id="sessions"`):strings.Index(page, `id="tokens"`)]
	if strings.Count(section, "<tr>") != 4 || strings.Count(section, "Firefox on Linux") != 1 || !strings.Contains(section, "scriptalert1/script") || !strings.Contains(section, "curl/8.5.0") ||
		!strings.Contains(section, "127.0.0.1") || strings.Count(section, "this one") != 1 {
		t.Fatalf("%s", section)
	}
	all, err := n.with(here.session()).Sessions(t.Context(), "")
	if err != nil || len(all) != 3 || !all[0].Current || all[1].Current || all[0].Device != "Firefox on Linux" || all[0].Ends.Sub(all[0].Began) != 8*time.Hour || all[0].Longest.Sub(all[0].Began) != 7*24*time.Hour {
		t.Fatalf("%+v, %v", all, err)
	}
	if got := here.request(http.MethodPost, "/settings/sessions/"+all[1].ID+"/end", nil); got.Status != http.StatusOK || there.in() || !third.in() || !here.in() {
		t.Errorf("one: %d; %v %v %v", got.Status, there.in(), third.in(), here.in())
	}
	if got := here.request(http.MethodPost, "/settings/sessions/"+all[1].ID+"/end", nil); got.Status != http.StatusNotFound {
		t.Errorf("the same once more: %d", got.Status)
	}
	if here.request(http.MethodPost, "/settings/sessions/end", nil); third.in() || !here.in() {
		t.Errorf("all others: %v %v", third.in(), here.in())
	}

	eve, operator := n.as("eve@example.com", access.RoleReviewer, access.RoleAuditor), n.ops()
	for _, c := range []*client.Client{eve, n.with(n.token("dev@example.com", access.RoleDeveloper))} {
		if _, err := c.Sessions(t.Context(), ada); problemOf(t, err).Status != 403 {
			t.Errorf("another person lists: %v", err)
		}
		if err := c.EndSession(t.Context(), ada, all[0].ID); problemOf(t, err).Status != 403 {
			t.Errorf("another person ends one: %v", err)
		}
		if _, err := c.EndSessions(t.Context(), ada); problemOf(t, err).Status != 403 {
			t.Errorf("another person ends all: %v", err)
		}
		if err := c.EndSession(t.Context(), "", all[0].ID); problemOf(t, err).Type != "/problems/no-such-session" {
			t.Errorf("by the id, as one's own: %v", err)
		}
	}
	if of, err := operator.Sessions(t.Context(), ada); err != nil || len(of) != 1 || of[0].Current {
		t.Errorf("%+v, %v", of, err)
	}
	if _, err := operator.Sessions(t.Context(), "gone@example.com"); problemOf(t, err).Type != "/problems/no-such-user" {
		t.Errorf("of nobody: %v", err)
	}
	if ended, err := operator.EndSessions(t.Context(), ada); err != nil || ended != 1 || here.in() {
		t.Errorf("an operator: %d, %v, %v", ended, err, here.in())
	}
	events, err := n.EventsKept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Kind != "session.revoked" || last.Actor != ops || last.Subject != ada || last.Detail["device"] != "Firefox on Linux" {
		t.Errorf("%+v", last)
	}
}

// TestSessionsEndByThemselves: unused, and in any case; used they go on, and a use is stored now and then. What an
// operator shortens holds for sessions of before.
func TestSessionsEndByThemselves(t *testing.T) {
	clock := &clock{}
	dir := t.TempDir()
	n := startIn(t, dir, clock.set)
	used, unused := n.arrives(ada, firefox), n.arrives(ada, firefox)
	hours := func() { // in which what is noted is stored many times
		if err := n.StoreUses(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.advance(7 * time.Hour)
	}
	for range 20 {
		hours()
		if !used.in() {
			t.Fatal("a session that is used has ended")
		}
	}
	if unused.in() {
		t.Error("unused for days, and it lasts")
	}
	if all, err := n.with(used.session()).Sessions(t.Context(), ""); err != nil || len(all) != 1 || all[0].Used.Sub(all[0].Began) < 139*time.Hour {
		t.Errorf("%+v, %v", all, err)
	}
	for range 5 {
		hours()
		used.in()
	}
	if used.in() {
		t.Error("it lasts for more than a week")
	}

	near := n.arrives(ada, firefox)
	clock.advance(8*time.Hour - 5*time.Second)
	if !near.in() {
		t.Fatal("it ended before its time")
	}
	clock.advance(10 * time.Second)
	if !near.in() {
		t.Error("it was used seconds ago, and has ended")
	}
	n.stop()
	again := startIn(t, dir, clock.set, func(o *node.Options) { o.Sessions = access.Lives{Idle: time.Hour, Longest: 24 * time.Hour} })
	with := func() bool {
		_, err := again.with(near.session()).Whoami(t.Context())
		return err == nil
	}
	if !with() {
		t.Error("shortened, and used seconds ago: it has ended")
	}
	clock.advance(time.Hour)
	if with() {
		t.Error("it lasts as it did before it was shortened")
	}
}

// TestRevokedAtApps: who is signed out by another window, or by an operator, is refused at the address of an app
// before a second has passed.
func TestRevokedAtApps(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("the shop"))
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	address := n.AppURL("shop") + "/"
	if got := v.open(address); got.status != http.StatusOK || !strings.Contains(got.body, "the shop") {
		t.Fatalf("%+v", got)
	}
	if all, err := n.as(ada).Sessions(t.Context(), ""); err != nil || len(all) != 1 || len(all[0].Apps) != 1 || all[0].Apps[0] != "shop" {
		t.Errorf("%+v, %v", all, err)
	}
	quotas, err := n.as(ada).Quotas(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range quotas {
		if q.Name == "apps" && q.Used != 1 {
			t.Errorf("sessions at apps' addresses count as apps: %+v", q)
		}
	}
	began := time.Now()
	if ended, err := n.ops().EndSessions(t.Context(), ada); err != nil || ended != 1 {
		t.Fatal(ended, err)
	}
	program := []string{"Accept", "application/json", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}
	if got := v.do("GET", address, "", program...); got.status != http.StatusUnauthorized {
		t.Errorf("%d after %s", got.status, time.Since(began))
	}
}
