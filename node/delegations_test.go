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
