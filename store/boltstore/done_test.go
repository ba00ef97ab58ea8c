package boltstore_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// TestDoneIsWhatCellsSay: whatever is flushed twice, late, in parts or in another order, and whatever is
// sealed in between, what releases did is the sum of their cells; usage that no call caused, and apps
// that are not there, add nothing.
func TestDoneIsWhatCellsSay(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	ctx, r := t.Context(), rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := s.Update(ctx, "ada", func(tx state.Tx) error {
		return tx.PutApp(registry.App{Name: "shop", Owner: "ada@example.com", Releases: 2, Created: start})
	}); err != nil {
		t.Fatal(err)
	}
	var flushes []metering.Flush // everything that was ever said
	cells := map[string]metering.Cell{}
	for step := range 300 {
		epoch := uint64(1 + r.IntN(3))
		key := metering.Key{Hour: start.Add(time.Duration(r.IntN(4)) * time.Hour), Tags: metering.Tags{
			App: []string{"shop", "shop", "none"}[r.IntN(3)], Release: r.IntN(3), Trigger: []string{metering.TriggerHTTP, metering.TriggerCron, metering.TriggerNone}[r.IntN(3)],
		}}
		id := fmt.Sprint(epoch, key)
		c := cells[id]
		c.Node, c.Epoch, c.Key = "0011", epoch, key
		use, at := abi.Use{Capability: "kv", Meter: abi.MeterReads, Subject: fmt.Sprint(r.IntN(3))}, start.Add(time.Duration(step)*time.Second)
		c.Times = maps.Clone(c.Times)
		if c.Times == nil {
			c.Times = map[abi.Use]metering.Span{}
		}
		first := at
		if was, known := c.Times[use]; known {
			first = was.First
		}
		c.Times[use] = metering.Span{First: first, Last: at}
		use.N = uint64(1 + r.IntN(9))
		c.Usage = c.Usage.Add(metering.Usage{Calls: 1, Uses: metering.Uses{use}})
		cells[id] = c
		flushes = append(flushes, metering.Flush{Node: "0011", Epoch: epoch, Cells: []metering.Cell{c}})
		for range r.IntN(3) { // and some again
			if err := s.Merge(ctx, flushes[r.IntN(len(flushes))]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range cells {
		if err := s.Merge(ctx, metering.Flush{Node: c.Node, Epoch: c.Epoch, Cells: []metering.Cell{c}, Ended: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal(ctx, c.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for _, release := range []int{0, 1, 2} { // 0: all together
		want, got := map[string]uint64{}, map[string]uint64{}
		for _, c := range cells {
			if c.App != "shop" || c.Trigger == metering.TriggerNone || c.Release == 0 || release != 0 && c.Release != release {
				continue
			}
			for _, u := range c.Uses {
				want[u.Subject] += u.N
			}
		}
		err := s.View(ctx, func(tx state.Reader) error {
			used, err := tx.Used("shop", release)
			for _, u := range used {
				got[u.Subject] += u.N
				if u.Last.Before(start) || u.Last.After(start.Add(300*time.Second)) || u.First.After(u.Last) {
					t.Errorf("used from %s to %s", u.First, u.Last)
				}
			}
			return err
		})
		if err != nil || len(want) == 0 || !maps.Equal(got, want) {
			t.Errorf("release %d did %v, and its cells say %v, %v", release, got, want, err)
		}
	}
	if err := s.View(ctx, func(tx state.Reader) error {
		used, err := tx.UsedByAny("none")
		if len(used) > 0 {
			t.Errorf("an app that is not there did %v", used)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
