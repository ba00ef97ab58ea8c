package metering

import (
	"context"
	"errors"
	"fmt"
)

// Heal begins a new journal after one that failed. The old one is not synced
// again: what it holds is read from the disk at the next flush. It fails as long
// as the disk does.
func (m *Meter) Heal(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	f := m.writer.down.Load()
	if f == nil {
		return nil
	}
	_ = m.writer.current.journal.Abandon() // only whoever holds flushing replaces it
	next, err := m.beginEpoch(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("usage cannot be journaled yet: %w", err), f.err)
	}
	m.writer.locked(func() {
		m.writer.use(next)
		m.writer.down.Store(nil)
	})
	m.log.Info("usage is journaled again: apps are served", "after", m.o.Now().Sub(f.since).String())
	return nil
}
