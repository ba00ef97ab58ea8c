package node_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestAskForChanges: a reviewer asks for changes at the console, the requester reads it in the inbox and on the
// request, answers, and it is the reviewers' turn; what both write is shown as text, and every refusal says what
// to do.
func TestAskForChanges(t *testing.T) {
	n := start(t)
	maker, ctx := n.ada(), t.Context()
	n.publish(maker, manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := maker.Promote(ctx, "shop", 1, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	n.rex()
	reviewer, owner := browsing{n, n.session(rex)}, browsing{n, n.session(ada)}
	_, err = maker.Changed(ctx, q.ID, "")
	if p := problemOf(t, err); p.Type != "/problems/no-changes-asked" || p.Status != http.StatusConflict {
		t.Errorf("an answer to nothing: %+v", p)
	}
	_, err = maker.AskChanges(ctx, q.ID, "", "mine")
	if p := problemOf(t, err); p.Status != http.StatusForbidden {
		t.Errorf("the maker asks: %+v", p)
	}
	_, err = n.rex().AskChanges(ctx, q.ID, "sha256:00", "another")
	if p := problemOf(t, err); p.Type != "/problems/request-changed" {
		t.Errorf("about another module: %+v", p)
	}
	form := reviewer.form(reviewer.page("/requests?mine=true"), "/requests/"+q.ID+"/ask-changes")
	form.fields.Set("reason", "<script>alert(1)</script>\r\n=cmd()")
	if got := reviewer.send(form); got.Status != http.StatusSeeOther || !strings.Contains(got.Header.Get("Location"), "done=changes#"+q.ID) {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := reviewer.send(form); got.Status != http.StatusConflict && got.Status != http.StatusPreconditionFailed {
		t.Errorf("the form sent twice: %d", got.Status)
	}
	told := n.isTold(ada, "request.changes_asked")
	if !strings.Contains(told.Text, "asks for changes of "+q.ID) || !strings.Contains(told.Todo, "Your turn") || strings.Contains(told.Text, "\n") {
		t.Errorf("%+v", told)
	}
	if list, err := n.rex().FindRequests(ctx, client.RequestFilter{Mine: true}); err != nil || len(list) != 0 {
		t.Errorf("it is not the reviewer's turn: %+v, %v", list, err)
	}
	if list, err := maker.FindRequests(ctx, client.RequestFilter{Mine: true, Turn: "requester"}); err != nil || len(list) != 1 || list[0].Turn != "requester" {
		t.Errorf("it is the maker's: %+v, %v", list, err)
	}
	n.as("both@example.com", access.RoleDeveloper, access.RoleReviewer)
	_, err = n.as("both@example.com").Decide(ctx, q.ID, true, "fine")
	if p := problemOf(t, err); p.Type != "/problems/requesters-turn" || !strings.Contains(p.Detail, rex+" asked for changes") {
		t.Errorf("another approves: %+v", p)
	}
	if page := (browsing{n, n.session("both@example.com")}).page("/requests"); strings.Contains(page, `value="approve"`) || !strings.Contains(page, `value="reject"`) || !strings.Contains(page, "It waits for "+ada) {
		t.Errorf("another reviewer's page: %s", page)
	}
	page := owner.page("/requests?mine=true")
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") || !strings.Contains(page, "Your turn.") || !strings.Contains(page, `badge" title="your turn">1<`) {
		t.Errorf("the maker's page: %s", page)
	}
	answer := owner.form(page, "/requests/"+q.ID+"/comments")
	answer.fields.Set("text", "Half of it <b>now</b>")
	for range 2 { // a double click
		if got := owner.send(answer); got.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	q, err = n.rex().Request(ctx, q.ID)
	if err != nil || q.Turn != "reviewers" || len(q.Thread) != 2 || q.Thread[0].Kind != "changes" || q.Thread[1].Kind != "answer" || q.Thread[1].By != ada {
		t.Fatalf("%+v, %v", q, err)
	}
	if told := n.isTold(rex, "request.answered"); !strings.Contains(told.Todo, "Your turn again") {
		t.Errorf("%+v", told)
	}
	_, err = n.rex().Comment(ctx, q.ID, " ")
	if p := problemOf(t, err); p.Type != "/problems/no-comment" {
		t.Errorf("nothing: %+v", p)
	}
	_, err = n.as("view@example.com", access.RoleViewer).Comment(ctx, q.ID, "me, too")
	if p := problemOf(t, err); p.Type != "/problems/forbidden" {
		t.Errorf("a viewer whom it does not concern: %+v", p)
	}
	if q, err = n.rex().Decide(ctx, q.ID, true, "fine"); err != nil || q.Status != "approved" || q.Turn != "" {
		t.Errorf("%+v, %v", q, err)
	}
}
