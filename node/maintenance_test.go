package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestMaintenance: an app in maintenance serves, a promotion of it says what it mends, everybody sees what
// follows it, and its owners are told once when its end has come.
func TestMaintenance(t *testing.T) {
	ctx := t.Context()
	clock := newFrozen()
	n := start(t, func(o *node.Options) { o.Now = clock.Now })
	n.publish(n.ada(), manifest("store"), says("new"))
	p := n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("old"))
	ended := clock.Now().Add(30 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)

	_, err := n.bob().Maintain(ctx, "shop", ended, "", "I would")
	refusedAs(t, "a stranger", "not-owner", "", err)
	_, err = n.ada().Maintain(ctx, "shop", clock.Now().Add(-48*time.Hour), "", "")
	refusedAs(t, "an end that is over", "maintenance-invalid", "", err)
	_, err = n.ada().Maintain(ctx, "shop", ended, "shop", "")
	refusedAs(t, "its own successor", "maintenance-invalid", "", err)
	_, err = n.ada().Maintain(ctx, "shop", ended, "nothing", "")
	refusedAs(t, "a successor that is not there", "no-such-app", "", err)
	_, err = n.ops().Maintain(ctx, "shop", ended, "", "")
	refusedAs(t, "an operator without a reason", "reason-missing", "", err)
	_, err = n.ada().EndMaintenance(ctx, "shop", "")
	refusedAs(t, "end what did not begin", "app-state", "", err)

	app := must(n.ada().Maintain(ctx, "shop", ended, "store", "the store replaces it"))(t)
	if app.State != "maintenance" || app.Maintenance.Successor != "store" || !app.Maintenance.Until.Equal(ended) {
		t.Errorf("in maintenance: %+v", app)
	}
	if got := n.get(p.URL); got.Status != 200 || got.Body != "old" {
		t.Errorf("it serves: %+v", got)
	}
	guest := must(n.as("eve@example.com").App(ctx, "shop"))(t)
	if guest.State != "maintenance" || guest.Maintenance == nil || guest.Maintenance.Successor != "store" || guest.Maintenance.Reason != "" || guest.Maintenance.By != "" {
		t.Errorf("who has no role sees %+v", guest.Maintenance)
	}
	_, err = n.ada().Promote(ctx, "shop", 1, abi.TierPilot, " ")
	refusedAs(t, "a promotion that mends nothing", "reason-missing", "", err)
	must(n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "mends the sums"))(t)

	tell := func(ctx context.Context) {
		t.Helper()
		if err := n.Lifecycle.TellEnds(ctx); err != nil {
			t.Fatal(err)
		}
	}
	tell(ctx)
	clock.pass(31 * 24 * time.Hour)
	for range 2 {
		tell(ctx)
	}
	n.isTold(ada, "app.maintenance_over")
	events := must(n.ops().FindEvents(ctx, client.EventFilter{App: "shop", Kinds: []string{"app.maintenance_over"}}))(t)
	if len(events) != 1 || events[0].Detail["successor"] != "store" {
		t.Errorf("told %d times: %+v", len(events), events)
	}
	if got := n.get(p.URL); got.Status != 200 {
		t.Errorf("it stopped by itself: %+v", got)
	}
	if app := must(n.ada().EndMaintenance(ctx, "shop", ""))(t); app.State != "active" || app.Maintenance != nil {
		t.Errorf("ended: %+v", app)
	}
}
