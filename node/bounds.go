package node

import (
	"context"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/state"
)

// bounds have this node keep to the quotas of what apps do at once: how often they are called in a second, and
// what memory their calls hold. They are read again within a second of a change.
type bounds struct {
	desk   *control.Desk
	engine func() *engine.Engine
	calls  *rate.Table
	now    func() time.Time

	// The loop's alone.
	rev   abi.Rev   // at which they were read
	until time.Time // when they are others by themselves
	looks time.Time
}

const (
	boundsEvery = time.Second / 4
	boundsShare = 20 // reading them takes a twentieth of the time at most
)

// uses returns how much of a quota is used at this moment.
func (b *bounds) uses(m control.Measure, h control.Holder) int64 {
	switch m {
	case control.Calls:
		return b.calls.PerSecond(h.Per, h.Of)
	case control.Memory:
		return b.engine().MemoryOf(memory.Holder(h))
	}
	return 0
}

// keep reads the quotas, if they may have changed.
func (b *bounds) keep(ctx context.Context) error {
	b.calls.Sample()
	began := time.Now()
	if began.Before(b.looks) {
		return nil
	}
	rev, err := b.desk.Store.Rev(ctx)
	if err != nil || rev == b.rev && rev != 0 && (b.until.IsZero() || b.now().Before(b.until)) {
		return err
	}
	defer func() { b.looks = began.Add(boundsShare * time.Since(began)) }()
	return b.desk.View(ctx, func(tx state.Reader) error {
		found, err := b.desk.Bounds(tx)
		if err != nil {
			return err
		}
		limits := make(map[memory.Holder]memory.Limit, len(found.Memory))
		for h, l := range found.Memory {
			limits[memory.Holder(h)] = memory.Limit{Quota: l.Quota, Most: l.Left}
		}
		b.calls.Set(found.Calls)
		b.engine().BoundMemory(limits)
		b.rev, b.until = rev, found.Until
		return nil
	})
}
