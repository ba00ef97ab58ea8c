package node_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

const grace, tom = "grace@example.com", "tom@example.com" // a co-owner, and somebody of the group

// shared makes an app of ada's that grace and the group sales, with tom in it, own with her. All three
// review, too.
func (n *testNode) shared() (co, member *client.Client) {
	n.t.Helper()
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	both := []access.Role{access.RoleDeveloper, access.RoleReviewer}
	co, member = n.as(grace, both...), n.as(tom, both...)
	boss := n.ops()
	_, err := boss.CreateGroup(n.t.Context(), "sales")
	_, addErr := boss.AddToGroup(n.t.Context(), "sales", tom)
	app, shareErr := n.ada().Share(n.t.Context(), "shop", grace, "Sales", "")
	if err := errors.Join(err, addErr, shareErr); err != nil {
		n.t.Fatal(err)
	}
	if app.CoOwner != grace || app.GroupName != "sales" || app.Owner != ada {
		n.t.Fatalf("%+v", app)
	}
	return co, member
}

// TestOwners: a co-owner and the people of a group do what the owner does, but for giving the app away,
// and none of them decides about it.
func TestOwners(t *testing.T) {
	n := start(t)
	co, member := n.shared()
	for _, who := range []struct {
		name string
		*client.Client
	}{{"the co-owner", co}, {"somebody of the group", member}} {
		name, c := who.name, who.Client
		if p, err := c.Publish(t.Context(), manifest("shop", "description = \""+name+"\"", kvAsk), keeps(17), signAs(t, c, keeps(17)), nil); err != nil || p.Release.Manifest.Owner != ada {
			t.Errorf("%s publishes: %v", name, err)
		}
		if _, err := c.SetSecret(t.Context(), "shop", "mail", []byte("x")); err != nil {
			t.Errorf("%s sets a secret: %v", name, err)
		}
		if _, err := c.Suspend(t.Context(), "shop", ""); err != nil {
			t.Errorf("%s suspends: %v", name, err)
		}
		if _, err := c.Resume(t.Context(), "shop", ""); err != nil {
			t.Errorf("%s resumes: %v", name, err)
		}
		app, err := c.App(t.Context(), "shop")
		if err != nil || slices.Contains(app.May, "transfer") || slices.Contains(app.May, "delete") || slices.Contains(app.May, "share") || !slices.Contains(app.May, "rename") {
			t.Errorf("%s may %v, %v", name, app.May, err)
		}
		_, transferred := c.Transfer(t.Context(), "shop", tom, "")
		_, deleted := c.DeleteApp(t.Context(), "shop", "")
		_, given := c.Share(t.Context(), "shop", tom, "", "")
		for what, err := range map[string]error{"gives away": transferred, "deletes": deleted, "shares": given} {
			if p := problemOf(t, err); p.Type != "/problems/not-owner" || !strings.Contains(p.Detail, "you own it with them") {
				t.Errorf("%s %s: %+v", name, what, p)
			}
		}
		open, err := c.Requests(t.Context(), "open", "shop")
		if err != nil || len(open) != 1 {
			t.Fatalf("%d open requests, %v", len(open), err)
		}
		if _, err := c.Decide(t.Context(), open[0].ID, true, "fine"); problemOf(t, err).Type != "/problems/self-review" {
			t.Errorf("%s decides: %v", name, err)
		}
		if mine, err := c.FindApps(t.Context(), client.AppSearch{Owner: map[bool]string{true: grace, false: tom}[c == co]}); err != nil || len(mine) != 1 {
			t.Errorf("%s finds %d apps of their own, %v", name, len(mine), err)
		}
	}
	stranger := n.as("eve@example.com", access.RoleDeveloper)
	if _, err := stranger.Publish(t.Context(), manifest("shop"), says("x"), signAs(t, stranger, says("x")), nil); err == nil {
		t.Error("a stranger publishes")
	}
	// Who is taken out of the group has lost it at the next request; and may decide from then on.
	if _, err := n.ops().RemoveFromGroup(t.Context(), "sales", tom); err != nil {
		t.Fatal(err)
	}
	if _, err := member.SetSecret(t.Context(), "shop", "mail", []byte("x")); err == nil {
		t.Error("who left the group sets a secret")
	}
	open, err := member.Requests(t.Context(), "open", "shop")
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	if _, err := member.Decide(t.Context(), open[0].ID, true, "fine"); err == nil { // they asked for this one
		t.Error("who asked decides")
	}
}

// TestShareRefusals: who cannot be a co-owner, and groups that own apps.
func TestShareRefusals(t *testing.T) {
	n := start(t)
	n.shared()
	n.token("viewer@example.com", access.RoleViewer)
	mine, boss := n.ada(), n.ops()
	share := func(c *client.Client, co, group, reason string) error {
		_, err := c.Share(t.Context(), "shop", co, group, reason)
		return err
	}
	for what, c := range map[string]struct {
		err  error
		slug string
	}{
		"the owner": {share(mine, ada, "", ""), "bad-owner"}, "no developer": {share(mine, "viewer@example.com", "", ""), "bad-owner"},
		"nobody": {share(mine, "zoe@example.com", "", ""), "no-such-user"}, "no group": {share(mine, "", "none", ""), "no-such-group"},
		"an operator without a reason": {share(boss, "", "", ""), "reason-missing"}, "a group in use": {boss.DeleteGroup(t.Context(), "sales"), "group-in-use"},
	} {
		if p := problemOf(t, c.err); p.Type != "/problems/"+c.slug {
			t.Errorf("%s: %+v", what, p)
		}
	}
	app, err := mine.App(t.Context(), "shop")
	if err != nil || app.CoOwner != grace {
		t.Fatalf("a refusal changed something: %+v, %v", app, err)
	}
	if err := errors.Join(share(boss, "", "", "the team is gone"), boss.DeleteGroup(t.Context(), "sales")); err != nil {
		t.Error(err)
	}
}

// TestOrphans: the apps of a person who is disabled are found, with whom to hand them to, and one
// button does it.
func TestOrphans(t *testing.T) {
	n := start(t)
	n.shared()
	n.publish(n.ada(), manifest("alone"), says("x"))
	boss, page := n.ops(), n.session(ops, access.RoleOperator)
	orphans := func() []client.App {
		t.Helper()
		all, err := boss.FindApps(t.Context(), client.AppSearch{Orphaned: true})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := orphans(); len(all) != 0 {
		t.Fatal(all)
	}
	if _, err := boss.PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	all := orphans()
	if len(all) != 2 || all[0].Name != "alone" || all[0].Successor != "" || all[1].Successor != grace || !all[1].Orphaned {
		t.Fatalf("%+v", all)
	}
	body := n.do("GET", n.ConsoleURL()+"/?orphaned=true", "", "Cookie", page).Body
	if !strings.Contains(body, ">Orphaned</a>") || !strings.Contains(body, "/apps/shop") || strings.Contains(body, "No app matches") {
		t.Error(body)
	}
	body = n.do("GET", n.ConsoleURL()+"/apps/shop", "", "Cookie", page).Body
	if !strings.Contains(body, "Hand it over to "+grace) {
		t.Fatal(body)
	}
	form := url.Values{"to": {grace}, "reason": {"Its owner is disabled."}, "revision": {between(body, `name="revision" value="`, `"`)}}
	got := n.do(http.MethodPost, n.ConsoleURL()+"/apps/shop/transfer", form.Encode(), "Cookie", page, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if got.Status != http.StatusSeeOther {
		t.Fatalf("%+v", got)
	}
	app, err := boss.App(t.Context(), "shop")
	if err != nil || app.Owner != grace || app.CoOwner != "" || app.Orphaned || len(orphans()) != 1 {
		t.Errorf("%+v, %v", app, err)
	}
	if _, err := n.as("nobody@example.com").FindApps(t.Context(), client.AppSearch{Orphaned: true}); problemOf(t, err).Type != "/problems/forbidden" {
		t.Error(err)
	}
}
