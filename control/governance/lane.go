package governance

import (
	"slices"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// closeLane has the rules alone not allow an app a capability any more: it comes back by a reviewer's
// decision.
func closeLane(tx state.Tx, name string, c registry.Closure) error {
	app, err := tx.App(name)
	if err != nil || slices.Contains(app.Closed, c) {
		return err
	}
	app.Closed = append(slices.Clone(app.Closed), c)
	return tx.PutApp(app)
}

// settleLane does to what the rules allow an app what follows from a decision: the bytes that a reviewer
// refused a capability do not have it by the rules either, which older releases keep; and what a
// reviewer approved was not taken from the app any more.
func settleLane(tx state.Tx, q approvals.Request) error {
	if q.Status == approvals.StatusRejected && q.Kind == approvals.KindGrant {
		return closeLane(tx, q.App, registry.Closure{Capability: q.Capability, Digest: registry.Digest(q.Digest), Since: q.Release})
	}
	if q.Status != approvals.StatusApproved || (q.Kind != approvals.KindGrant && q.Kind != approvals.KindPromotion) {
		return nil
	}
	app, err := tx.App(q.App)
	if err != nil || len(app.Closed) == 0 {
		return err
	}
	granted := q.Grants()
	app.Closed = slices.DeleteFunc(slices.Clone(app.Closed), func(c registry.Closure) bool {
		return slices.Contains(granted, c.Capability) && (c.Digest == "" || string(c.Digest) == q.Digest)
	})
	return tx.PutApp(app)
}
