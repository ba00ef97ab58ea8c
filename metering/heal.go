package metering

import (
	"context"
	"errors"
	"fmt"
)

// failed notes that an epoch's journal took a record not, or not for certain. If
// it is the one that is written, nothing is metered until Heal.
func (m *Meter) failed(e *epoch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if e != nil && e.journal != nil {
		err = e.journal.Err()
	}
	if err == nil || m.closed {
		return // the record was at fault, not the journal
	}
	e.broken = true
	if e == m.current && m.down.Load() == nil {
		m.down.Store(&failure{since: m.o.Now(), err: err})
		m.log.Error("usage cannot be journaled: apps are not served until it can", "journal", e.name, "err", err)
	}
}

// Heal begins a new journal after one that failed. The old one is not synced
// again: what it holds is read from the disk at the next flush. It fails as long
// as the disk does.
func (m *Meter) Heal(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	f := m.down.Load()
	if f == nil {
		return nil
	}
	_ = m.current.journal.Abandon() // only whoever holds flushing replaces it
	next, err := m.beginEpoch(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("usage cannot be journaled yet: %w", err), f.err)
	}
	m.locked(func() {
		m.earlier = append(m.earlier, m.current)
		m.use(next)
		m.down.Store(nil)
	})
	m.log.Info("usage is journaled again: apps are served", "after", m.o.Now().Sub(f.since).String())
	return nil
}
