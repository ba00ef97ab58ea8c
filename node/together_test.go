package node_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestReleaseIsDecided: what one release asks for stands under one heading, with one form for all of it and
// one for each part; the form of before another's decision does nothing, and the API says the same.
func TestReleaseIsDecided(t *testing.T) {
	n, ctx := start(t), t.Context()
	const described = "title = \"Keeps\"\ndescription = \"Keeps things.\"\n"
	maker, rex := n.ada(), n.rex()
	first := n.publish(maker, manifest("asks", described+kvAsk), keeps(21)).Requests[0].ID
	second, err := maker.Promote(ctx, "asks", 1, abi.TierPilot, "ready")
	if err != nil {
		t.Fatal(err)
	}
	me := browsing{n, n.session("sue@example.com", "reviewer")}
	const together, apart = "/apps/asks/releases/1/decision", `action="/requests/`
	for _, path := range []string{"/requests", "/requests?app=asks&release=1"} {
		page := me.page(path)
		if !strings.Contains(page, "asks release 1</a> asks for 2 things") || strings.Count(page, `action="`+together+`"`) != 2 || !strings.Contains(page, apart+first+`/decision"`) || !strings.Contains(page, apart+second.ID+`/decision"`) {
			t.Fatalf("%s: %s", path, page)
		}
	}
	page := me.page("/requests")
	if !strings.Contains(page, "<em>Keeps things.</em> It works with internal data. No release of it was asked about before: all of it is new.") {
		t.Errorf("what the app is: %s", page)
	}
	old := me.form(page, together, "verdict", "reject")
	old.fields.Set("reason", "no")

	// Part of it is decided by itself meanwhile.
	if _, err := rex.Comment(ctx, second.ID, "What for?"); err != nil {
		t.Fatal(err)
	}
	if got := me.send(old); got.Status != http.StatusConflict || !strings.Contains(got.Body, "look at it again") {
		t.Errorf("a form of before a comment: %d %s", got.Status, got.Body)
	}
	none := me.form(me.page("/requests"), together, "verdict", "approve")
	none.fields.Del("part")
	if got := me.send(none); got.Status != http.StatusBadRequest {
		t.Errorf("a form without parts: %d", got.Status)
	}
	for _, id := range []string{first, second.ID} {
		if q, err := rex.Request(ctx, id); err != nil || q.Status != "open" {
			t.Fatalf("%+v, %v", q, err)
		}
	}
	// The maker decides nothing of it, and is shown no form that would.
	own := browsing{n, n.session(ada, "developer", "reviewer")}
	if page := own.page("/requests"); strings.Contains(page, together) {
		t.Errorf("the owner is offered a decision: %s", page)
	}
	form := me.form(me.page("/requests"), together, "verdict", "approve")
	if got := me.send(form); got.Status != http.StatusSeeOther || !strings.Contains(got.Header.Get("Location"), "done=approved") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := me.send(form); got.Status != http.StatusConflict {
		t.Errorf("a double click: %d", got.Status)
	}
	app, err := maker.App(ctx, "asks")
	if err != nil || app.Active[abi.TierSandbox] != 1 || app.Active[abi.TierPilot] != 1 {
		t.Errorf("%v, %v", app.Active, err)
	}
	_, err = rex.DecideRelease(ctx, "asks", 1, client.ReleaseVerdict{Verdict: client.Verdict{Approve: true}})
	if p := problemOf(t, err); p.Type != "/problems/already-decided" || !strings.Contains(p.Detail, "nothing that release 1") {
		t.Errorf("%+v", p)
	}
	// A later release is told by what differs.
	n.publish(maker, manifest("asks", strings.Replace(described, "title", "start_once = true\ntitle", 1)+strings.Replace(kvAsk, "100", "200", 1)), keeps(21))
	if _, err := maker.Promote(ctx, "asks", 2, abi.TierPilot, "ready"); err != nil {
		t.Fatal(err)
	}
	if _, err := maker.Promote(ctx, "asks", 2, abi.TierProduction, "ready"); err != nil {
		t.Fatal(err)
	}
	if page := me.page("/requests"); !strings.Contains(page, "Since release 1 these differ: what it asks for of kv; other values of the manifest.") {
		t.Errorf("what is new: %s", page)
	}
	// By the API, each part with its own verdict.
	third := n.publish(maker, manifest("more", described+kvAsk), keeps(22)).Requests[0].ID
	fourth, err := maker.Promote(ctx, "more", 1, abi.TierPilot, "ready")
	if err != nil {
		t.Fatal(err)
	}
	no := false
	done, err := rex.DecideRelease(ctx, "more", 1, client.ReleaseVerdict{Verdict: client.Verdict{Approve: true}, Parts: []client.PartVerdict{
		{ID: third}, {ID: fourth.ID, Approve: &no, Reason: "not yet", Remedy: "a month in the sandbox"},
	}})
	if err != nil || len(done) != 2 || done[0].Status != "approved" || done[1].Status != "rejected" || done[1].Decision.Remedy != "a month in the sandbox" {
		t.Errorf("%+v, %v", done, err)
	}
	if app, err := maker.App(ctx, "more"); err != nil || app.Active[abi.TierSandbox] != 1 || app.Active[abi.TierPilot] != 0 {
		t.Errorf("%v, %v", app.Active, err)
	}
}
