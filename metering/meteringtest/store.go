package meteringtest

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/metering"
)

// Memory is a metering.Store that keeps its cells in a map, and can be made to
// fail. Safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	cells map[id]metering.Usage
	// Fail, if not nil, is asked before each merge. When it answers an error
	// and true, the merge happens all the same, as when an answer is lost.
	Fail func() (err error, applied bool)
}

type id struct {
	epoch uint64
	key   metering.Key
}

// MergeCells implements metering.Store.
func (m *Memory) MergeCells(_ context.Context, cells []metering.Cell) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	applied := true
	if m.Fail != nil {
		if err, applied = m.Fail(); err == nil {
			applied = true
		}
	}
	if !applied {
		return err
	}
	if m.cells == nil {
		m.cells = map[id]metering.Usage{}
	}
	for _, c := range cells {
		k := id{c.Epoch, c.Key}
		m.cells[k] = m.cells[k].Max(c.Usage)
	}
	return err
}

// Cells implements metering.Store.
func (m *Memory) Cells(_ context.Context, app string, from, to time.Time) ([]metering.Cell, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var cells []metering.Cell
	for k, u := range m.cells {
		if (app == "" || k.key.App == app) && !k.key.Hour.Before(from) && k.key.Hour.Before(to) {
			cells = append(cells, metering.Cell{Epoch: k.epoch, Key: k.key, Usage: u})
		}
	}
	return cells, nil
}

// TestStore is what every metering.Store must do.
func TestStore(t *testing.T, open func(*testing.T) metering.Store) {
	hour := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	cell := func(epoch uint64, h int, app string, calls uint64, errs ...uint64) metering.Cell {
		c := metering.Cell{
			Epoch: epoch, Key: metering.Key{Hour: hour.Add(time.Duration(h) * time.Hour), App: app, Release: 1, Tier: "sandbox", CostCenter: "CC-1", Team: "a"},
			Usage: metering.Usage{Calls: calls, Counts: metering.Counts{Instructions: 1000 * calls, BytesOut: calls}},
		}
		if len(errs) > 0 {
			c.Errors = map[string]uint64{"trap": errs[0]}
		}
		return c
	}
	all := func(t *testing.T, s metering.Store, app string, from, to int) []metering.Cell {
		t.Helper()
		got, err := s.Cells(t.Context(), app, hour.Add(time.Duration(from)*time.Hour), hour.Add(time.Duration(to)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b metering.Cell) int {
			return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App), cmp.Compare(a.Epoch, b.Epoch))
		})
		return got
	}
	merge := func(t *testing.T, s metering.Store, cells ...metering.Cell) {
		t.Helper()
		if err := s.MergeCells(t.Context(), cells); err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, got []metering.Cell, want ...metering.Cell) {
		t.Helper()
		if len(got) == 0 && len(want) == 0 {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}

	t.Run("a cell is read back as it was stored", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 3, 1))
		want(t, all(t, s, "", 0, 1), cell(1, 0, "a", 3, 1))
	})
	t.Run("merging again changes nothing", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 3, 1))
		merge(t, s, cell(1, 0, "a", 3, 1))
		want(t, all(t, s, "", 0, 1), cell(1, 0, "a", 3, 1))
	})
	t.Run("a late merge takes nothing away", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 5, 2))
		merge(t, s, cell(1, 0, "a", 3, 1))
		want(t, all(t, s, "", 0, 1), cell(1, 0, "a", 5, 2))
	})
	t.Run("one merge may name a cell twice", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 5), cell(1, 0, "a", 2, 1))
		want(t, all(t, s, "", 0, 1), cell(1, 0, "a", 5, 1))
	})
	t.Run("epochs are kept apart", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 5), cell(2, 0, "a", 3))
		want(t, all(t, s, "", 0, 1), cell(1, 0, "a", 5), cell(2, 0, "a", 3))
	})
	t.Run("a span is half open and an app is exact", func(t *testing.T) {
		s := open(t)
		merge(t, s, cell(1, 0, "a", 1), cell(1, 1, "a", 2), cell(1, 2, "a", 3), cell(1, 1, "ab", 4))
		want(t, all(t, s, "a", 1, 2), cell(1, 1, "a", 2))
		want(t, all(t, s, "", 1, 3), cell(1, 1, "a", 2), cell(1, 1, "ab", 4), cell(1, 2, "a", 3))
		want(t, all(t, s, "b", 0, 9))
	})
	t.Run("nothing is something that can be merged", func(t *testing.T) {
		s := open(t)
		merge(t, s)
		want(t, all(t, s, "", 0, 9))
	})
}
