package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestDelegate: a reviewer of security is away, and says on the settings page who decides in her place; that one is
// told, and votes; when the delegation ends in the middle, the vote falls away, and the promotion waits again.
func TestDelegate(t *testing.T) {
	rules, err := start(t).ada().Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two := strings.Replace(rules["data.json"], `"stages": {}`, `"stages": {"production": [{"concern": "security", "need": 1}, {"concern": "platform", "need": 1}]}`, 1)
	n := start(t, func(o *node.Options) { o.PolicyDir = writeRules(t, two) })
	const sec, plat, fin = "sec@example.com", "plat@example.com", "fin@example.com"
	ctx := t.Context()
	for name, role := range map[string]string{sec: "reviewer/security", plat: "reviewer/platform", fin: "reviewer/finance"} {
		if _, err := n.ops().PutUser(ctx, name, []string{role}, false); err != nil {
			t.Fatal(err)
		}
	}
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := n.ada().Promote(ctx, "shop", 1, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.as(fin).Decide(ctx, q.ID, true, "")
	if p := problemOf(t, err); p.Status != http.StatusForbidden {
		t.Errorf("without a delegation: %+v", p)
	}
	away := browsing{n, n.session(sec)}
	page := away.page("/settings")
	form := away.form(page, "/settings/delegations")
	form.fields = url.Values{"to": {fin}, "until": {time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly)}, "reason": {"<b>on leave</b>"}}
	if got := away.send(form); got.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if page = away.page("/settings"); !strings.Contains(page, fin) || strings.Contains(page, "<b>on leave") || !strings.Contains(page, "&lt;b&gt;on leave") {
		t.Errorf("the page: %s", page)
	}
	n.isTold(fin, "delegation.made")
	if mine, err := n.as(fin).FindRequests(ctx, client.RequestFilter{Mine: true}); err != nil || len(mine) != 1 {
		t.Errorf("what waits for the delegate: %+v, %v", mine, err)
	}
	if q, err = n.as(fin).Decide(ctx, q.ID, true, "fine"); err != nil || q.Votes[0].By != fin || q.Votes[0].For != sec {
		t.Fatalf("%+v, %v", q, err)
	}
	if page := away.page("/requests"); !strings.Contains(page, fin+" in the place of "+sec+" approved") {
		t.Errorf("the page of the request: %s", page)
	}
	all, err := n.as(sec).Delegations(ctx, "")
	if err != nil || len(all) != 1 || !all[0].Holds {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := n.ops().EndDelegation(ctx, sec, all[0].ID); err != nil { // an operator
		t.Fatal(err)
	}
	n.isTold(fin, "delegation.ended")
	n.isTold(sec, "delegation.ended")
	if q, err = n.as(plat).Decide(ctx, q.ID, true, "fine"); err != nil || q.Status != "open" || q.Votes[0].Void == "" {
		t.Fatalf("with the vote of a delegation that ended: %+v, %v", q, err)
	}
	if q, err = n.as(sec).Decide(ctx, q.ID, true, "back"); err != nil || q.Status != "approved" {
		t.Errorf("%+v, %v", q, err)
	}
	err = n.as(sec).EndDelegation(ctx, "", all[0].ID)
	if p := problemOf(t, err); p.Type != "/problems/no-delegation" {
		t.Errorf("ended twice: %+v", p)
	}
	_, err = n.as(sec).Delegate(ctx, client.NewDelegation{To: n.machineName(), Until: time.Now().Add(time.Hour), Reason: "away"})
	if p := problemOf(t, err); p.Status != http.StatusUnprocessableEntity && p.Status != http.StatusNotFound {
		t.Errorf("to a machine: %+v", p)
	}
}

func (n *testNode) machineName() string {
	n.machine(n.ada(), "ci", "developer")
	return "ci" + abi.ServiceDomain
}

// TestAwayIsShown: a reviewer says on the settings page that they are away, and names nobody: the request's page and the
// API say so to everyone who reads it, the feed has it, no vote and no tag of the request depends on it, and nobody is told.
func TestAwayIsShown(t *testing.T) {
	n := start(t)
	ctx := t.Context()
	n.rex()
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if q, err = n.rex().Request(ctx, q.ID); err != nil {
		t.Fatal(err)
	}
	hers, his := browsing{n, n.session(ada)}, browsing{n, n.session(rex)}
	const words = rex + " is away until "
	if page := hers.page("/requests"); strings.Contains(page, words) {
		t.Error("before it is said")
	}
	last := time.Now().UTC().AddDate(0, 0, 7)
	form := his.form(his.page("/settings"), "/settings/delegations")
	form.fields = url.Values{"until": {last.Format(time.DateOnly)}, "reason": {"an operation"}}
	if got := his.send(form); got.Status != http.StatusSeeOther || !strings.Contains(got.Header.Get("Location"), "done=away") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if page := his.page("/settings"); !strings.Contains(page, "nobody") || !strings.Contains(page, "an operation") {
		t.Errorf("the settings page: %s", page)
	}
	for who, of := range map[string]browsing{"who asked": hers, "who is away": his} {
		for _, path := range []string{"/requests", "/requests?app=shop&release=1"} {
			if page := of.page(path); !strings.Contains(page, words+last.Format("2 January 2006")+".") || strings.Contains(page, "an operation") {
				t.Errorf("%s for %s does not say it, or says why", path, who)
			}
		}
	}
	away, err := n.ada().Away(ctx, q.ID)
	if err != nil || len(away) != 1 || away[0].Person != rex || away[0].Until.Add(-time.Second).Format(time.DateOnly) != last.Format(time.DateOnly) {
		t.Errorf("%+v, %v", away, err)
	}
	if _, err := n.ada().Away(ctx, "req-99"); problemOf(t, err).Type != "/problems/no-such-request" {
		t.Errorf("no request: %v", err)
	}
	now, err := n.rex().Request(ctx, q.ID)
	if err != nil || now.ETag != q.ETag {
		t.Errorf("the request has the tag %s, and had %s, %v", now.ETag, q.ETag, err)
	}
	events, err := n.ops().FindEvents(ctx, client.EventFilter{Kinds: []string{"delegation.away", "delegation.made"}})
	if err != nil || len(events) != 1 || events[0].Subject != rex || events[0].Detail["reason"] != "an operation" {
		t.Errorf("%+v, %v", events, err)
	}
	all, err := n.rex().Delegations(ctx, "")
	if err != nil || len(all) != 1 || all[0].To != "" || !all[0].Holds {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := n.rex().EndDelegation(ctx, "", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if away, err := n.ada().Away(ctx, q.ID); err != nil || len(away) != 0 {
		t.Errorf("back again: %+v, %v", away, err)
	}
	if _, err := n.rex().Delegate(ctx, client.NewDelegation{Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if q, err = n.rex().Decide(ctx, q.ID, true, "fine"); err != nil || q.Status != "approved" || q.Decision.For != "" {
		t.Errorf("who is away decides: %+v, %v", q, err)
	}
	if away, err := n.ada().Away(ctx, q.ID); err != nil || len(away) != 0 {
		t.Errorf("of what is decided: %+v, %v", away, err)
	}
	_, err = n.ada().Delegate(ctx, client.NewDelegation{Until: time.Now().Add(time.Hour)})
	if p := problemOf(t, err); p.Type != "/problems/forbidden" {
		t.Errorf("who reviews nothing: %+v", p)
	}
}
