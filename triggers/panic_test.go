package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

// TestPoisonDeliveries: deliveries that always panic are failed attempts and end in the dead
// letters, more of them than may run at once, and hold up no other.
func TestPoisonDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch := calm.New(slog.New(slog.DiscardHandler))
		var got calls
		d, err := triggers.Open(t.Context(), triggers.Options{
			Store: triggerstest.NewMemory(), Now: time.Now, Logger: slog.New(slog.DiscardHandler), Watch: watch,
			Deliver: func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
				if string(v.Body) == "poison" {
					panic("poison")
				}
				got.add(tr, v)
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 8)})
		stop := run(d)
		defer stop()
		const poison, attempts = 100, 8
		for range poison {
			if _, err := d.Publish(t.Context(), "a", "t", "", []byte("poison")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Publish(t.Context(), "a", "t", "", []byte("fine")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if all := got.take(); len(all) != 1 {
			t.Errorf("beside poison %d of 1 deliveries were made", len(all))
		}
		time.Sleep(24 * time.Hour)
		dead, _, err := d.Dead(t.Context(), "b", "", 1000)
		if err != nil || len(dead) != poison {
			t.Fatalf("%d dead letters, %v; want %d", len(dead), err, poison)
		}
		if v := dead[0]; v.Attempts != attempts || v.Error != "BUG: panic in delivery: poison" {
			t.Errorf("a dead letter %+v", v)
		}
		if v := view(t, d, "b", "a/t"); v.Running != 0 || v.Queued != 0 || v.Dead != poison || v.Failed != poison*attempts {
			t.Errorf("%+v", v)
		}
		if n := watch.Counts()["delivery"]; n != poison*attempts {
			t.Errorf("%d panics counted", n)
		}
	})
}

// shaky is a store that panics at random, before or after it did what it was asked.
type shaky struct {
	triggers.Store
	mu   sync.Mutex // guards all below
	rand *rand.Rand
	calm bool
}

func (s *shaky) maybe(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.calm && s.rand.IntN(4) == 0 {
		panic(errors.New(what))
	}
}

func (s *shaky) Delivery(ctx context.Context, seq uint64) (triggers.Delivery, error) {
	s.maybe("a read")
	return s.Store.Delivery(ctx, seq)
}

func (s *shaky) Commit(ctx context.Context, c triggers.Changes) error {
	s.maybe("before a commit")
	err := s.Store.Commit(ctx, c)
	s.maybe("after a commit")
	return err
}

// TestStoreThatPanics: whatever panics between the queue and its store, no lock, place, key or
// count is kept for ever: when it ends, all that was acknowledged is delivered and crons run.
func TestStoreThatPanics(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { storePanics(t, seed) })
	}
}

func storePanics(t *testing.T, seed uint64) {
	store := &shaky{Store: triggerstest.NewMemory(), rand: rand.New(rand.NewPCG(seed, 1)), calm: true}
	watch := calm.New(slog.New(slog.DiscardHandler))
	watch.Inject(func(where string) {
		if where != "delivery" {
			store.maybe(where)
		}
	})
	var got calls
	d, err := triggers.Open(t.Context(), triggers.Options{
		Store: store, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Watch: watch,
		Deliver: func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tick := cronTrigger(t, "tick", "*/10 * * * *", true)
	d.Set("app", []triggers.Trigger{tick, subscription("app", "a/t", 2)})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	watch.Loop(ctx, &running, "dispatcher", d.Run)
	shake := func(still bool) {
		store.mu.Lock()
		defer store.mu.Unlock()
		store.calm = still
	}
	shake(false)
	accepted := map[string]bool{}
	hook := triggers.Ref{App: "app", Kind: abi.TriggerWebhook, Name: "h"}
	for i := range 60 {
		body := fmt.Sprint(i)
		_ = watch.Do("test", func() error {
			if _, err := d.Publish(t.Context(), "a", "t", body, []byte(body)); err == nil {
				accepted[body] = true
			}
			return nil
		})
		_ = watch.Do("test", func() error {
			claim, _, err := d.Claim(hook, body)
			if err != nil {
				t.Errorf("a webhook's key is kept for ever: %v", err)
			}
			defer claim.Release()
			return claim.Keep(t.Context())
		})
		time.Sleep(time.Minute)
	}
	shake(true)
	time.Sleep(30 * time.Minute)
	for i := range 60 { // under their keys: those that were accepted are not queued again
		if _, err := d.Publish(t.Context(), "a", "t", fmt.Sprint(i), []byte(fmt.Sprint(i))); err != nil {
			t.Errorf("seed %d: a key is kept for ever: %v", seed, err)
		}
	}
	time.Sleep(time.Hour + 5*time.Minute)
	delivered, runs := map[string]bool{}, 0
	for _, c := range got.take() {
		if c.ref.Kind == abi.TriggerCron {
			runs++
		}
		delivered[c.body] = true
	}
	for body := range accepted {
		if !delivered[body] {
			t.Errorf("seed %d: %s was accepted and never delivered", seed, body)
		}
	}
	for _, v := range stored(t, store.Store).Deliveries {
		if accepted[bodyOf(t, store.Store, v.Seq)] {
			t.Errorf("seed %d: %d was delivered, and is queued until the next start", seed, v.Seq)
		}
	}
	for _, v := range d.Views("app") {
		if v.Running != 0 || v.Queued != 0 {
			t.Errorf("seed %d: it holds %+v", seed, v)
		}
	}
	if runs < 8 || d.Waiting() != 0 {
		t.Errorf("seed %d: %d cron runs; %d deliveries wait", seed, runs, d.Waiting())
	}
	cancel()
	running.Wait()
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func bodyOf(t testing.TB, store triggers.Store, seq uint64) string {
	t.Helper()
	v, err := store.Delivery(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Body)
}

// TestHold: on a node that holds its triggers nothing is delivered and all is taken; without, it
// all is, and a cron trigger runs once for what was due meanwhile.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		store := triggerstest.NewMemory()
		live := func(hold bool) (*triggers.Dispatcher, func()) {
			d, err := triggers.Open(t.Context(), triggers.Options{
				Store: store, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Hold: hold,
				Deliver: func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			d.Set("app", []triggers.Trigger{cronTrigger(t, "tick", "*/10 * * * *", true), subscription("app", "a/t", 2)})
			return d, run(d)
		}
		_, stop := live(false)
		stop()
		d, stop := live(true)
		tick := triggers.Ref{App: "app", Kind: abi.TriggerCron, Name: "tick"}
		if _, err := d.Publish(t.Context(), "a", "t", "", []byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := d.Fire(t.Context(), tick, nil); !errors.Is(err, triggers.ErrHeld) || !d.Paused(tick) {
			t.Errorf("a run by hand: %v", err)
		}
		time.Sleep(10 * 24 * time.Hour) // longer than a delivery waits
		if all := got.take(); len(all) != 0 || d.Waiting() != 1 {
			t.Errorf("it delivered %v, and %d wait", all, d.Waiting())
		}
		stop()
		d, stop = live(false)
		defer stop()
		time.Sleep(time.Second)
		if all := got.take(); len(all) != 2 || d.Waiting() != 0 {
			t.Errorf("it delivered %v, and %d wait", all, d.Waiting())
		}
	})
}
