package metering_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/metering"
)

var theFirst = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func hourAt(n int) time.Time { return theFirst.Add(time.Duration(n) * time.Hour) }

// books are kept by the rules of a store alone.
type books struct {
	cells   map[string]*metering.StoredCell
	largest map[string]uint64 // of calls that a cell ever said
	rows    []metering.Hour
	posted  []metering.Adjustment
	sealed  time.Time
}

func (b *books) merge(c metering.Cell) {
	id := fmt.Sprint(c.Node, c.Epoch, c.Key)
	if b.cells[id] == nil {
		b.cells[id] = &metering.StoredCell{}
	}
	b.largest[id] = max(b.largest[id], c.Calls)
	if late, _ := b.cells[id].Merge(c, b.sealed); !late.IsZero() {
		b.posted = append(b.posted, metering.Adjustment{Posted: b.sealed, Node: c.Node, Epoch: c.Epoch, Key: c.Key, Usage: late})
	}
}

func (b *books) seal(until time.Time) {
	var cells []metering.StoredCell
	var of []*metering.StoredCell
	for _, c := range b.cells {
		if !c.Hour.Before(b.sealed) && c.Hour.Before(until) {
			cells, of = append(cells, *c), append(of, c)
		}
	}
	b.rows = append(b.rows, metering.SealCells(cells)...)
	for i, c := range of {
		*c = cells[i]
	}
	b.sealed = until
}

// check compares the books with the largest that each cell ever said.
func (b *books) check(t *rapid.T) {
	audit := metering.NewAudit(b.sealed)
	var want, open uint64
	for id, c := range b.cells {
		want += b.largest[id]
		if !c.Hour.Before(b.sealed) {
			open += b.largest[id]
		}
		audit.Cell(&c.Cell)
	}
	for i := range b.rows {
		audit.Row(&b.rows[i])
	}
	for i := range b.posted {
		if b.posted[i].Posted.Before(b.posted[i].Hour) {
			t.Fatalf("posted before it was used: %+v", b.posted[i])
		}
		audit.Adjustment(&b.posted[i])
	}
	balance := audit.Balance()
	if balance.Cells.Calls != want || balance.Open.Calls != open || balance.Hours.Calls+balance.Adjustments.Calls != want-open || len(balance.Differ) > 0 {
		t.Fatalf("used %d, %d of it in open hours, and the books say %+v", want, open, balance)
	}
}

// TestRulesOfStores: whatever is merged and sealed in whichever order, what is owed is what was used,
// and only once; a row is one for each key.
func TestRulesOfStores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &books{cells: map[string]*metering.StoredCell{}, largest: map[string]uint64{}}
		now := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
				now += rapid.IntRange(0, 30).Draw(t, "later")
				before := len(b.rows)
				b.seal(hourAt(now))
				keys := map[metering.Key]bool{}
				for _, r := range b.rows[before:] {
					if keys[r.Key] {
						t.Fatalf("two rows of %+v", r.Key)
					}
					keys[r.Key] = true
				}
			} else {
				c := metering.Cell{Node: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node"), Epoch: 1}
				c.Hour, c.App = hourAt(rapid.IntRange(max(0, now-5), now+5).Draw(t, "hour")), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "app")
				c.Calls = rapid.Uint64Range(0, 9).Draw(t, "calls")
				b.merge(c)
			}
			b.check(t)
		}
	})
}

// TestAuditFindsWhatDiffers: rows that say less than their cells, and adjustments of nothing.
func TestAuditFindsWhatDiffers(t *testing.T) {
	audit := metering.NewAudit(hourAt(3))
	used := metering.Usage{Calls: 2}
	for _, h := range []int{0, 1, 4} {
		audit.Cell(&metering.Cell{Key: metering.Key{Hour: hourAt(h)}, Usage: used})
	}
	audit.Row(&metering.Hour{Key: metering.Key{Hour: hourAt(0)}, Usage: used})
	audit.Row(&metering.Hour{Key: metering.Key{Hour: hourAt(1)}, Usage: metering.Usage{Calls: 1}})
	audit.Adjustment(&metering.Adjustment{Posted: hourAt(3), Key: metering.Key{Hour: hourAt(2)}, Usage: used})
	var differ []time.Time
	for _, d := range audit.Balance().Differ {
		differ = append(differ, d.Hour)
	}
	if !slices.Equal(differ, []time.Time{hourAt(1), hourAt(2)}) {
		t.Errorf("hours that differ: %v", differ)
	}
}

// TestDaysOfStores: a report over days reads each hour of its span once, in a day that is sealed as a
// whole and lies within the span, if there is such a day; and a store makes each day once, when its
// last hour is sealed, however it seals.
func TestDaysOfStores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 80).Draw(t, "from")
		to, sealed := from+rapid.IntRange(0, 100).Draw(t, "hours"), rapid.IntRange(0, 150).Draw(t, "sealed")
		first, last := metering.WholeDays(hourAt(from), hourAt(to), hourAt(sealed))
		for h := range 200 {
			day := h / 24 * 24
			want := day >= from && day+24 <= to && day+24 <= sealed
			if got := !hourAt(h).Before(first) && hourAt(h).Before(last); got != want {
				t.Fatalf("hour %d of %d..%d, sealed to %d, is read in its day: %v", h, from, to, sealed, got)
			}
		}
		if first.Before(hourAt(from)) || last.After(hourAt(to)) || last.Before(first) {
			t.Fatalf("%v..%v is not within %d..%d", first, last, from, to)
		}

		var made []time.Time
		closed := hourAt(sealed)
		for at := hourAt(from); ; {
			next := metering.NextSeal(at, closed)
			if !next.After(at) {
				break
			}
			if next.Truncate(24*time.Hour).Sub(at.Truncate(24*time.Hour)) > 24*time.Hour {
				t.Fatalf("sealed from %v to %v at once", at, next)
			}
			made, at = slices.AppendSeq(made, metering.Completed(at, next)), next
		}
		want := slices.Collect(metering.Completed(hourAt(from), closed))
		if !slices.Equal(made, want) {
			t.Fatalf("days %v, want %v", made, want)
		}
	})
}

// TestEpochsOfStores: what an epoch said never goes back, and one that lives holds up the seal.
func TestEpochsOfStores(t *testing.T) {
	e := metering.Epoch{}.With(metering.Flush{Node: "n", Epoch: 3, Until: hourAt(5), Lost: true})
	if again := e.With(metering.Flush{Node: "n", Epoch: 3, Until: hourAt(4)}); again != e {
		t.Errorf("%+v went back to %+v", e, again)
	}
	other := metering.Epoch{Node: "m", Number: 1, Until: hourAt(2)}
	for _, c := range []struct {
		epochs []metering.Epoch
		want   time.Time
	}{
		{nil, hourAt(9)},
		{[]metering.Epoch{e}, hourAt(5)},
		{[]metering.Epoch{e, other}, hourAt(2)},
		{[]metering.Epoch{e, other.With(metering.Flush{Node: "m", Epoch: 1, Ended: true})}, hourAt(5)},
	} {
		if got := metering.ClosedBy(c.epochs, hourAt(9).Add(time.Minute)); !got.Equal(c.want) {
			t.Errorf("%+v: closed by %v, want %v", c.epochs, got, c.want)
		}
	}
	for _, c := range []struct {
		known         []metering.Epoch
		atLeast, want uint64
	}{{nil, 0, 1}, {nil, 7, 7}, {[]metering.Epoch{{Number: 1}, e}, 0, 4}, {[]metering.Epoch{e}, 9, 9}} {
		if got := metering.NextEpoch(c.known, c.atLeast); got != c.want {
			t.Errorf("%+v, at least %d: %d, want %d", c.known, c.atLeast, got, c.want)
		}
	}
}
