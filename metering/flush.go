package metering

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/internal/failpoint"
)

// Flush brings all counts to the store, and seals the hours that are over. A
// flush that is repeated, or whose outcome is lost, changes nothing.
func (m *Meter) Flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	return m.flush(ctx)
}

// flush is Flush for whoever holds flushing.
func (m *Meter) flush(ctx context.Context) error {
	rotated := m.rotate(ctx)
	var all []*epoch
	floor := m.writer.open()
	m.writer.locked(func() { all = m.writer.all() })
	for _, e := range all {
		if err := m.flushEpoch(ctx, e, floor); err != nil {
			return errors.Join(rotated, err)
		}
	}
	return errors.Join(rotated, m.seal(ctx, floor), m.archive.forgetOld())
}

// flushEpoch brings what is new in an epoch to the store; all of it, and for
// good, if it is complete.
func (m *Meter) flushEpoch(ctx context.Context, e *epoch, floor time.Time) error {
	now := m.writer.stateOf(e, floor)
	switch {
	case now.complete:
		if err := m.retire(ctx, e); err != nil {
			return err
		}
		m.writer.retired(e)
		return nil
	case now.broken, len(now.changed) == 0 && now.until.Equal(e.until):
		return nil
	}
	// What is in the store must be in the journal, whatever happens next.
	if err := e.journal.Sync(); err != nil {
		m.writer.failed(e)
		return fmt.Errorf("sync the journal: %w", err)
	}
	failpoint.Hit("meter-before-merge")
	if err := m.o.Store.Merge(ctx, Flush{Node: e.node, Epoch: e.number, Cells: now.changed, Until: now.until}); err != nil {
		return fmt.Errorf("store the usage of epoch %d: %w", e.number, err)
	}
	failpoint.Hit("meter-merged")
	m.writer.flushed(e, now)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rotate begins a new epoch when the journal has grown large, or the wall clock
// was set.
func (m *Meter) rotate(ctx context.Context) error {
	skew, jumped, due := m.writer.due(m.o.JournalSize)
	if !due {
		return nil
	}
	next, err := m.beginEpoch(ctx)
	if err != nil {
		return err
	}
	m.writer.locked(func() {
		if jumped {
			m.log.Warn("the wall clock was set: usage goes by it from here on, and never into an hour that is closed", "by", skew)
			m.writer.clock = newClock(m.o.Now(), m.o.Elapsed)
		}
		m.writer.use(next)
	})
	return nil
}

// retire brings a complete epoch to the store for good and puts its journal away.
// Doing it again changes nothing.
func (m *Meter) retire(ctx context.Context, e *epoch) error {
	if err := m.complete(e); err != nil {
		return err
	}
	if err := m.settle(ctx, e); err != nil {
		return err
	}
	return m.archive.putAway(e)
}

// settle brings a complete epoch to the store for good.
func (m *Meter) settle(ctx context.Context, e *epoch) error {
	if e.merged {
		return nil
	}
	var all []Cell
	m.writer.locked(func() { all = e.cells.timed(e.cells.list(e.node, e.number, false)) })
	failpoint.Hit("meter-before-retire")
	if err := m.o.Store.Merge(ctx, Flush{Node: e.node, Epoch: e.number, Cells: all, Ended: true}); err != nil {
		return fmt.Errorf("store the usage of epoch %d: %w", e.number, err)
	}
	m.writer.locked(func() { e.merged = true })
	failpoint.Hit("meter-retired")
	return nil
}

// complete ends an epoch's journal. If that fails, or anything had before, it is
// read again: what is not on the disk was not used.
func (m *Meter) complete(e *epoch) error {
	if e.journal == nil {
		return nil
	}
	broken := e.broken || e.journal.Err() != nil
	if broken {
		_ = e.journal.Abandon()
	} else {
		broken = e.journal.Close() != nil
	}
	if broken {
		r, err := m.archive.read(e.name)
		if err != nil {
			return fmt.Errorf("read the journal %s again: %w", e.name, err)
		}
		m.writer.locked(func() {
			if held := e.cells.total(); !held.Equal(r.cells.total()) {
				m.log.Error("a journal that could not be written holds something else than was counted", "journal", e.name, "counted", held.Calls, "found", r.cells.total().Calls)
			}
			for k, c := range r.cells.m {
				if was := e.cells.m[k]; was != nil {
					c.stored = was.stored
				}
			}
			e.cells, e.damage, e.last = r.cells, r.tail.Damaged, r.last
		})
	}
	m.writer.locked(func() { e.journal = nil })
	return nil
}

// seal seals the hours before until, as far as all epochs have closed them.
func (m *Meter) seal(ctx context.Context, until time.Time) error {
	if !m.sealed.Before(until) {
		return nil
	}
	sealed, err := m.o.Store.Seal(ctx, until)
	if err != nil {
		return fmt.Errorf("seal the hours before %s: %w", until.Format(time.RFC3339), err)
	}
	m.sealed = sealed
	return nil
}
