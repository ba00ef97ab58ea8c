package node

import (
	"context"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/node/internal/telemetry"
	"github.com/agora-host/agora/state"
)

// openFollowers begins to follow the feed. What is read from the store afterwards misses no change.
func (n *Node) openFollowers(ctx context.Context) (err error) {
	n.followers, err = state.NewFollowers(ctx, n.store, n.log, n.watch, func() {
		if n.Host != nil {
			n.Host.Distrust()
		}
	})
	return err
}

// followDeletions has the keeper look for apps to remove when one is to be deleted.
func followDeletions(keeper *apps.Keeper) state.Apply {
	return func(_ context.Context, events []abi.Event) error {
		for _, e := range events {
			if e.Kind == "app.deleted" {
				keeper.RemoveSoon()
			}
		}
		return nil
	}
}

// measureFollowers writes how far the effects of changes are behind the changes.
func measureFollowers(p *telemetry.Page, all []state.Following, last abi.Rev) {
	p.Family("agora_follower_behind", telemetry.Gauge, "changes of state whose effects of a kind have not happened yet at this node")
	for _, f := range all {
		p.Sample(float64(last-min(f.Rev, last)), "follower", f.Name)
	}
	p.Family("agora_follower_failures_total", telemetry.Counter, "tries to have the effects of changes that failed, and were or will be made again")
	for _, f := range all {
		p.Sample(float64(f.Failures), "follower", f.Name)
	}
}

// checkFollowers returns the doctor's line about the effects of changes. A follower that fails is tried
// again with the same events until it succeeds, so that what hangs on it waits.
func checkFollowers(all []state.Following) (checks []control.Check) {
	for _, f := range all {
		if f.Err != nil {
			checks = append(checks, control.Check{
				Name:   "follower " + f.Name,
				Detail: fmt.Sprintf("since %s the effects of changes after revision %d have not happened at this node: %v", f.Failing.UTC().Format(time.RFC3339), f.Rev, f.Err),
				Remedy: abi.Remedy{Summary: "They are tried again every half minute or sooner. If the error does not say what to mend, restart the node, and report what its log says."},
			})
		}
	}
	if checks == nil {
		checks = append(checks, control.Check{Name: "followers", OK: true, Detail: fmt.Sprintf("all %d have had the effects of the changes of state that they have seen", len(all))})
	}
	return checks
}
