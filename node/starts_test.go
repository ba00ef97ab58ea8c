package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestStartsAtItsTime: a promotion that a reviewer approved for a later time is not at the gateway before it and is
// from then on, by itself; one whose time comes while no node runs starts with the next node on the same data.
func TestStartsAtItsTime(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	n := startIn(t, dir, c.set)
	ctx := t.Context()
	shop := manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\"")
	p := n.publish(n.ada(), shop, says("one"))
	n.publish(n.ada(), shop, says("two"))
	maker := n.ada()
	pilot := func() int { return must(maker.App(ctx, "shop"))(t).Active[abi.TierPilot] }
	served := func(want string) bool {
		got := n.get(strings.Replace(p.URL, "//", "//pilot--", 1))
		return got.Status == 200 && got.Body == want
	}
	schedule := func(release int, after time.Duration) client.Request {
		t.Helper()
		q := must(n.ada().Promote(ctx, "shop", release, abi.TierPilot, "ready"))(t)
		starts := c.now().Add(after)
		q = must(n.rex().Vote(ctx, q.ID, client.Verdict{Approve: true, Reason: "fine", Starts: starts}))(t)
		if q.Status != "scheduled" || !q.Starts.Equal(starts) || !q.Started.IsZero() {
			t.Fatalf("%+v", q)
		}
		return q
	}
	first := schedule(1, 700*time.Millisecond)
	for before := true; before; time.Sleep(5 * time.Millisecond) {
		early := pilot() != 0 || served("one")
		if before = c.now().Before(first.Starts); before && early {
			t.Fatal("it serves before its time")
		}
	}
	n.eventually("it starts", func() bool { return served("one") })
	if q := must(n.ada().Request(ctx, first.ID))(t); q.Status != "approved" || q.Started.Before(first.Starts) || pilot() != 1 {
		t.Errorf("%+v", q)
	}
	n.isTold(ada, "request.scheduled")
	if told := n.isTold(ada, "request.started"); !strings.Contains(told.Text, "release 1 serves pilot") {
		t.Errorf("%+v", told)
	}

	gone, second := schedule(2, time.Hour), schedule(2, 2*time.Hour)
	if _, err := n.bob().WithdrawBecause(ctx, gone.ID, "no"); problemOf(t, err).Status != 403 {
		t.Errorf("another developer takes it back: %v", err)
	}
	if _, err := n.ops().Withdraw(ctx, gone.ID); problemOf(t, err).Type != "/problems/reason-missing" {
		t.Errorf("an operator without a reason: %v", err)
	}
	must(n.ops().WithdrawBecause(ctx, gone.ID, "not that day"))(t)
	if list := must(n.ada().FindRequests(ctx, client.RequestFilter{Status: "scheduled"}))(t); len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("scheduled are %+v", list)
	}
	n.stop()
	c.shift.Add(int64(3 * time.Hour))
	n = startIn(t, dir, c.set)
	maker = n.ada()
	n.eventually("what was due starts with the next node", func() bool { return pilot() == 2 })
	if q := must(n.ada().Request(ctx, gone.ID))(t); q.Status != "withdrawn" || q.Decision.Reason != "not that day" {
		t.Errorf("what was taken back: %+v", q)
	}
}
