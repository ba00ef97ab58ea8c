package host

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// holds are what lets calls that run use what a grant allows. Most calls look a grant up when they begin, and
// not again; a call that runs for minutes must not outlive the grant that it uses.
type holds struct{ byGrant sync.Map } // of *hold, by the grant's id

// hold is one grant's. Ids are never given again, so that what has ended stays so.
type hold struct {
	ended atomic.Bool // by a decision, or for want of use; when it expires the clock tells
}

func (h *holds) of(id string) *hold {
	found, ok := h.byGrant.Load(id)
	if !ok {
		found, _ = h.byGrant.LoadOrStore(id, &hold{})
	}
	return found.(*hold)
}

// follow ends what events say has ended.
func (h *holds) follow(_ context.Context, events []abi.Event) error {
	for _, e := range events {
		if e.Kind == "grant.revoked" || (e.Kind == "grant.ended" && e.Detail["cause"] == string(approvals.CauseUnused)) {
			h.of(e.Subject).ended.Store(true)
		}
	}
	return nil
}

// guard is a link of which every function asks whether its grant still allows it.
func (h *holds) guard(word string, g *approvals.Grant, link abi.Link, now func() time.Time) abi.Link {
	of, until := h.of(g.ID), g.Expires
	guarded := make(abi.Link, len(link))
	for name, call := range link {
		guarded[name] = func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			if of.ended.Load() || (!until.IsZero() && !now().Before(until)) {
				abi.Note(ctx, abi.Use{Capability: word, Meter: abi.MeterDenied, N: 1})
				return nil, abi.ErrnoDenied
			}
			return call(ctx, in)
		}
	}
	return guarded
}
