package meteringtest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
)

var hour0 = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func hour(h int) time.Time { return hour0.Add(time.Duration(h) * time.Hour) }

func cell(epoch uint64, h int, app string, calls uint64, errs ...uint64) metering.Cell {
	c := metering.Cell{
		Node: "n", Epoch: epoch,
		Key: metering.Key{Hour: hour(h), Tags: metering.Tags{
			App: app, Release: 1, Tier: "sandbox", CostCenter: "CC-1", Team: "a", Owner: "ada@example.com", Environment: "sandbox", Trigger: "http",
		}},
		Usage: metering.Usage{Calls: calls, Counts: metering.Counts{Instructions: 1000 * calls, BytesOut: calls}},
	}
	if calls > 0 {
		c.Uses = []abi.Use{{Capability: "llm", Meter: abi.MeterInputTokens, Subject: "m", N: calls}}
	}
	if len(errs) > 0 {
		c.Errors = map[string]uint64{"trap": errs[0]}
	}
	return c
}

// suite is one test's store.
type suite struct {
	t *testing.T
	s metering.Store
}

func (s suite) merge(f metering.Flush) {
	s.t.Helper()
	f.Node = cmp.Or(f.Node, "n")
	if err := s.s.Merge(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
}

func (s suite) cells(epoch uint64, cells ...metering.Cell) {
	s.t.Helper()
	s.merge(metering.Flush{Epoch: epoch, Cells: cells})
}

func (s suite) seal(until int) time.Time {
	s.t.Helper()
	sealed, err := s.s.Seal(s.t.Context(), hour(until))
	if err != nil {
		s.t.Fatal(err)
	}
	return sealed
}

func (s suite) ledger(app string, from, to int) metering.Ledger {
	s.t.Helper()
	l, err := s.s.Ledger(s.t.Context(), app, hour(from), hour(to))
	if err != nil {
		s.t.Fatal(err)
	}
	slices.SortFunc(l.Cells, func(a, b metering.Cell) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App), cmp.Compare(a.Epoch, b.Epoch))
	})
	slices.SortFunc(l.Hours, func(a, b metering.Hour) int { return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App)) })
	return l
}

func (s suite) want(got []metering.Cell, want ...metering.Cell) {
	s.t.Helper()
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		s.t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func (s suite) balanced() metering.Balance {
	s.t.Helper()
	b, err := s.s.Balance(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if sum := b.Hours.Add(b.Adjustments).Add(b.Open); len(b.Differ) > 0 || !sum.Equal(b.Cells) {
		s.t.Errorf("out of balance: %+v", b)
	}
	return b
}

// TestStore is what every metering.Store must do.
func TestStore(t *testing.T, open func(*testing.T) metering.Store) {
	for name, test := range map[string]func(suite){
		"a cell is read back as it was stored": func(s suite) {
			s.cells(1, cell(1, 0, "a", 3, 1))
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 3, 1))
		},
		"merging again changes nothing": func(s suite) {
			s.cells(1, cell(1, 0, "a", 3, 1))
			s.cells(1, cell(1, 0, "a", 3, 1))
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 3, 1))
		},
		"a late merge takes nothing away": func(s suite) {
			s.cells(1, cell(1, 0, "a", 5, 2))
			s.cells(1, cell(1, 0, "a", 3, 1))
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 5, 2))
		},
		"one merge may name a cell twice": func(s suite) {
			s.cells(1, cell(1, 0, "a", 5), cell(1, 0, "a", 2, 1))
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 5, 1))
		},
		"epochs and nodes are kept apart": func(s suite) {
			s.cells(1, cell(1, 0, "a", 5))
			s.cells(2, cell(2, 0, "a", 3))
			other := cell(1, 0, "b", 4)
			other.Node = "o"
			s.merge(metering.Flush{Node: "o", Epoch: 1, Cells: []metering.Cell{other}})
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 5), cell(2, 0, "a", 3), other)
			of, err := s.s.Cells(s.t.Context(), "n", 2)
			if err != nil {
				s.t.Fatal(err)
			}
			s.want(of, cell(2, 0, "a", 3))
		},
		"tags are kept apart": func(s suite) {
			cron := cell(1, 0, "b", 2)
			cron.Trigger = "cron"
			s.cells(1, cell(1, 0, "a", 1), cron)
			s.want(s.ledger("", 0, 1).Cells, cell(1, 0, "a", 1), cron)
		},
		"a span is half open and an app is exact": func(s suite) {
			s.cells(1, cell(1, 0, "a", 1), cell(1, 1, "a", 2), cell(1, 2, "a", 3), cell(1, 1, "ab", 4))
			s.want(s.ledger("a", 1, 2).Cells, cell(1, 1, "a", 2))
			s.want(s.ledger("", 1, 3).Cells, cell(1, 1, "a", 2), cell(1, 1, "ab", 4), cell(1, 2, "a", 3))
			s.want(s.ledger("b", 0, 9).Cells)
		},
		"nothing is something that can be merged": func(s suite) {
			s.cells(1)
			s.want(s.ledger("", 0, 9).Cells)
		},
		"an epoch's number is never used twice":     testEpochs,
		"an hour is sealed when all have closed it": testSeal,
		"a sealed hour does not change":             testLate,
		"days are the sums of their hours":          testDays,
	} {
		t.Run(name, func(t *testing.T) { test(suite{t, open(t)}) })
	}
	t.Run("behaves as the model does", func(t *testing.T) { testModel(t, open) })
}

func testEpochs(s suite) {
	begin := func(node string, least uint64) uint64 {
		n, err := s.s.BeginEpoch(s.t.Context(), node, least)
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	if a, b, c := begin("n", 10), begin("n", 3), begin("n", 100); a != 10 || b != 11 || c != 100 {
		s.t.Errorf("epochs %d, %d, %d; want 10, 11, 100", a, b, c)
	}
	begin("o", 5)
	s.merge(metering.Flush{Epoch: 11, Ended: true, Lost: true})
	s.merge(metering.Flush{Epoch: 10, Until: hour(3)})
	s.merge(metering.Flush{Epoch: 10, Until: hour(2)})
	s.merge(metering.Flush{Epoch: 11})
	epochs, err := s.s.Epochs(s.t.Context())
	want := []metering.Epoch{{Node: "n", Number: 10, Until: hour(3)}, {Node: "n", Number: 11, Ended: true, Lost: true}, {Node: "n", Number: 100}, {Node: "o", Number: 5}}
	if err != nil || !reflect.DeepEqual(epochs, want) {
		s.t.Errorf("%v\ngot  %+v\nwant %+v", err, epochs, want)
	}
}

func testSeal(s suite) {
	s.merge(metering.Flush{Epoch: 1, Cells: []metering.Cell{cell(1, 0, "a", 1), cell(1, 1, "a", 2), cell(1, 2, "a", 4)}, Until: hour(1)})
	s.merge(metering.Flush{Epoch: 2, Cells: []metering.Cell{cell(2, 0, "a", 8)}, Until: hour(2)})
	if got := s.seal(5); !got.Equal(hour(1)) {
		s.t.Errorf("sealed up to %s, and epoch 1 may still add to %s", got, hour(1))
	}
	l := s.ledger("", 0, 3)
	if len(l.Hours) != 1 || l.Hours[0].Calls != 9 || !l.Sealed.Equal(hour(1)) {
		s.t.Errorf("the sealed hour is %+v", l.Hours)
	}
	s.want(l.Cells, cell(1, 1, "a", 2), cell(1, 2, "a", 4))
	s.merge(metering.Flush{Epoch: 1, Ended: true})
	if got := s.seal(5); !got.Equal(hour(2)) {
		s.t.Errorf("sealed up to %s, and epoch 2 is alive", got)
	}
	s.merge(metering.Flush{Epoch: 2, Ended: true})
	if got := s.seal(5); !got.Equal(hour(5)) {
		s.t.Errorf("sealed up to %s, and no epoch could add to an hour before %s", got, hour(5))
	}
	if got := s.seal(3); !got.Equal(hour(5)) {
		s.t.Errorf("the seal went back to %s", got)
	}
	if sealed, err := s.s.Seal(s.t.Context(), time.Time{}); err != nil || !sealed.Equal(hour(5)) {
		s.t.Errorf("asked for the seal: %s, %v", sealed, err)
	}
	if b := s.balanced(); b.Hours.Calls != 15 || b.Open.Calls != 0 {
		s.t.Errorf("balance %+v", b)
	}
}

func testLate(s suite) {
	s.merge(metering.Flush{Epoch: 1, Cells: []metering.Cell{cell(1, 0, "a", 5)}, Ended: true})
	s.seal(2)
	for range 2 { // the second time it is no news
		s.cells(1, cell(1, 0, "a", 7, 1))
		s.cells(9, cell(9, 1, "b", 1))
	}
	s.cells(1, cell(1, 0, "a", 6))
	l := s.ledger("", 0, 9)
	if len(l.Hours) != 1 || l.Hours[0].Calls != 5 || len(l.Cells) != 0 {
		s.t.Errorf("the sealed hour is %+v; open cells %+v", l.Hours, l.Cells)
	}
	slices.SortFunc(l.Adjustments, func(a, b metering.Adjustment) int { return cmp.Compare(a.Epoch, b.Epoch) })
	late := cell(1, 0, "a", 2, 1)
	want := []metering.Adjustment{{Posted: hour(2), Node: "n", Epoch: 1, Key: late.Key, Usage: late.Usage}, {Posted: hour(2), Node: "n", Epoch: 9, Key: cell(9, 1, "b", 1).Key, Usage: cell(9, 1, "b", 1).Usage}}
	if !reflect.DeepEqual(l.Adjustments, want) {
		s.t.Errorf("got  %+v\nwant %+v", l.Adjustments, want)
	}
	if got := s.ledger("a", 2, 3); len(got.Adjustments) != 1 {
		s.t.Errorf("an adjustment belongs to the hour in which it was posted: %+v", got)
	}
	s.merge(metering.Flush{Epoch: 9, Ended: true})
	s.seal(4)
	s.cells(1, cell(1, 0, "a", 9))
	if l := s.ledger("a", 4, 5); len(l.Adjustments) != 1 || l.Adjustments[0].Calls != 2 {
		s.t.Errorf("later truth: %+v", l.Adjustments)
	}
	s.balanced()
}

// testDays seals some days, in steps, and compares them with their hours.
func testDays(s suite) {
	for h := range 80 {
		s.merge(metering.Flush{Epoch: 1, Cells: []metering.Cell{cell(1, h, "a", uint64(h), 1), cell(1, h, "b", 1)}})
	}
	s.merge(metering.Flush{Epoch: 1, Ended: true})
	model := suite{s.t, &Memory{}}
	for h := range 80 {
		model.merge(metering.Flush{Epoch: 1, Cells: []metering.Cell{cell(1, h, "a", uint64(h), 1), cell(1, h, "b", 1)}})
	}
	model.merge(metering.Flush{Epoch: 1, Ended: true})
	for _, until := range []int{5, 14, 40, 70} { // the first day ends at 14
		s.seal(until)
		model.seal(until)
		for _, span := range [][2]int{{0, 80}, {-10, 62}, {14, 38}, {20, 39}, {3, 61}} {
			for _, app := range []string{"", "b"} {
				if got, want := describe(s.days(app, span[0], span[1])), describe(model.days(app, span[0], span[1])); got != want {
					s.t.Errorf("sealed to %d, %v\ngot  %s\nwant %s", until, span, got, want)
				}
			}
		}
	}
	if rows := len(s.days("", -10, 62).Hours); rows != 6 {
		s.t.Errorf("three days of two apps are %d rows", rows)
	}
}

func (s suite) days(app string, from, to int) metering.Ledger {
	s.t.Helper()
	var rows []metering.Hour
	l, err := s.s.Days(s.t.Context(), app, hour(from), hour(to), func(h *metering.Hour) {
		kept := *h
		kept.Errors, kept.Uses = maps.Clone(h.Errors), slices.Clone(h.Uses)
		rows = append(rows, kept)
	})
	l.Hours = rows
	if err != nil {
		s.t.Fatal(err)
	}
	slices.SortFunc(l.Cells, func(a, b metering.Cell) int { return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App)) })
	slices.SortFunc(l.Hours, func(a, b metering.Hour) int { return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App)) })
	return l
}

// testModel does the same to a store and to Memory, at random.
func testModel(t *testing.T, open func(*testing.T) metering.Store) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, model := suite{t, open(t)}, suite{t, &Memory{}}
		for step := range 50 {
			if r.IntN(4) > 0 {
				e := 1 + r.Uint64N(3)
				f := metering.Flush{Node: "n", Epoch: e, Until: hour(r.IntN(5)), Ended: r.IntN(4) == 0}
				for range r.IntN(4) {
					f.Cells = append(f.Cells, cell(e, r.IntN(5), string(rune('a'+r.IntN(2))), r.Uint64N(9), r.Uint64N(3)))
				}
				s.merge(f)
				model.merge(f)
			} else if until := r.IntN(6); !s.seal(until).Equal(model.seal(until)) {
				t.Fatalf("seed %d, step %d: sealed up to another hour than the model", seed, step)
			}
			if got, want := describe(s.ledger("", 0, 9)), describe(model.ledger("", 0, 9)); got != want {
				t.Fatalf("seed %d, step %d\ngot  %s\nwant %s", seed, step, got, want)
			}
			if got, want := fmt.Sprintf("%+v", s.balanced()), fmt.Sprintf("%+v", model.balanced()); got != want {
				t.Fatalf("seed %d, step %d\ngot  %s\nwant %s", seed, step, got, want)
			}
		}
	}
}

func describe(l metering.Ledger) string {
	slices.SortFunc(l.Adjustments, func(a, b metering.Adjustment) int {
		return cmp.Or(a.Posted.Compare(b.Posted), a.Hour.Compare(b.Hour), cmp.Compare(a.App, b.App), cmp.Compare(a.Epoch, b.Epoch))
	})
	return fmt.Sprintf("%+v", l)
}
