package boltstore_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
)

// TestHoursOfFormat2: rows that are JSON, as format 2 stored them, are read as
// the others are.
func TestHoursOfFormat2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f := metering.Flush{Node: "000102030405060708090a0b0c0d0e0f", Epoch: 1, Ended: true}
	for i := range 20 {
		f.Cells = append(f.Cells, metering.Cell{
			Key: metering.Key{Hour: start.Add(time.Duration(i%5) * time.Hour), Tags: metering.Tags{App: fmt.Sprint("app-", i), Release: i, Owner: "ada@example.com", Trigger: metering.TriggerCron}},
			Usage: metering.Usage{Calls: uint64(i), Counts: metering.Counts{Instructions: 1 << 50, BytesOut: 7}, Errors: map[string]uint64{"trap": 1 + uint64(i), "quota": 2},
				Uses: []abi.Use{{Capability: "fetch", Meter: abi.MeterBytesSent, Subject: fmt.Sprint(i), N: 3}, {Capability: "kv", Meter: "reads", N: 9}}},
		})
	}
	if err := s.Merge(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	end := start.Add(5 * time.Hour)
	if sealed, err := s.Seal(t.Context(), end); err != nil || !sealed.Equal(end) {
		t.Fatal(sealed, err)
	}
	look := func() metering.Ledger {
		t.Helper()
		l, err := s.Ledger(t.Context(), "", start, end)
		if err != nil || len(l.Hours) != len(f.Cells) {
			t.Fatalf("%d rows, %v", len(l.Hours), err)
		}
		if b, err := s.Balance(t.Context()); err != nil || len(b.Differ) > 0 || b.Hours.Calls != 190 {
			t.Fatalf("%+v, %v", b, err)
		}
		return l
	}
	now := look()
	for i, h := range now.Hours { // what a row holds is its own: none has its neighbour's
		if n := h.Calls + 1; h.Errors["trap"] != n || h.Uses[0].Subject != fmt.Sprint(h.Calls) {
			t.Errorf("row %d: %+v", i, h)
		}
		if i%3 > 0 {
			if err := s.PutHour2(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if was := look(); !reflect.DeepEqual(was, now) {
		t.Errorf("got %+v\nwant %+v", was, now)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if was := look(); !reflect.DeepEqual(was, now) {
		t.Errorf("after it was opened again: %+v\nwant %+v", was, now)
	}
}
