package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
	"github.com/agora-host/agora/triggers/webhook"
)

var hook = triggers.Ref{App: "bank", Kind: abi.TriggerWebhook, Name: "pay"}

func hookTrigger() triggers.Trigger { return triggers.Trigger{Ref: hook, Path: "/pay", Concurrency: 8} }

// desk is a dispatcher that can be ended and begun again.
type desk struct {
	t     *testing.T
	store *faulty
	got   calls
	*triggers.Dispatcher
	stop func()
}

func newDesk(t *testing.T) *desk {
	k := &desk{t: t, store: &faulty{Store: triggerstest.NewMemory()}}
	k.begin()
	return k
}

func (k *desk) begin() {
	k.Dispatcher = open(k.t, k.store, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
		k.got.add(tr, v)
		return nil
	})
	k.Set(hook.App, []triggers.Trigger{hookTrigger()})
	k.Set("b", []triggers.Trigger{subscription("b", "a/t", 1)})
	k.stop = run(k.Dispatcher)
}

func (k *desk) again() {
	k.stop()
	k.begin()
}

// fresh claims what no one has taken.
func (k *desk) fresh(r triggers.Ref, once string) *triggers.Claim {
	k.t.Helper()
	c, seen, err := k.Claim(r, once)
	if c == nil || seen || err != nil {
		k.t.Fatalf("%s: seen %v, %v; want it to be fresh", once, seen, err)
	}
	return c
}

func (k *desk) seen(once string) {
	k.t.Helper()
	if _, seen, err := k.Claim(hook, once); !seen || err != nil {
		k.t.Errorf("%s: seen %v, %v; want it to be seen", once, seen, err)
	}
}

// TestClaims: a webhook is let through once within the window, also by the next
// process; and again if it was not let through.
func TestClaims(t *testing.T) {
	if triggers.ReplayWindow != 2*webhook.Tolerance {
		t.Fatal("a timestamp may lie ahead as far as behind, and a copy come until it is too old")
	}
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		ctx := t.Context()
		a, b := k.fresh(hook, "a"), k.fresh(hook, "b")
		if _, seen, err := k.Claim(hook, "a"); seen || !errors.Is(err, triggers.ErrLater) {
			t.Errorf("while it is under way: seen %v, %v", seen, err)
		}
		other := hook
		other.Name = "other"
		k.fresh(other, "a").Release()
		if err := a.Keep(ctx); err != nil {
			t.Error(err)
		}
		b.Release()
		k.seen("a")
		if err := k.Enqueue(ctx, triggers.Delivery{ID: "b", Ref: hook, From: hook.App, At: time.Now()}, k.fresh(hook, "b")); err != nil {
			t.Error(err)
		}
		k.seen("b")
		k.fresh(hook, "under way when the process ends")
		k.again()
		k.seen("a")
		k.seen("b")
		k.fresh(hook, "under way when the process ends").Release()
		if all := k.got.take(); len(all) != 1 || all[0].id != "b" {
			t.Errorf("delivered %v", all)
		}

		// What cannot be stored is not let through, and may come again.
		k.store.set(func(triggers.Changes) fate { return fate{fails: true} })
		if err := k.fresh(hook, "c").Keep(ctx); err == nil {
			t.Error("kept without a record")
		}
		if err := k.Enqueue(ctx, triggers.Delivery{ID: "d", Ref: hook, From: hook.App}, k.fresh(hook, "d")); err == nil {
			t.Error("queued without a record")
		}
		k.store.set(nil)
		k.fresh(hook, "c").Release()
		k.fresh(hook, "d").Release()

		time.Sleep(triggers.ReplayWindow - time.Minute)
		k.seen("a")
		time.Sleep(time.Minute + time.Second)
		k.fresh(hook, "a").Release()
		time.Sleep(time.Minute)
		if left := stored(t, k.store).Seen; len(left) > 0 {
			t.Errorf("after the window is remembered: %v", left)
		}
		// Without something to tell it by, each is let through.
		if c, seen, err := k.Claim(hook, ""); c != nil || seen || err != nil {
			t.Errorf("%v, %v, %v", c, seen, err)
		}
		(*triggers.Claim)(nil).Release()
		k.stop()
	})
}

// TestClaimsAreBounded: of one app; nothing is forgotten to make room.
func TestClaimsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		for i := range 50_000 {
			if err := k.fresh(hook, fmt.Sprint(i)).Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		full := func() {
			t.Helper()
			if _, seen, err := k.Claim(hook, "more"); seen || !errors.Is(err, triggers.ErrBacklog) {
				t.Errorf("seen %v, %v", seen, err)
			}
			k.seen("0")
		}
		full()
		k.again()
		full()
		k.fresh(triggers.Ref{App: "b", Kind: abi.TriggerWebhook, Name: "pay"}, "more").Release()
		if id, err := k.Publish(t.Context(), hook.App, "t", "key", nil); id == "" || err != nil {
			t.Errorf("keys of events share the room: %v", err)
		}
		time.Sleep(triggers.ReplayWindow + 11*time.Second)
		k.fresh(hook, "more").Release()
		if left := stored(t, k.store).Seen; len(left) != 1 {
			t.Errorf("%d keys are stored", len(left))
		}
		k.stop()
	})
}

// TestForgottenAndUsedAnew: a key that is used while it is being forgotten is
// remembered.
func TestForgottenAndUsedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		if err := k.fresh(hook, "a").Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		first, err := k.Publish(t.Context(), "a", "t", "key", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range []time.Duration{triggers.ReplayWindow, 24*time.Hour - triggers.ReplayWindow} {
			k.store.set(func(c triggers.Changes) fate {
				if len(c.Forget) > 0 {
					return fate{before: time.Minute}
				}
				return fate{}
			})
			time.Sleep(span + 12*time.Second)
			if span == triggers.ReplayWindow {
				if _, seen, err := k.Claim(hook, "a"); seen || !errors.Is(err, triggers.ErrLater) {
					t.Errorf("while it is forgotten: seen %v, %v", seen, err)
				}
			} else if second, err := k.Publish(t.Context(), "a", "t", "key", []byte("x")); second == first || err != nil {
				t.Errorf("after a day: %s, %v", second, err)
			} else {
				first = second
			}
			time.Sleep(2 * time.Minute)
		}
		k.again()
		if second, err := k.Publish(t.Context(), "a", "t", "key", []byte("x")); second != first || err != nil {
			t.Errorf("it was forgotten with the one before: %s, %v", second, err)
		}
		k.stop()
	})
}

// TestKeysOfAnyBytes: keys that are no text are told apart after a restart, too.
func TestKeysOfAnyBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		ids := map[string]string{}
		publish := func() {
			for _, key := range []string{"\xff", "\xfe", "\xff\xfe", "\x00", "�", "plain"} {
				id, err := k.Publish(t.Context(), "a", "t", key, nil)
				if err != nil {
					t.Fatal(err)
				}
				if ids[key] != "" && ids[key] != id {
					t.Errorf("%q was published as %s and again as %s", key, ids[key], id)
				}
				ids[key] = id
			}
		}
		publish()
		synctest.Wait()
		k.again()
		publish()
		synctest.Wait()
		if all := k.got.take(); len(all) != len(ids) {
			t.Errorf("%d keys, %d events", len(ids), len(all))
		}
		k.stop()
	})
}

// TestOneClaimant: of many copies at the same time one is let through.
func TestOneClaimant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t)
		k.store.set(func(triggers.Changes) fate { return fate{before: time.Millisecond, after: time.Millisecond} })
		var copies sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for i := range 50 {
			copies.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				c, _, _ := k.Claim(hook, "same")
				if c == nil {
					return
				}
				if k.Enqueue(t.Context(), triggers.Delivery{ID: fmt.Sprint(i), Ref: hook, From: hook.App}, c) == nil {
					mu.Lock()
					defer mu.Unlock()
					taken++
				}
			})
		}
		copies.Wait()
		synctest.Wait()
		time.Sleep(time.Second)
		if all := k.got.take(); taken != 1 || len(all) != 1 {
			t.Errorf("%d were taken, and delivered %v", taken, all)
		}
		k.stop()
	})
}
