package triggers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

// TestErase: all that waits for an app goes, from memory and from the store, what is under way first
// comes to its end, a commit that fails is made by the next call, and other apps lose nothing.
func TestErase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: triggerstest.NewMemory()}
		held := make(chan struct{})
		d := open(t, store, func(ctx context.Context, tr triggers.Trigger, v triggers.Delivery) error {
			if tr.App == "shop" && string(v.Body) == "slow" {
				<-held
			}
			return errors.New("it fails")
		})
		all := []triggers.Trigger{subscription("shop", "a/t", 1), cronTrigger(t, "hourly", "0 * * * *", false)}
		all[1].App = "shop"
		d.Set("shop", all)
		d.Set("other", []triggers.Trigger{subscription("other", "a/t", 1)})
		stop := run(d)
		publish := func(key, body string) {
			if _, err := d.Publish(t.Context(), "a", "t", key, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		publish("one", "dies")
		time.Sleep(10 * time.Hour) // it is a dead letter of both
		publish("two", "slow")
		publish("three", "waits")
		synctest.Wait()
		if v := view(t, d, "shop", "a/t"); v.Dead != 1 || v.Queued+v.Running != 2 {
			t.Fatalf("before: %+v", v)
		}
		if _, err := d.Erase(t.Context(), "shop"); !errors.Is(err, triggers.ErrLater) {
			t.Errorf("while its triggers are live: %v", err)
		}
		d.Set("shop", nil)
		if _, err := d.Erase(t.Context(), "shop"); !errors.Is(err, triggers.ErrLater) {
			t.Errorf("while it is called: %v", err)
		}
		close(held)
		time.Sleep(100 * time.Millisecond) // what became of it is committed
		store.fails.Store(true)
		if _, err := d.Erase(t.Context(), "shop"); err == nil {
			t.Error("a disk that takes nothing: it is erased")
		}
		store.fails.Store(false)
		for i, want := range []int{3, 0} {
			if n, err := d.Erase(t.Context(), "shop"); err != nil || n != want {
				t.Errorf("call %d: %d, %v, want %d", i, n, err, want)
			}
		}
		stop()
		stored, err := store.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		others := 0
		for _, v := range stored.Deliveries {
			if v.App == "shop" {
				t.Errorf("stored still: %+v", v)
				continue
			}
			others++
		}
		for _, s := range stored.Statuses {
			if s.App == "shop" {
				t.Errorf("remembered still: %+v", s)
			}
		}
		if others != 3 {
			t.Errorf("the other app has %d, want 3", others)
		}
	})
}
