package node_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// The names that people have after they were renamed.
const (
	lovelace = "ada.lovelace@example.com"
	king     = "rex.king@example.com"
)

// filled has ada's app with a grant that rex gave, an app signed with ada's key, an app that is offered,
// and whatever else names a person.
func (n *testNode) filled() (shop client.Published, signedByKey client.Published) {
	n.t.Helper()
	ctx := n.t.Context()
	shop = n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	n.decide(shop)
	signedByKey, _ = n.keyed(n.ada(), manifest("keyed", `description = "Signed with a key"`), says("keyed"))
	n.publish(n.ada(), manifest("offered"), says("offered"))
	n.bob()
	must(n.ada().Transfer(ctx, "offered", bob, ""))(n.t)
	must(n.ada().SetSecret(ctx, "shop", "mail", []byte("s3cret-value")))(n.t)
	must(n.ops().CreateDomain(ctx, "shop.example.org", "shop"))(n.t)
	must(n.ada().Promote(ctx, "keyed", 1, abi.TierPilot, "it is ready"))(n.t)
	must(n.rex().Suspend(ctx, "offered", "to try"))(n.t)
	n.get(n.AppURL("keyed"))
	return shop, signedByKey
}

// mentions lists what the API and the console say of a name, to an operator who reviews, too.
func (n *testNode) mentions(name string) (all []string) {
	n.t.Helper()
	const boss = "boss@example.com"
	roles := []access.Role{access.RoleOperator, access.RoleReviewer, access.RoleDeveloper}
	token, cookie := "Bearer "+n.token(boss, roles...), n.session(boss, roles...)
	for _, path := range []string{
		"/apps", "/apps/shop", "/apps/offered", "/apps/keyed", "/apps/shop/releases", "/apps/keyed/releases", "/apps/shop/activations", "/apps/shop/secrets",
		"/requests", "/grants", "/hosts", "/trust/keys", "/certificates", "/usage?by=owner", "/calls/x",
	} {
		if got := n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", token); strings.Contains(got.Body, name) {
			all = append(all, path+": "+got.Body)
		}
	}
	for _, path := range []string{"/", "/apps/shop", "/apps/offered", "/apps/shop/releases/1", "/requests", "/requests/req-1", "/grants", "/usage?by=owner", "/certificates"} {
		if got := n.do("GET", n.ConsoleURL()+path, "", "Cookie", cookie); strings.Contains(got.Body, name) {
			all = append(all, path)
		}
	}
	return all
}

// TestRename: a person who gets another name goes on as they were, on every surface and after a
// restart; their old name leads to no other.
func TestRename(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir)
	ctx := t.Context()
	shop, keyed := n.filled()
	token, cookie := n.token(ada, access.RoleDeveloper), n.session(ada, access.RoleDeveloper)
	old, err := client.New("http://"+n.Addr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	late := signAs(t, n.ada(), keeps(18)) // with a certificate for the old name
	before := len(n.mentions(ada))
	must(n.ops().RenameUser(ctx, ada, lovelace))(t)
	if user := must(n.ops().RenameUser(ctx, rex, king))(t); !access.IsPersonID(user.ID) || user.Name != king || len(user.Former) != 1 || user.Former[0].Name != rex {
		t.Errorf("renamed: %+v", user)
	}
	if before < 12 {
		t.Errorf("the test looks in %d places", before)
	}
	for _, name := range []string{`"` + rex, `"` + ada} {
		for _, where := range n.mentions(name) {
			if !strings.Contains(where, `"signed_as":"`+ada) || strings.Contains(strings.ReplaceAll(where, `"signed_as":"`+ada, ""), name) {
				t.Errorf("%s is still named at %s", name, where)
			}
		}
	}
	if who := must(old.Whoami(ctx))(t); who.User != lovelace {
		t.Errorf("the token is of %s", who.User)
	}
	if page := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", cookie); page.Status != 200 || !strings.Contains(page.Body, lovelace) {
		t.Errorf("the session: %d", page.Status)
	}
	boss := n.session("boss@example.com", access.RoleOperator)
	if page := n.do("GET", n.ConsoleURL()+"/apps/shop/releases/1", "", "Cookie", boss).Body; !strings.Contains(page, lovelace+` <small class="quiet">as `+ada) {
		t.Errorf("the release's page: %s", page)
	}
	n.goesOnRenamed(old, shop, keyed, late)
	n.keepsTheName(ctx)
	n.stop()
	n = startIn(t, dir)
	for _, app := range []string{"shop", "keyed"} { // verified once more
		if got := n.get(n.AppURL(app)); got.Status >= 500 {
			t.Errorf("%s after a restart: %d %s", app, got.Status, got.Body)
		}
	}
	if checks := must(n.ops().Doctor(ctx))(t); len(checks) == 0 {
		t.Error("the doctor says nothing")
	} else {
		for _, c := range checks {
			if !c.OK && c.Name != "confinement" {
				t.Errorf("%+v", c)
			}
		}
	}
}

// goesOnRenamed: ada publishes, by the old manifest and a signature with the old certificate, and what was
// granted holds; she does not decide about her own, and rex does.
func (n *testNode) goesOnRenamed(old *client.Client, shop, keyed client.Published, late []byte) {
	n.t.Helper()
	ctx := n.t.Context()
	next, err := old.Publish(ctx, manifest("shop", kvAsk), keeps(18), late, nil)
	if err != nil {
		n.t.Fatalf("with the old certificate: %v", err)
	}
	if s := next.Release.Signer; s.Identity != lovelace || s.SignedAs != ada || next.Release.Manifest.Owner != lovelace || !next.Active {
		n.t.Errorf("published: %+v", next)
	}
	text := []byte(strings.Replace(string(manifest("shop", kvAsk)), ada, lovelace, 1))
	if p := n.publish(old, text, keeps(19)); p.Release.Signer.Identity != lovelace || p.Release.Signer.SignedAs != "" || !p.Active {
		n.t.Errorf("published under the new name: %+v", p)
	}
	must(old.RollBack(ctx, "shop", abi.TierSandbox, "back"))(n.t)
	must(old.Activate(ctx, "shop", 1, abi.TierSandbox, "to the first"))(n.t)
	if got := n.get(shop.URL); got.Status >= 500 {
		n.t.Errorf("what was signed as %s: %d %s", ada, got.Status, got.Body)
	}
	reviews := n.as(lovelace, access.RoleDeveloper)
	if _, err := n.ops().PutUser(ctx, lovelace, []string{"developer", "reviewer"}, false); err != nil {
		n.t.Fatal(err)
	}
	open := n.open("keyed")
	if len(open) != 1 || open[0].By != lovelace || open[0].Owner != lovelace {
		n.t.Fatalf("%+v", open)
	}
	refusedAs(n.t, "her own request", "self-review", "", second(reviews.Decide(ctx, open[0].ID, true, "mine")))
	done := must(n.as(king).Decide(ctx, open[0].ID, true, "fine"))(n.t)
	if done.Decision.By != king {
		n.t.Errorf("decided: %+v", done)
	}
	report := must(n.ops().Usage(ctx, client.UsageQuery{By: []string{"owner"}}))(n.t)
	for _, row := range report.Rows {
		if row.Group["owner"] == ada {
			n.t.Errorf("usage is kept under the old name: %+v", report.Rows)
		}
	}
}

// keepsTheName: no other person gets a name that was a person's, in no way; its own person does.
func (n *testNode) keepsTheName(ctx context.Context) {
	n.t.Helper()
	ops := n.ops()
	n.eve()
	refusedAs(n.t, "a new user", "name-taken", "", second(ops.PutUser(ctx, ada, []string{"developer"}, false)))
	refusedAs(n.t, "another user", "name-taken", "", second(ops.RenameUser(ctx, "eve@example.com", ada)))
	refusedAs(n.t, "a name in use", "name-taken", "", second(ops.RenameUser(ctx, "eve@example.com", king)))
	refusedAs(n.t, "nobody", "no-such-user", "", second(ops.RenameUser(ctx, "none@example.com", "any@example.com")))
	refusedAs(n.t, "the old name", "no-such-user", "", second(ops.RenameUser(ctx, ada, "any@example.com")))
	refusedAs(n.t, "no name", "bad-user", "", second(ops.RenameUser(ctx, king, "King")))
	refusedAs(n.t, "no operator", "forbidden", "", second(n.as(king).RenameUser(ctx, king, "any@example.com")))
	if link, err := n.Welcome(ctx, ada); err != nil {
		n.t.Errorf("the command that starts the node, by the old name: %q, %v", link, err)
	}
	must(ops.RenameUser(ctx, king, rex))(n.t)
	if user := must(ops.RenameUser(ctx, rex, king))(n.t); len(user.Former) != 1 {
		n.t.Errorf("back and forth: %+v", user)
	}
	seen := 0
	for _, e := range must(ops.Events(ctx, 0, 0))(n.t) {
		if e.Kind == "user.renamed" && e.Actor == "ops@example.com" && e.Detail["was"] != "" && e.Detail["name"] != "" {
			seen++
		}
	}
	if seen != 4 {
		n.t.Errorf("%d renames are in the audit log", seen)
	}
}

// TestRenameInTheConsole renames oneself, by the form on the settings' page.
func TestRenameInTheConsole(t *testing.T) {
	n := start(t)
	cookie := n.session(ops, access.RoleOperator)
	form := url.Values{"name": {ops}, "to": {"chief@example.com"}}.Encode()
	got := n.do("POST", n.ConsoleURL()+"/settings/users/rename", form, "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if got.Status != http.StatusSeeOther {
		t.Fatalf("%+v", got)
	}
	page := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", cookie)
	if !strings.Contains(page.Body, "chief@example.com") || !strings.Contains(page.Body, "was "+ops) {
		t.Errorf("%s", page.Body)
	}
	if got := n.do("POST", n.ConsoleURL()+"/settings/users/rename", form, "Cookie", n.session(ada, access.RoleDeveloper), "Content-Type", "application/x-www-form-urlencoded"); got.Status != http.StatusForbidden {
		t.Errorf("a developer: %d", got.Status)
	}
	raw, err := json.Marshal(must(n.as("chief@example.com").Users(t.Context()))(t))
	if err != nil || strings.Count(string(raw), `"former"`) != 1 {
		t.Errorf("%s, %v", raw, err)
	}
}
