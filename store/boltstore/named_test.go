package boltstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/state"
)

// TestMetersOfBefore: a store whose cells, sealed hours, adjustments and uses of releases have the
// meters' names of before is read under those of today. Its books balance, every total is what it
// was, and what comes since adds to it.
func TestMetersOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	node := "000102030405060708090a0b0c0d0e0f"
	tags := metering.Tags{App: "a", Release: 1}
	cell := func(hour int, uses ...abi.Use) metering.Cell {
		return metering.Cell{Key: metering.Key{Hour: start.Add(time.Duration(hour) * time.Hour), Tags: tags}, Usage: metering.Usage{Calls: 1, Uses: uses}}
	}
	use := func(meter string, n uint64) abi.Use {
		return abi.Use{Capability: "llm", Meter: meter, Subject: "m", N: n}
	}
	merge := func(epoch uint64, ended bool, cells ...metering.Cell) {
		t.Helper()
		if err := s.Merge(t.Context(), metering.Flush{Node: node, Epoch: epoch, Ended: ended, Cells: cells}); err != nil {
			t.Fatal(err)
		}
	}
	// Written with the words of before: the store keeps what it is given.
	merge(1, true, cell(0, use("answer", 10), use("cached", 3), use("prompt", 20)), cell(5, use("answer", 1), use("over", 2)))
	if sealed, err := s.Seal(t.Context(), start.Add(2*time.Hour)); err != nil || sealed.Before(start.Add(time.Hour)) {
		t.Fatal(sealed, err)
	}
	if err := s.AddUsed(t.Context(), []approvals.ReleaseUsed{{App: "a", Release: 1, Used: []approvals.Used{{Use: use("prompt", 20), First: start, Last: start}}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	// The same epoch brings more of the sealed hour, another one more of the open one, under today's names.
	merge(1, true, cell(0, use("cached_input_tokens", 3), use("input_tokens", 25), use("output_tokens", 10)))
	merge(2, true, cell(5, use("output_tokens", 4)))
	if err := s.AddUsed(t.Context(), []approvals.ReleaseUsed{{App: "a", Release: 1, Used: []approvals.Used{{Use: use("input_tokens", 5), First: start, Last: start}}}}); err != nil {
		t.Fatal(err)
	}

	l, err := s.Ledger(t.Context(), "", start, start.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	count := func(u metering.Usage) {
		for _, use := range u.Uses {
			got[use.Meter] += use.N
		}
	}
	for _, h := range l.Hours {
		count(h.Usage)
	}
	for _, a := range l.Adjustments {
		count(a.Usage)
	}
	for _, c := range l.Cells {
		count(c.Usage)
	}
	for meter, n := range map[string]uint64{"input_tokens": 25, "output_tokens": 15, "cached_input_tokens": 3, "quota_exceeded": 2} {
		if got[meter] != n {
			t.Errorf("%s is %d, want %d", meter, got[meter], n)
		}
		delete(got, meter)
	}
	if len(got) > 0 {
		t.Errorf("names of before are told: %v", got)
	}
	if b, err := s.Balance(t.Context()); err != nil || len(b.Differ) > 0 {
		t.Errorf("the books differ: %+v, %v", b, err)
	}
	err = s.View(t.Context(), func(tx state.Reader) error {
		used, err := tx.Used("a", 1)
		if err != nil || len(used) != 1 || used[0].Meter != abi.MeterInputTokens || used[0].N != 25 {
			t.Errorf("what the release did: %+v, %v", used, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
