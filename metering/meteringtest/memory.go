package meteringtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/metering"
)

// Memory is a metering.Store in maps: the model that others are compared with.
// It can be made to fail. Safe for concurrent use.
type Memory struct {
	own         sync.Mutex
	shared      *sync.Mutex // of the Machine it belongs to
	epochs      map[epochID]metering.Epoch
	cells       map[cellID]held
	hours       map[metering.Key]metering.Usage
	adjustments map[adjustmentID]metering.Usage
	sealed      time.Time
	// Fail, if not nil, is asked before each change. When it returns an error and
	// true, the change happens all the same, as when a response is lost.
	Fail func() (err error, applied bool)
	// Additive is a defect: it adds what it should merge by maximum.
	Additive bool
}

type epochID struct {
	node   string
	number uint64
}

type cellID struct {
	epochID
	key metering.Key
}

type adjustmentID struct {
	posted time.Time
	cellID
}

// held is a cell, and what of it is in sealed rows and adjustments.
type held struct{ usage, owed metering.Usage }

func (m *Memory) lock() (unlock func()) {
	mu := &m.own
	if m.shared != nil {
		mu = m.shared
	}
	mu.Lock()
	return mu.Unlock
}

// copyFrom takes what another holds. Both are locked.
func (m *Memory) copyFrom(o *Memory) {
	m.epochs, m.cells, m.hours, m.adjustments = maps.Clone(o.epochs), maps.Clone(o.cells), maps.Clone(o.hours), maps.Clone(o.adjustments)
	m.sealed = o.sealed
}

// change runs apply under the lock, as Fail says.
func (m *Memory) change(apply func()) error {
	defer m.lock()()
	if m.cells == nil {
		m.epochs, m.cells = map[epochID]metering.Epoch{}, map[cellID]held{}
		m.hours, m.adjustments = map[metering.Key]metering.Usage{}, map[adjustmentID]metering.Usage{}
	}
	if m.Fail != nil {
		if err, applied := m.Fail(); err != nil {
			if applied {
				apply()
			}
			return err
		}
	}
	apply()
	return nil
}

// BeginEpoch implements metering.Store.
func (m *Memory) BeginEpoch(_ context.Context, node string, atLeast uint64) (n uint64, err error) {
	err = m.change(func() {
		n = max(1, atLeast)
		for id := range m.epochs {
			if id.node == node {
				n = max(n, id.number+1)
			}
		}
		m.epochs[epochID{node, n}] = metering.Epoch{Node: node, Number: n}
	})
	return n, err
}

// Merge implements metering.Store.
func (m *Memory) Merge(_ context.Context, f metering.Flush) error {
	return m.change(func() {
		id := epochID{f.Node, f.Epoch}
		e := m.epochs[id]
		e.Node, e.Number, e.Ended, e.Lost = f.Node, f.Epoch, e.Ended || f.Ended, e.Lost || f.Lost
		if f.Until.After(e.Until) {
			e.Until = f.Until.UTC()
		}
		m.epochs[id] = e
		for _, c := range f.Cells {
			m.merge(cellID{id, c.Key}, c.Usage)
		}
	})
}

func (m *Memory) merge(id cellID, u metering.Usage) {
	h := m.cells[id]
	if m.Additive {
		h.usage = h.usage.Add(u)
	} else {
		h.usage = h.usage.Max(u)
	}
	if id.key.Hour.Before(m.sealed) {
		if late := h.usage.Less(h.owed); !late.IsZero() {
			to := adjustmentID{m.sealed, id}
			m.adjustments[to] = m.adjustments[to].Add(late)
			h.owed = h.usage
		}
	}
	m.cells[id] = h
}

// Seal implements metering.Store.
func (m *Memory) Seal(_ context.Context, until time.Time) (sealed time.Time, err error) {
	if until.IsZero() { // a question only
		defer m.lock()()
		return m.sealed, nil
	}
	err = m.change(func() {
		for _, e := range m.epochs {
			if !e.Ended && e.Until.Before(until) {
				until = e.Until
			}
		}
		if until = until.UTC().Truncate(time.Hour); until.After(m.sealed) {
			for id, h := range m.cells {
				if !id.key.Hour.Before(m.sealed) && id.key.Hour.Before(until) {
					m.hours[id.key] = m.hours[id.key].Add(h.usage)
					h.owed = h.usage
					m.cells[id] = h
				}
			}
			m.sealed = until
		}
		sealed = m.sealed
	})
	return sealed, err
}

// Ledger implements metering.Store.
func (m *Memory) Ledger(_ context.Context, app string, from, to time.Time) (metering.Ledger, error) {
	defer m.lock()()
	l := metering.Ledger{Sealed: m.sealed}
	within := func(t time.Time, a string) bool { return !t.Before(from) && t.Before(to) && (app == "" || a == app) }
	for k, u := range m.hours {
		if within(k.Hour, k.App) {
			l.Hours = append(l.Hours, metering.Hour{Key: k, Usage: u})
		}
	}
	for id, u := range m.adjustments {
		if within(id.posted, id.key.App) {
			l.Adjustments = append(l.Adjustments, metering.Adjustment{Posted: id.posted, Node: id.node, Epoch: id.number, Key: id.key, Usage: u})
		}
	}
	for id, h := range m.cells {
		if within(id.key.Hour, id.key.App) && !id.key.Hour.Before(m.sealed) {
			l.Cells = append(l.Cells, metering.Cell{Node: id.node, Epoch: id.number, Key: id.key, Usage: h.usage})
		}
	}
	return l, nil
}

// Days implements metering.Store.
func (m *Memory) Days(ctx context.Context, app string, from, to time.Time, each func(*metering.Hour)) (metering.Ledger, error) {
	l, err := m.Ledger(ctx, app, from, to)
	days := map[metering.Key]metering.Usage{}
	for _, h := range l.Hours {
		if day := h.Hour.Truncate(24 * time.Hour); !day.Before(from) && !day.Add(24*time.Hour).After(to) && !day.Add(24*time.Hour).After(l.Sealed) {
			h.Hour = day
		}
		days[h.Key] = days[h.Key].Add(h.Usage)
	}
	l.Hours = nil
	for k, u := range days {
		each(&metering.Hour{Key: k, Usage: u})
	}
	return l, err
}

// Cells implements metering.Store.
func (m *Memory) Cells(_ context.Context, node string, epoch uint64) (cells []metering.Cell, err error) {
	defer m.lock()()
	for id, h := range m.cells {
		if id.epochID == (epochID{node, epoch}) {
			cells = append(cells, metering.Cell{Node: node, Epoch: epoch, Key: id.key, Usage: h.usage})
		}
	}
	return cells, nil
}

// Epochs implements metering.Store.
func (m *Memory) Epochs(context.Context) ([]metering.Epoch, error) {
	defer m.lock()()
	return slices.SortedFunc(maps.Values(m.epochs), func(a, b metering.Epoch) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Number, b.Number))
	}), nil
}

// Balance implements metering.Store.
func (m *Memory) Balance(context.Context) (metering.Balance, error) {
	defer m.lock()()
	b := metering.Balance{Sealed: m.sealed}
	cells, owed := map[time.Time]metering.Usage{}, map[time.Time]metering.Usage{}
	for id, h := range m.cells {
		b.Cells = b.Cells.Add(h.usage)
		if id.key.Hour.Before(m.sealed) {
			cells[id.key.Hour] = cells[id.key.Hour].Add(h.usage)
		} else {
			b.Open = b.Open.Add(h.usage)
		}
	}
	for k, u := range m.hours {
		b.Hours = b.Hours.Add(u)
		owed[k.Hour] = owed[k.Hour].Add(u)
	}
	for id, u := range m.adjustments {
		b.Adjustments = b.Adjustments.Add(u)
		owed[id.key.Hour] = owed[id.key.Hour].Add(u)
	}
	b.Differ = metering.CompareHours(cells, owed)
	return b, nil
}

// Forget loses a cell.
func (m *Memory) Forget(c metering.Cell) {
	defer m.lock()()
	delete(m.cells, cellID{epochID{c.Node, c.Epoch}, c.Key})
}

// Rewrite changes a sealed row.
func (m *Memory) Rewrite(k metering.Key, u metering.Usage) {
	defer m.lock()()
	m.hours[k] = u
}
