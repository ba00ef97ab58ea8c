package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/sdk/client"
)

// TestOverdue: those whose turn it is are told that their time is over, and no one else is; operators are told
// after the same time once more, and what its requester never answers is withdrawn.
func TestOverdue(t *testing.T) {
	n := start(t)
	maker, ctx := n.ada(), t.Context()
	var ran time.Duration
	clocks := governance.NewClocks(n.Governance, func() time.Duration { return ran })
	after := func(hours int) {
		t.Helper()
		for range 2 { // the first may find that the node itself has counted, and count from there
			ran += time.Duration(hours) * time.Hour / 2
			if err := clocks.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.publish(maker, manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	q, err := maker.Promote(ctx, "shop", 1, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	n.rex()
	n.ops()
	after(2)
	if q, err = n.rex().Request(ctx, q.ID); err != nil || q.Hours != 72 || q.Due.IsZero() || q.Told != 0 {
		t.Fatalf("%+v, %v", q, err)
	}
	after(72)
	if told := n.isTold(rex, "request.overdue"); !strings.Contains(told.Text, q.ID+" of shop waits for its reviewers, and the 72 hours for that are over") || !strings.Contains(told.Todo, "Your turn") {
		t.Errorf("%+v", told)
	}
	if page := (browsing{n, n.session(rex)}).page("/requests?overdue=true"); !strings.Contains(page, q.ID) || !strings.Contains(page, ">overdue</strong>: the reviewers had until") {
		t.Error(page)
	}
	if list, err := maker.FindRequests(ctx, client.RequestFilter{Overdue: true}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if q, err = n.rex().AskChanges(ctx, q.ID, "", "less"); err != nil || q.Told != 0 {
		t.Fatalf("%+v, %v", q, err)
	}
	if list, err := maker.FindRequests(ctx, client.RequestFilter{Overdue: true}); err != nil || len(list) != 0 {
		t.Errorf("the requester pays for the reviewers: %+v, %v", list, err)
	}
	after(2)
	after(168)
	n.isTold(ada, "request.overdue")
	after(168)
	n.isTold(ops, "request.escalated")
	after(720)
	if told := n.isTold(ada, "request.withdrawn"); !strings.Contains(told.Text, "nobody answered what was asked of it in 37 days") {
		t.Errorf("%+v", told)
	}
	if q, err = maker.Request(ctx, q.ID); err != nil || q.Status != "withdrawn" || q.Turn != "" || q.Decision == nil || q.Decision.By != "node" {
		t.Errorf("%+v, %v", q, err)
	}
	events, err := n.ops().Events(ctx, 0, 1000)
	var rings []string
	for _, e := range events {
		if slices.Contains([]string{"request.overdue", "request.escalated", "request.withdrawn"}, e.Kind) {
			rings = append(rings, e.Kind+" "+e.Detail["turn"])
		}
	}
	if want := []string{"request.overdue reviewers", "request.overdue requester", "request.escalated requester", "request.withdrawn "}; err != nil || !slices.Equal(rings, want) {
		t.Errorf("%q, %v", rings, err)
	}
	for who, times := range map[string]int{ada: 1, rex: 1, ops: 0} {
		if got := count(n.notices(who), "request.overdue"); got != times {
			t.Errorf("%s was told %d times, want %d", who, got, times)
		}
	}
}
