package triggerstest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/agora-host/agora/triggers"
)

// Memory keeps everything in maps. What survives of it is what was committed.
type Memory struct {
	mu         sync.Mutex // guards all below
	deliveries map[uint64]triggers.Delivery
	statuses   map[triggers.Ref]triggers.Status
	seen       map[string]triggers.Seen
}

var _ triggers.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{deliveries: map[uint64]triggers.Delivery{}, statuses: map[triggers.Ref]triggers.Status{}, seen: map[string]triggers.Seen{}}
}

// Load reads everything.
func (m *Memory) Load(context.Context) (s triggers.Stored, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(m.deliveries)) {
		v := m.deliveries[seq]
		s.Sizes = append(s.Sizes, v.Size())
		v.Header, v.Body = nil, nil
		s.Deliveries = append(s.Deliveries, v)
	}
	s.Statuses = slices.Collect(maps.Values(m.statuses))
	s.Seen = slices.Collect(maps.Values(m.seen))
	return s, nil
}

// Delivery reads one.
func (m *Memory) Delivery(_ context.Context, seq uint64) (triggers.Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.deliveries[seq]
	if !ok {
		return v, triggers.ErrNotFound
	}
	return v, nil
}

// Commit makes all changes.
func (m *Memory) Commit(_ context.Context, c triggers.Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range c.Put {
		m.deliveries[v.Seq] = v
	}
	for _, seq := range c.Delete {
		delete(m.deliveries, seq)
	}
	for _, s := range c.Status {
		if m.statuses[s.Ref].Version <= s.Version {
			m.statuses[s.Ref] = s
		}
	}
	for _, s := range c.See {
		m.seen[s.App+"\x00"+s.Key] = s
	}
	for _, s := range c.Forget {
		delete(m.seen, s.App+"\x00"+s.Key)
	}
	for _, r := range c.Drop {
		delete(m.statuses, r)
	}
	return nil
}
