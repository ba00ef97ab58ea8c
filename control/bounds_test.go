package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// TestBounds: whatever apps belong to whom and whatever is set, an app has the limits of its owner, of its
// group and of the node that hold at the moment, and no others; and it is known when they change by themselves.
func TestBounds(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	rapid.Check(t, func(rt *rapid.T) {
		d := &control.Desk{
			Store: statetest.NewMemory(clock), Now: clock, Logger: slog.New(slog.DiscardHandler), Quotas: control.Quotas{},
			Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
		}
		type row struct {
			limit int64
			set   bool
		}
		names := map[control.Measure]map[string]string{
			control.Calls:  {"person": "requests-a-second", "group": "group-requests-a-second", "node": "node-requests-a-second"},
			control.Memory: {"person": "memory", "group": "group-memory"},
		}
		// want has what holds for a holder, by measure.
		want := map[control.Measure]map[control.Holder]row{control.Calls: {}, control.Memory: {}}
		var until time.Time
		apps := map[string]registry.App{}
		_, err := d.Store.Update(t.Context(), "node", func(tx state.Tx) error {
			tx.Emit("release.published", "a", "1", nil)
			var errs []error
			for m, quotas := range names {
				if n := rapid.SampledFrom([]int64{-1, -1, 7, control.NoLimit}).Draw(rt, "at start"); n >= 0 {
					d.Quotas[quotas["person"]] = n
					for _, who := range []string{"ada", "bob"} {
						want[m][control.Holder{Per: "person", Of: who}] = row{n, false}
					}
				}
				for _, h := range []control.Holder{{Per: "person", Of: "ada"}, {Per: "person", Of: "bob"}, {Per: "group", Of: "g"}, {Per: "group", Of: "h"}, {Per: "node"}} {
					n := rapid.SampledFrom([]int64{-1, -1, 0, 5, control.NoLimit}).Draw(rt, string(m)+" "+h.Per+" "+h.Of)
					if n < 0 || quotas[h.Per] == "" {
						continue
					}
					ends := rapid.SampledFrom([]time.Duration{0, -time.Hour, time.Hour, 2 * time.Hour}).Draw(rt, "ends")
					s := access.QuotaSetting{Quota: quotas[h.Per], Per: h.Per, Of: h.Of, Limit: n}
					if ends != 0 {
						s.Until = now.Add(ends)
					}
					errs = append(errs, tx.PutQuotaSetting(s))
					if ends >= 0 {
						want[m][h] = row{n, true}
					}
					if ends > 0 && (until.IsZero() || s.Until.Before(until)) {
						until = s.Until
					}
				}
			}
			for i := range 5 {
				a := registry.App{Name: fmt.Sprint("a", i), Owner: rapid.SampledFrom([]string{"ada", "bob"}).Draw(rt, "owner"), Group: rapid.SampledFrom([]string{"", "g", "h"}).Draw(rt, "group")}
				if rapid.IntRange(0, 9).Draw(rt, "removed") == 0 {
					a.Removal = &registry.Removal{Done: now}
				}
				apps[a.Name] = a
				errs = append(errs, tx.PutApp(a))
			}
			return errors.Join(errs...)
		})
		if err != nil {
			rt.Fatal(err)
		}
		err = d.Store.View(t.Context(), func(tx state.Reader) error {
			got, err := d.Bounds(tx)
			if err != nil || !got.Until.Equal(until) {
				rt.Fatalf("others from %s on, want %s: %v", got.Until, until, err)
			}
			for name, a := range apps {
				var calls []string
				if limits := got.Calls[name]; limits != nil {
					for _, l := range *limits {
						calls = append(calls, fmt.Sprint(l.Quota, " ", l.Of, " ", l.Most))
					}
				}
				var wanted []string
				for _, h := range []control.Holder{{Per: "person", Of: a.Owner}, {Per: "group", Of: a.Group}, {Per: "node"}} {
					if r, ok := want[control.Calls][h]; ok && a.Removal == nil && (h.Per == "node" || h.Of != "") && (r.limit != control.NoLimit || r.set) {
						wanted = append(wanted, fmt.Sprint(names[control.Calls][h.Per], " ", h.Of, " ", r.limit))
					}
					r, ok := want[control.Memory][h]
					is, has := got.Memory[h]
					if ok = ok && a.Removal == nil && r.limit != control.NoLimit && h.Of != ""; ok && (!has || is.Left != r.limit || is.Quota != names[control.Memory][h.Per]) {
						rt.Fatalf("memory of %v: %+v, %v; want %+v, %v", h, is, has, r, ok)
					}
					if has && (r.limit == control.NoLimit || is.Left != r.limit) {
						rt.Fatalf("memory of %v: %+v; want %+v", h, is, r)
					}
				}
				if fmt.Sprint(calls) != fmt.Sprint(wanted) {
					rt.Fatalf("%+v: %v, want %v", a, calls, wanted)
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
