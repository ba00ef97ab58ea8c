package metering

import (
	"iter"
	"time"
)

// What follows are the rules by which a Store accounts, whatever it keeps cells in. They read and
// write nothing.

// NextEpoch returns a number for an epoch of a node that has these, in order.
func NextEpoch(known []Epoch, atLeast uint64) uint64 {
	n := max(1, atLeast)
	if len(known) > 0 {
		n = max(n, known[len(known)-1].Number+1)
	}
	return n
}

// With returns the epoch as a flush leaves it. What it said never goes back.
func (e Epoch) With(f Flush) Epoch {
	e.Node, e.Number, e.Ended, e.Lost = f.Node, f.Epoch, e.Ended || f.Ended, e.Lost || f.Lost
	if f.Until.After(e.Until) {
		e.Until = f.Until.UTC()
	}
	return e
}

// ClosedBy returns the hour, until at most, before which no epoch can add anything.
func ClosedBy(epochs []Epoch, until time.Time) time.Time {
	for _, e := range epochs {
		if !e.Ended && e.Until.Before(until) {
			until = e.Until
		}
	}
	return hourOf(until)
}

// StoredCell is a cell as a store keeps it.
type StoredCell struct {
	Cell
	// Owed is what of it is in sealed rows and adjustments.
	Owed Usage `json:"owed,omitzero"`
}

// Merge makes every counter the maximum of what is stored and what a cell says, and reports whether
// that changed one. late is what has to be posted for it, if it is not zero: what is new to an hour
// before sealed, the first that is open.
func (s *StoredCell) Merge(c Cell, sealed time.Time) (late Usage, changed bool) {
	was := s.Usage
	c.Usage = was.Max(c.Usage)
	s.Cell = c
	if c.Hour.Before(sealed) {
		if late = c.Usage.Less(s.Owed); !late.IsZero() {
			s.Owed = c.Usage
		}
	}
	return late, !c.Usage.Equal(was)
}

// SealCells makes the rows of cells whose hours are sealed now, one for each key. All of the cells is
// owed from then on.
func SealCells(cells []StoredCell) []Hour {
	var rows rowsBy[Key]
	for i := range cells {
		c := &cells[i]
		c.Owed = c.Usage
		rows.add(c.Key, Hour{Key: c.Key, Usage: c.Usage})
	}
	return rows.list
}

// rowsBy sums rows.
type rowsBy[K comparable] struct {
	at   map[K]int
	list []Hour
}

func (r *rowsBy[K]) add(k K, h Hour) {
	if r.at == nil {
		r.at = map[K]int{}
	}
	i, known := r.at[k]
	if !known {
		r.at[k] = len(r.list)
		r.list = append(r.list, Hour{Key: h.Key, Usage: Usage{}.Add(h.Usage)})
		return
	}
	r.list[i].Usage = r.list[i].Usage.Add(h.Usage)
}

const day = 24 * time.Hour

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(day) }

// NextSeal returns up to which hour a store seals next, of what no epoch can add to before closed: to
// the end of a day at most, so that a store that was not sealed for long does not hold up all others,
// nor keep a year in memory. first is the first hour that is not sealed and may have usage; zero if
// there never was any.
func NextSeal(first, closed time.Time) time.Time {
	if end := dayOf(first).Add(day); !first.IsZero() && end.Before(closed) {
		return end
	}
	return closed
}

// Completed yields the days that a seal of from <= hour < to has completed.
func Completed(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for d := dayOf(from); !d.Add(day).After(to) && yield(d); d = d.Add(day) {
		}
	}
}

// Day sums the sealed hours of a day. Sealed hours never change, so neither does their sum.
type Day struct {
	from time.Time
	rows rowsBy[Tags]
}

// NewDay begins a day, at its first hour.
func NewDay(from time.Time) *Day { return &Day{from: from} }

// Span returns the day's first hour, and that of the next one.
func (d *Day) Span() (from, to time.Time) { return d.from, d.from.Add(day) }

// Add counts an hour of the day.
func (d *Day) Add(h *Hour) {
	d.rows.add(h.Tags, Hour{Key: Key{Hour: d.from, Tags: h.Tags}, Usage: h.Usage})
}

// Rows are the sums, one for each set of tags.
func (d *Day) Rows() []Hour { return d.rows.list }

// WholeDays returns the days, first <= day < last, that lie within from <= hour < to and are sealed as
// a whole. If there are none, both are from.
func WholeDays(from, to, sealed time.Time) (first, last time.Time) {
	first, last = dayOf(from), dayOf(to)
	if first.Before(from) {
		first = first.Add(day)
	}
	if limit := dayOf(sealed); limit.Before(last) {
		last = limit
	}
	if !first.Before(last) {
		return from, from
	}
	return first, last
}

// Audit makes a store's account of itself, of all that the store has.
type Audit struct {
	balance     Balance
	cells, owed map[time.Time]Usage // of sealed hours
}

// NewAudit begins one; sealed is the first hour that is open.
func NewAudit(sealed time.Time) *Audit {
	return &Audit{Balance{Sealed: sealed}, map[time.Time]Usage{}, map[time.Time]Usage{}}
}

// Cell counts a cell.
func (a *Audit) Cell(c *Cell) {
	a.balance.Cells = a.balance.Cells.Add(c.Usage)
	if c.Hour.Before(a.balance.Sealed) {
		a.cells[c.Hour] = a.cells[c.Hour].Add(c.Usage)
	} else {
		a.balance.Open = a.balance.Open.Add(c.Usage)
	}
}

// Row counts a sealed row.
func (a *Audit) Row(h *Hour) {
	a.balance.Hours = a.balance.Hours.Add(h.Usage)
	a.owed[h.Hour] = a.owed[h.Hour].Add(h.Usage)
}

// Adjustment counts what was posted later, for the hour in which it was used.
func (a *Audit) Adjustment(adj *Adjustment) {
	a.balance.Adjustments = a.balance.Adjustments.Add(adj.Usage)
	a.owed[adj.Hour] = a.owed[adj.Hour].Add(adj.Usage)
}

// Balance returns what was found.
func (a *Audit) Balance() Balance {
	b := a.balance
	b.Differ = CompareHours(a.cells, a.owed)
	return b
}
