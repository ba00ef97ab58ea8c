package node_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestBriefing: a reviewer reads on one page what a release is, for whom, what is new, what it touched and what
// the rules advise, and the API and the console say the same.
func TestBriefing(t *testing.T) {
	n, ctx := start(t), t.Context()
	maker, rex := n.ada(), n.rex()
	const described = "title = \"Keeps\"\ndescription = \"Keeps things.\"\nexpected_users = 40\n"
	n.decide(n.publish(maker, manifest("briefed", described+kvAsk), keeps(31)))
	codes := func(b client.Briefing) (all []string) {
		for _, a := range b.Advice {
			all = append(all, a.Code)
		}
		return all
	}
	read := func(release int) client.Briefing {
		t.Helper()
		b, err := rex.Briefing(ctx, "briefed", release)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := maker.Promote(ctx, "briefed", 1, abi.TierPilot, "ready"); err != nil {
		t.Fatal(err)
	}
	b := read(1)
	if b.Tier != abi.TierPilot || len(b.Requests) != 1 || b.Recommends != "look" || b.Measured.Calls != 0 || len(b.Audiences) != 2 {
		t.Errorf("%+v", b)
	}
	for _, want := range []string{"advice.unmeasured", "advice.first"} {
		if !slices.Contains(codes(b), want) {
			t.Errorf("no %s in %+v", want, b.Advice)
		}
	}
	if want := "Keeps, of ada@example.com, works with internal data. In the pilot tier it is for everybody, without a sign-in; 40 people are expected. No release of it was asked about before: all of it is new."; b.Summary != want {
		t.Errorf("%q, want %q", b.Summary, want)
	}
	q := b.Requests[0]
	if _, err := rex.Decide(ctx, q.ID, true, ""); err != nil {
		t.Fatal(err)
	}

	// A later release that asks for more: what is wider is named, and what was measured counts.
	n.publish(maker, manifest("briefed", described+strings.Replace(kvAsk, "100", "200", 1)), keeps(31))
	if got := n.do(http.MethodGet, n.AppURL("briefed")+"/", ""); got.Status >= 500 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	b = read(2)
	if i := slices.IndexFunc(b.Changes, func(c client.Change) bool { return c.Path == "capabilities.kv.quota" }); i < 0 || b.Changes[i].Effect != "wider" {
		t.Errorf("%+v", b.Changes)
	}
	if !strings.Contains(b.Summary, "It may do more than release 1, in one value.") || !slices.Contains(codes(b), "advice.wider") || b.Since != 1 {
		t.Errorf("%q %+v", b.Summary, b.Advice)
	}
	if i := slices.IndexFunc(b.Access, func(s client.CapabilityState) bool { return s.Name == "kv" }); i < 0 || !b.Access[i].Declared || !b.Access[i].Imported {
		t.Errorf("%+v", b.Access)
	}
	me := browsing{n, n.session("sue@example.com", "reviewer")}
	page := me.page("/requests?app=briefed&release=2")
	for _, want := range []string{b.Summary, "The rules advise to look closer", "It may do more than release 1, which was approved: capabilities.kv.quota.", `<span class="chip review">more</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q: %s", want, page)
		}
	}
	// Of another's app, a developer reads the requests, and not what is inside.
	if _, err := n.as("cyd@example.com", "developer").Briefing(ctx, "briefed", 2); err == nil || problemOf(t, err).Status != http.StatusForbidden {
		t.Errorf("another developer: %v", err)
	}
	other := browsing{n, n.session("cyd@example.com", "developer")}
	if page := other.page("/requests?app=briefed&release=2"); strings.Contains(page, "The rules advise") {
		t.Errorf("another developer is briefed: %s", page)
	}
	if _, err := rex.Briefing(ctx, "briefed", 9); err == nil || problemOf(t, err).Status != http.StatusNotFound {
		t.Errorf("no such release: %v", err)
	}
}
