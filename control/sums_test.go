package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// TestCompareSums: whatever apps belong to whom and ran how much, exactly those have nothing left whose owner, whose
// group or whose node has run as much as it may, and none if nothing is bounded. What an app that is none ran
// counts for whom it was run.
func TestCompareSums(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.SampledFrom([]int64{0, 1, 5, 10, control.NoLimit, -1}) // -1: nobody says
		if rapid.IntRange(0, 3).Draw(rt, "free") == 0 {
			limit = rapid.SampledFrom([]int64{control.NoLimit, -1})
		}
		d := &control.Desk{
			Store: statetest.NewMemory(now), Now: now, Logger: slog.New(slog.DiscardHandler), Quotas: control.Quotas{},
			Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
		}
		limits := map[[2]string]int64{}
		bounded := false
		if n := limit.Draw(rt, "at start"); n >= 0 {
			bounded = n != control.NoLimit // of people who come later, too
			d.Quotas["fuel-a-day"] = n
			for _, who := range []string{"ada", "bob"} {
				limits[[2]string{"person", who}] = n
			}
		}
		apps, wantRan := map[string]registry.App{}, map[[2]string]int64{}
		var ran []control.Reading
		_, err := d.Store.Update(t.Context(), "node", func(tx state.Tx) error {
			tx.Emit("release.published", "a", "1", nil)
			var errs []error
			for _, h := range [][2]string{{"person", "ada"}, {"person", "bob"}, {"group", "g"}, {"group", "h"}, {"node", ""}} {
				if n := limit.Draw(rt, h[0]+" "+h[1]); n >= 0 {
					limits[h] = n
					quota := map[string]string{"person": "fuel-a-day", "group": "group-fuel-a-day", "node": "node-fuel-a-day"}[h[0]]
					errs = append(errs, tx.PutQuotaSetting(access.QuotaSetting{Quota: quota, Per: h[0], Of: h[1], Limit: n}))
				}
			}
			for i := range 5 {
				a := registry.App{Name: fmt.Sprint("a", i), Owner: rapid.SampledFrom([]string{"ada", "bob"}).Draw(rt, "owner"), Group: rapid.SampledFrom([]string{"", "g", "h"}).Draw(rt, "group")}
				apps[a.Name] = a
				errs = append(errs, tx.PutApp(a))
				if n := rapid.SampledFrom([]uint64{0, 1, 4, 1 << 63}).Draw(rt, "ran"); n > 0 {
					ran = append(ran, control.Reading{App: a.Name, Owner: "bob", N: n})
				}
			}
			errs = append(errs, tx.PutUser(access.User{ID: "u_bob", Name: "bob"}))
			if rapid.Bool().Draw(rt, "refused") { // what no app came of
				ran = append(ran, control.Reading{App: "none", Owner: "bob", N: 4})
				wantRan[[2]string{"person", "bob"}], wantRan[[2]string{"node", ""}] = 4, 4
			}
			return errors.Join(errs...)
		})
		if err != nil {
			rt.Fatal(err)
		}
		holders := func(a registry.App) [][2]string {
			return [][2]string{{"person", a.Owner}, {"group", a.Group}, {"node", ""}}
		}
		for _, r := range ran {
			a, ok := apps[r.App]
			for _, h := range holders(a) {
				switch {
				case !ok:
				case r.N > 1<<62:
					wantRan[h] = 1 << 62
				default:
					wantRan[h] += int64(r.N)
				}
			}
		}
		for _, n := range limits {
			bounded = bounded || n != control.NoLimit
		}
		err = d.Store.View(t.Context(), func(tx state.Reader) error {
			is, err := d.Bounded(tx)
			if err != nil || is[control.Fuel] != bounded || len(is) > 1 {
				rt.Fatalf("bounded: %v, %v; limits %v", is, err, limits)
			}
			_, bounds, err := d.Compare(tx, control.Fuel, ran)
			for name, a := range apps {
				want := false
				for _, h := range holders(a) {
					n, known := limits[h]
					want = want || (known && h[1] != "" || known && h[0] == "node") && n != control.NoLimit && wantRan[h] >= n
				}
				over := slices.ContainsFunc(bounds[name], func(b *control.Bound) bool { return b.Left <= 0 })
				if over != want {
					rt.Fatalf("%+v: %v, want over: %v; ran %v of %v", a, bounds[name], want, wantRan, limits)
				}
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
