package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/cron"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

// calls records what was delivered, in order.
type calls struct {
	mu  sync.Mutex
	all []call
}

type call struct {
	ref     triggers.Ref
	id      string
	attempt int
	at      time.Time
	body    string
}

func (c *calls) add(t triggers.Trigger, d triggers.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call{t.Ref, d.ID, d.Attempts + 1, time.Now(), string(d.Body)})
}

func (c *calls) take() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

func open(t testing.TB, store triggers.Store, deliver func(context.Context, triggers.Trigger, triggers.Delivery) error) *triggers.Dispatcher {
	t.Helper()
	d, err := triggers.Open(t.Context(), triggers.Options{Store: store, Deliver: deliver, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run starts a dispatcher and returns what stops it.
func run(d *triggers.Dispatcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { d.Run(ctx) })
	return func() {
		cancel()
		ended.Wait()
		_ = d.Stop(ctx) // a store that has crashed cannot be written to
	}
}

func cronTrigger(t testing.TB, name, schedule string, catchUp bool) triggers.Trigger {
	t.Helper()
	s, err := cron.Parse(schedule, nil)
	if err != nil {
		t.Fatal(err)
	}
	return triggers.Trigger{Ref: triggers.Ref{App: "app", Kind: abi.TriggerCron, Name: name}, Path: "/", Spec: schedule, Schedule: s, CatchUp: catchUp}
}

func subscription(app, topic string, concurrency int) triggers.Trigger {
	return triggers.Trigger{Ref: triggers.Ref{App: app, Kind: abi.TriggerEvent, Name: topic}, Path: "/", Concurrency: concurrency}
}

func view(t testing.TB, d *triggers.Dispatcher, app, name string) triggers.View {
	t.Helper()
	for _, v := range d.Views(app) {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("%s has no trigger %s", app, name)
	return triggers.View{}
}

// TestCron: each due time once, no overlap, and what was missed is dealt with as
// the trigger says.
func TestCron(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		var long atomic.Bool
		deliver := func(_ context.Context, tr triggers.Trigger, d triggers.Delivery) error {
			got.add(tr, d)
			if long.Load() {
				time.Sleep(12 * time.Minute)
			}
			return nil
		}
		store := triggerstest.NewMemory()
		both := []triggers.Trigger{cronTrigger(t, "skip", "*/5 * * * *", false), cronTrigger(t, "once", "*/5 * * * *", true)}
		d := open(t, store, deliver)
		d.Set("app", both)
		stop := run(d)
		time.Sleep(16 * time.Minute) // from midnight on, 1 January 2000
		if all := got.take(); len(all) != 6 || all[0].at.Minute() != 5 || all[5].at.Minute() != 15 {
			t.Errorf("in a quarter of an hour: %v", all)
		}
		long.Store(true)
		time.Sleep(20 * time.Minute) // due at 20, 25, 30, 35; the one of 20 runs until 32
		long.Store(false)
		time.Sleep(15 * time.Minute)
		if v := view(t, d, "app", "skip"); v.Skipped != 4 { // 25 and 30, and 40 and 45 of the one of 35
			t.Errorf("%d were skipped", v.Skipped)
		}
		got.take()
		stop()

		d = open(t, store, deliver)
		d.Set("app", both)
		stop = run(d)
		synctest.Wait()
		if all := got.take(); len(all) != 0 {
			t.Errorf("started again, and what had run ran again: %v", all)
		}
		stop()

		time.Sleep(3*time.Hour + 2*time.Minute)
		d = open(t, store, deliver)
		d.Set("app", both)
		stop = run(d)
		synctest.Wait()
		all := got.take()
		if len(all) != 1 || all[0].ref.Name != "once" || time.Since(all[0].at) > time.Second {
			t.Errorf("after three hours away: %v", all)
		}
		if v := view(t, d, "app", "skip"); v.Missed != 1 {
			t.Errorf("%d were missed", v.Missed)
		}
		// Pausing and resuming makes up for nothing.
		both[1].Paused = true
		d.Set("app", both)
		time.Sleep(time.Hour)
		both[1].Paused = false
		d.Set("app", both)
		synctest.Wait()
		for _, c := range got.take() {
			if c.ref.Name == "once" {
				t.Errorf("paused, and ran at %s", c.at)
			}
		}
		stop()
	})
}

// TestClockJumps: due times are decided once, whichever way the clock goes.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		var mu sync.Mutex
		var shift time.Duration
		jump := func(by time.Duration) {
			mu.Lock()
			shift += by
			mu.Unlock()
		}
		now := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(shift)
		}
		d, err := triggers.Open(t.Context(), triggers.Options{Store: triggerstest.NewMemory(), Now: now, Logger: slog.New(slog.DiscardHandler),
			Deliver: func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		d.Set("app", []triggers.Trigger{cronTrigger(t, "hourly", "0 * * * *", true)})
		stop := run(d)
		defer stop()
		time.Sleep(90 * time.Minute) // 01:00 ran
		jump(-time.Hour)             // 00:30 again
		time.Sleep(time.Hour)        // 01:30: 01:00 has run
		jump(5 * time.Hour)          // 06:30: the last missed one is made up for
		time.Sleep(2 * time.Minute)
		jump(-26 * time.Hour) // the clock was wrong: what it decided is void only beyond a day
		time.Sleep(3 * time.Hour)
		var ids []string
		for _, c := range got.take() {
			ids = append(ids, c.id)
		}
		if len(ids) < 2 || ids[0] != "hourly-20000101T010000Z" || ids[1] != "hourly-20000101T060000Z" || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
			t.Errorf("ran %v", ids)
		}
	})
}

// TestRetries: the waits grow, a success ends them, and what fails for good is a
// dead letter that can be delivered again or dropped.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		fails := map[string]int{"poison": 1000, "flaky": 2}
		d := open(t, triggerstest.NewMemory(), func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
			got.add(tr, v)
			if fails[string(v.Body)]--; fails[string(v.Body)] >= 0 {
				return errors.New("no")
			}
			return nil
		})
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
		stop := run(d)
		defer stop()
		for _, body := range []string{"poison", "flaky", "fine"} {
			if _, err := d.Publish(t.Context(), "a", "t", "", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if all := got.take(); len(all) != 3 || all[2].body != "fine" {
			t.Fatalf("a poison event holds others up: %v", all)
		}
		time.Sleep(24 * time.Hour)
		var poison []time.Duration
		var before time.Time
		flaky := 0
		for _, c := range got.take() {
			switch c.body {
			case "flaky":
				flaky++
			case "poison":
				if !before.IsZero() {
					poison = append(poison, c.at.Sub(before))
				}
				before = c.at
			}
		}
		if flaky != 2 || len(poison) != 6 { // the first attempt of each was taken above
			t.Fatalf("flaky came %d more times, poison with waits %v", flaky, poison)
		}
		for i, want := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour} {
			if ratio := float64(poison[i]) / float64(want); ratio < 0.75 || ratio > 1.25 {
				t.Errorf("wait %d: %s, want about %s", i+2, poison[i], want)
			}
		}
		dead, _, err := d.Dead(t.Context(), "b", "", 1000)
		if err != nil || len(dead) != 1 || dead[0].Attempts != 8 || dead[0].Error != "no" || string(dead[0].Body) != "poison" {
			t.Fatalf("dead letters: %+v, %v", dead, err)
		}
		fails["poison"] = 0
		if _, err := d.Redeliver(t.Context(), "b", dead[0].Seq, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all := got.take(); len(all) != 1 || all[0].id != dead[0].ID || all[0].attempt != 1 {
			t.Errorf("delivered again: %v", all)
		}
		if _, err := d.Drop(t.Context(), "b", dead[0].Seq, nil); !errors.Is(err, triggers.ErrNotFound) {
			t.Errorf("dropped what was delivered: %v", err)
		}
		if v := view(t, d, "b", "a/t"); v.Queued+v.Running+v.Dead != 0 || v.Done != 3 || v.Failed != 10 || v.Outcome != "ok" {
			t.Errorf("%+v", v)
		}
	})
}

// TestOrderAndRoom: one at a time in order, more at once where that is asked for,
// and never more than the app and the node may.
func TestOrderAndRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		var mu sync.Mutex
		running, most := map[string]int{}, map[string]int{}
		d := open(t, triggerstest.NewMemory(), func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				for _, k := range []string{tr.Name, tr.App, ""} {
					running[k] += by
					most[k] = max(most[k], running[k])
				}
			}
			count(1)
			got.add(tr, v)
			time.Sleep(time.Second)
			count(-1)
			return nil
		})
		for i := range 10 {
			app := fmt.Sprintf("b%d", i)
			d.Set(app, []triggers.Trigger{subscription(app, "a/one", 1), subscription(app, "a/four", 4), subscription(app, "a/many", 32)})
		}
		stop := run(d)
		defer stop()
		d.Set("solo", []triggers.Trigger{subscription("solo", "a/solo", 32)})
		for range 40 {
			if _, err := d.Publish(t.Context(), "a", "solo", "", nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if mu.Lock(); most["solo"] != 8 {
			t.Errorf("one app alone ran %d at once", most["solo"])
		}
		clear(most)
		mu.Unlock()
		for i := range 40 {
			for _, topic := range []string{"one", "four", "many"} {
				if _, err := d.Publish(t.Context(), "a", topic, "", fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(2 * time.Hour)
		next := map[triggers.Ref]int{}
		for _, c := range got.take() {
			if c.ref.Name != "a/one" {
				continue
			}
			if c.body != fmt.Sprint(next[c.ref]) {
				t.Fatalf("%v got %s, want %d", c.ref, c.body, next[c.ref])
			}
			next[c.ref]++
		}
		if len(next) != 10 || next[triggers.Ref{App: "b0", Kind: abi.TriggerEvent, Name: "a/one"}] != 40 {
			t.Errorf("%v", next)
		}
		mu.Lock()
		defer mu.Unlock()
		if most[""] != 32 || most["b0"] > 8 || most["a/one"] > 10 || most["a/four"] > 40 || most["b0"] < 4 {
			t.Errorf("at once: %v", most)
		}
	})
}

// TestDedupe: a key publishes once in a day, also for callers at the same time.
func TestDedupe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		store := &moody{Store: triggerstest.NewMemory()}
		deliver := func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil }
		d := open(t, store, deliver)
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
		stop := run(d)
		ids := make([]string, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				ids[i], _ = d.Publish(t.Context(), "a", "t", "order-1", []byte("x"))
				if store.commits.Load() == 0 {
					t.Error("acknowledged before it was durable")
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if all := got.take(); len(all) != 1 || len(slices.Compact(ids)) != 1 || ids[0] != all[0].id {
			t.Errorf("ids %v, delivered %v", ids, all)
		}
		stop()
		d = open(t, store, deliver) // it is remembered through a restart
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
		stop = run(d)
		defer stop()
		if id, err := d.Publish(t.Context(), "a", "t", "order-1", []byte("x")); id != ids[0] || err != nil {
			t.Errorf("after a restart: %s, %v", id, err)
		}
		if id, err := d.Publish(t.Context(), "other", "t", "order-1", []byte("x")); id == ids[0] || err != nil {
			t.Errorf("another app's key: %s, %v", id, err)
		}
		time.Sleep(26 * time.Hour)
		if id, err := d.Publish(t.Context(), "a", "t", "order-1", []byte("x")); id == ids[0] || err != nil {
			t.Errorf("after a day: %s, %v", id, err)
		}
	})
}

// moody is a store that takes its time, and sometimes fails without dying.
type moody struct {
	triggers.Store
	fails   atomic.Bool
	commits atomic.Int64
}

func (m *moody) Commit(ctx context.Context, c triggers.Changes) error {
	time.Sleep(10 * time.Millisecond)
	if m.fails.Load() {
		return errors.New("no space left on device")
	}
	m.commits.Add(1)
	return m.Store.Commit(ctx, c)
}

// TestFullDisk: while nothing can be stored, nothing is acknowledged and no run
// begins; then everything goes on.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		store := &moody{Store: triggerstest.NewMemory()}
		d := open(t, store, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil })
		d.Set("app", []triggers.Trigger{cronTrigger(t, "hourly", "0 * * * *", false)})
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
		stop := run(d)
		time.Sleep(59 * time.Minute)
		store.fails.Store(true)
		if _, err := d.Publish(t.Context(), "a", "t", "key", []byte("x")); !errors.Is(err, abi.ErrnoUnavailable) {
			t.Errorf("acknowledged: %v", err)
		}
		time.Sleep(90 * time.Second) // 01:00 is due
		if all := got.take(); len(all) != 0 {
			t.Errorf("begun without a record: %v", all)
		}
		store.fails.Store(false)
		if _, err := d.Publish(t.Context(), "a", "t", "key", []byte("x")); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if all := got.take(); len(all) != 2 {
			t.Errorf("with room again: %v", all)
		}
		// What was delivered and could not be acknowledged comes again.
		if _, err := d.Publish(t.Context(), "a", "t", "", []byte("y")); err != nil {
			t.Error(err)
		}
		store.fails.Store(true)
		time.Sleep(7 * time.Second)
		store.fails.Store(false)
		time.Sleep(time.Minute)
		if all := got.take(); len(all) < 2 || all[0].id != all[len(all)-1].id {
			t.Errorf("not acknowledged: %v", all)
		}
		if v := view(t, d, "b", "a/t"); v.Queued != 0 {
			t.Errorf("%+v", v)
		}
		stop()
	})
}

// TestBacklog: what one app causes is bounded, and what is paused waits, then
// expires.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, triggerstest.NewMemory(), func(context.Context, triggers.Trigger, triggers.Delivery) error { return nil })
		paused := subscription("b", "a/t", 1)
		paused.Paused = true
		d.Set("b", []triggers.Trigger{paused})
		stop := run(d)
		defer stop()
		big := make([]byte, abi.MaxEvent)
		n := 0
		for ; n < 20_000; n++ {
			if _, err := d.Publish(t.Context(), "a", "t", "", big); errors.Is(err, triggers.ErrBacklog) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n != 1024 {
			t.Errorf("%d events of 64 KiB fit", n)
		}
		if _, err := d.Publish(t.Context(), "c", "t", "", big); err != nil {
			t.Errorf("another app's room: %v", err)
		}
		time.Sleep(8 * 24 * time.Hour)
		var dead []triggers.Delivery
		after, parts := "", 0
		var err error
		for seen := map[uint64]bool{}; err == nil && (parts == 0 || after != ""); parts++ {
			var part []triggers.Delivery
			part, after, err = d.Dead(t.Context(), "b", after, 300)
			for _, v := range part {
				if seen[v.Seq] {
					t.Fatalf("%d is in two parts", v.Seq)
				}
				seen[v.Seq], dead = true, append(dead, v)
			}
		}
		if err != nil || len(dead) != 1000 || parts < 10 {
			t.Fatalf("%d dead letters in %d parts, %v: the bound is 1000", len(dead), parts, err)
		}
		if _, err := d.Publish(t.Context(), "a", "t", "", big); err != nil {
			t.Errorf("when they expired: %v", err)
		}
		for _, v := range dead {
			if _, err := d.Drop(t.Context(), "b", v.Seq, nil); err != nil {
				t.Fatal(err)
			}
		}
		if v := view(t, d, "b", "a/t"); v.Dead != 0 || v.Queued != 1 {
			t.Errorf("%+v", v)
		}
	})
}

// TestBacklogIsReadAgain: what waited before a start counts after it.
func TestBacklogIsReadAgain(t *testing.T) {
	store := triggerstest.NewMemory()
	var c triggers.Changes
	for seq := range uint64(10_000) {
		c.Put = append(c.Put, triggers.Delivery{Seq: 1 + seq, ID: fmt.Sprint(seq), Ref: subscription("b", "a/t", 1).Ref, From: "a", At: time.Now()})
	}
	if err := store.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	d := open(t, store, nil)
	d.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
	if _, err := d.Publish(t.Context(), "a", "t", "", nil); !errors.Is(err, triggers.ErrBacklog) {
		t.Errorf("published to a full queue: %v", err)
	}
}
