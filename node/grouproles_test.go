package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestRolesForOneGroup: a role for the apps of one group gives for those what the role gives, and for
// no others, and does not reach the node.
func TestRolesForOneGroup(t *testing.T) {
	n := start(t)
	co, _ := n.shared()
	boss := n.ops()
	n.publish(co, []byte(strings.ReplaceAll(string(manifest("other", kvAsk)), ada, grace)), keeps(17))
	const eve = "eve@example.com"
	for _, roles := range [][]string{{"developer@none"}, {"developer/security"}, {"reviewer/taste"}, {"king"}, {"developer@"}} {
		if _, err := boss.PutUser(t.Context(), eve, roles, false); err == nil {
			t.Errorf("%q were given", roles)
		}
	}
	u, err := boss.PutUser(t.Context(), eve, []string{"developer@Sales", "reviewer@sales", "operator@sales"}, false)
	if err != nil || len(u.Roles) != 3 || !access.IsGroupID(strings.TrimPrefix(u.Roles[0], "developer@")) {
		t.Fatalf("%+v, %v", u, err)
	}
	c := n.as(eve)
	suspend := func(app string) error { _, err := c.Suspend(t.Context(), app, "why not"); return err }
	if err := suspend("shop"); err != nil {
		t.Errorf("an app of the group: %v", err)
	}
	if p := problemOf(t, suspend("other")); p.Type != "/problems/not-owner" && p.Type != "/problems/forbidden" {
		t.Errorf("an app of no group: %+v", p)
	}
	if _, err := c.Resume(t.Context(), "shop", "again"); err != nil {
		t.Error(err)
	}
	for app, may := range map[string]bool{"shop": true, "other": false} {
		open, err := c.Requests(t.Context(), "open", app)
		if err != nil || len(open) != 1 {
			t.Fatal(open, err)
		}
		if _, err := c.Decide(t.Context(), open[0].ID, true, "fine"); (err == nil) != may {
			t.Errorf("decides about %s: %v", app, err)
		}
	}
	_, users := c.Users(t.Context())
	_, domain := c.CreateDomain(t.Context(), "x.example.org", "shop")
	_, group := c.AddToGroup(t.Context(), "sales", eve)
	for what, err := range map[string]error{"lists people": users, "gives a domain": domain, "puts themselves into the group": group} {
		if p := problemOf(t, err); p.Type != "/problems/forbidden" {
			t.Errorf("an operator of one group %s: %+v", what, p)
		}
	}
	// Whoever may publish for one group alone publishes for that group.
	if _, err := boss.AddToGroup(t.Context(), "sales", eve); err != nil {
		t.Fatal(err)
	}
	n.publish(c, []byte(strings.ReplaceAll(string(manifest("new")), ada, eve)), says("x"))
	if app, err := c.App(t.Context(), "new"); err != nil || app.GroupName != "sales" {
		t.Errorf("%+v, %v", app, err)
	}
}

// TestConcerns: a reviewer for one concern decides requests that are about that one alone.
func TestConcerns(t *testing.T) {
	n := start(t)
	boss := n.ops()
	ask := n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\"", kvAsk), keeps(17)).Requests[0]
	reviewer := func(name string, roles ...string) *client.Client {
		if _, err := boss.PutUser(t.Context(), name, roles, false); err != nil {
			t.Fatal(err)
		}
		return n.as(name)
	}
	security := reviewer("sec@example.com", "reviewer/security", "reviewer/finance")
	_, err := security.Decide(t.Context(), ask.ID, true, "fine")
	if p := problemOf(t, err); p.Type != "/problems/forbidden" || !strings.Contains(p.Detail, "reviewers of privacy") {
		t.Errorf("%+v", p)
	}
	privacy := reviewer("priv@example.com", "reviewer/privacy")
	if _, err := privacy.Decide(t.Context(), ask.ID, true, "fine"); err != nil {
		t.Error(err)
	}
	promotion, err := n.ada().Promote(t.Context(), "shop", 1, "pilot", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := privacy.Decide(t.Context(), promotion.ID, true, "fine"); err == nil {
		t.Error("a promotion, which is the platform's, too")
	}
	both := reviewer("both@example.com", "reviewer/privacy", "reviewer/platform")
	if _, err := both.Decide(t.Context(), promotion.ID, true, "fine"); err != nil {
		t.Error(err)
	}
}

// TestWhy: who asks about themselves is told, auditors and operators of anybody, and what is asked wrongly
// is said.
func TestWhy(t *testing.T) {
	n := start(t)
	n.shared()
	dev, boss := n.ada(), n.ops()
	e, err := boss.Why(t.Context(), "GRACE@example.com", "set-secrets", "shop")
	if err != nil || !e.Allowed || !strings.Contains(e.Reason, "its co-owner") || e.Person != grace || len(e.Operators) == 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = dev.Why(t.Context(), "", "decide", "req-1"); err != nil || e.Allowed || !strings.Contains(e.Reason, "needs the role reviewer") {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := boss.PutUser(t.Context(), grace, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	if e, err = boss.Why(t.Context(), grace, "set-secrets", "shop"); err != nil || e.Allowed || !strings.Contains(e.Reason, "disabled") {
		t.Errorf("%+v, %v", e, err)
	}
	for what, c := range map[string]struct{ person, act, on, slug string }{
		"another person": {grace, "operate", "", "forbidden"}, "no app": {"", "publish", "", "bad-question"}, "an act of the node, with an app": {"", "operate", "shop", "bad-question"},
		"no act": {"", "fly", "", "bad-parameter"}, "an app that is not there": {"", "publish", "none", "no-such-app"}, "a request that is not there": {"", "decide", "req-99", "no-such-request"},
		"a group that is not there": {"", "read-group", "none", "no-such-group"}, "nobody": {"", "read-quotas", "zoe@example.com", "no-such-user"},
	} {
		_, err := dev.Why(t.Context(), c.person, c.act, c.on)
		if p := problemOf(t, err); p.Type != "/problems/"+c.slug {
			t.Errorf("%s: %+v", what, p)
		}
	}
	cookie := n.session(ops, access.RoleOperator)
	body := n.do("GET", n.ConsoleURL()+"/access?person="+ada+"&act=delete&on=shop", "", "Cookie", cookie).Body
	if !strings.Contains(body, "may delete shop") || !strings.Contains(body, "<th>auditor</th>") {
		t.Error(body)
	}
	if body := n.do("GET", n.ConsoleURL()+"/access?act=delete&on=none", "", "Cookie", n.session(ada)).Body; !strings.Contains(body, "There is no such app") || strings.Contains(body, "People and roles") {
		t.Error(body)
	}
}
