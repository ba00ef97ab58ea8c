package node_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// staged is a node whose production tier takes the votes of two people, one of them for security.
func staged(t *testing.T) *testNode {
	rules, err := start(t).ada().Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two := strings.Replace(rules["data.json"], `"stages": {}`, `"stages": {"production": [{"concern": "security", "need": 1}, {"need": 1}]}`, 1)
	return start(t, func(o *node.Options) { o.PolicyDir = writeRules(t, two) })
}

// TestTwoReviewers: two people decide about one promotion, one at the console and one by the API; a
// double click and a replay change nothing, and what they write is shown as text.
func TestTwoReviewers(t *testing.T) {
	n := staged(t)
	maker, ctx := n.ada(), t.Context()
	n.publish(maker, manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := maker.Promote(ctx, "shop", 1, abi.TierProduction, "ready")
	if err != nil || q.Status != "open" || q.Turn != "reviewers" || len(q.Progress) != 2 || !q.Progress[0].Open || !q.Progress[1].Open {
		t.Fatalf("%+v, %v", q, err)
	}
	if _, err := n.ops().PutUser(ctx, "sec@example.com", []string{"reviewer/security"}, false); err != nil {
		t.Fatal(err)
	}
	sec := browsing{n, n.session("sec@example.com")}
	page := sec.page("/requests")
	if !strings.Contains(page, "0 of 1") || !strings.Contains(page, "security") {
		t.Errorf("the page does not say whose votes it takes: %s", page)
	}
	form := sec.form(page, "/requests/"+q.ID+"/decision", "verdict", "approve")
	form.fields.Set("reason", `<script>alert("x")</script>`)
	if got := sec.send(form); got.Status != http.StatusSeeOther || !strings.Contains(got.Header.Get("Location"), "done=voted") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := sec.send(form); got.Status != http.StatusConflict && got.Status != http.StatusPreconditionFailed {
		t.Errorf("the form sent twice: %d", got.Status)
	}
	_, err = n.as("sec@example.com").Decide(ctx, q.ID, true, "again")
	if p := problemOf(t, err); p.Type != "/problems/already-voted" || p.Status != http.StatusConflict {
		t.Errorf("voting again: %+v", p)
	}
	page = sec.page("/requests")
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "You have approved it. It waits for one reviewer of anything, other than you.") || strings.Contains(page, `value="approve"`) || !strings.Contains(page, `value="reject"`) {
		t.Errorf("after the vote: %s", page)
	}
	if app, err := maker.App(ctx, "shop"); err != nil || app.Active[abi.TierProduction] != 0 {
		t.Fatalf("one of two: %+v, %v", app.Active, err)
	}
	_, err = maker.Decide(ctx, q.ID, true, "mine")
	if p := problemOf(t, err); p.Status != http.StatusForbidden {
		t.Errorf("the maker decides: %+v", p)
	}
	n.as("both@example.com", access.RoleDeveloper, access.RoleReviewer)
	if q, err = n.as("both@example.com").Decide(ctx, q.ID, true, "fine"); err != nil || q.Status != "approved" || len(q.Votes) != 2 || q.Votes[0].Concern != "security" || q.Decision.By != "both@example.com" {
		t.Fatalf("%+v, %v", q, err)
	}
	if app, err := maker.App(ctx, "shop"); err != nil || app.Active[abi.TierProduction] != 1 {
		t.Errorf("both: %+v, %v", app.Active, err)
	}
	events, err := n.ops().Events(ctx, 0, 1000)
	var kinds []string
	for _, e := range events {
		if strings.HasPrefix(e.Kind, "request.") {
			kinds = append(kinds, e.Kind)
		}
	}
	if err != nil || !slices.Equal(kinds, []string{"request.opened", "request.voted", "request.approved"}) {
		t.Errorf("%v, %v", kinds, err)
	}
}

// TestRejectionSaysWhatWouldPass on the pages of whoever asked.
func TestRejectionSaysWhatWouldPass(t *testing.T) {
	n := staged(t)
	ctx := t.Context()
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := n.ada().Promote(ctx, "shop", 1, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.rex().Vote(ctx, q.ID, client.Verdict{Remedy: "less"})
	if p := problemOf(t, err); p.Type != "/problems/reason-missing" {
		t.Errorf("without a reason: %+v", p)
	}
	_, err = n.rex().Vote(ctx, q.ID, client.Verdict{Reason: "no\r\nX-Header: \x00"})
	if p := problemOf(t, err); p.Type != "/problems/bad-text" {
		t.Errorf("a reason that is no text: %+v", p)
	}
	finance := "finance"
	_, err = n.rex().Vote(ctx, q.ID, client.Verdict{Approve: true, Concern: &finance})
	if p := problemOf(t, err); p.Type != "/problems/no-vote" || !strings.Contains(p.Detail, "waits for one reviewer of security and one reviewer of anything") {
		t.Errorf("a stage that it has not: %+v", p)
	}
	if q, err = n.rex().Vote(ctx, q.ID, client.Verdict{Reason: "too much fuel", Remedy: "half of it"}); err != nil || q.Status != "rejected" || q.Turn != "" {
		t.Fatalf("%+v, %v", q, err)
	}
	if page := (browsing{n, n.session(ada)}).page("/requests?status=rejected"); !strings.Contains(page, "Would pass: <em>half of it</em>") {
		t.Error(page)
	}
}
