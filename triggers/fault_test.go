package triggers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

// faulty is a store some of whose commits fail, made or not, or take their time.
// Its process lives on.
type faulty struct {
	triggers.Store
	mu   sync.Mutex // guards all below
	fate func(triggers.Changes) fate
}

// fate is what becomes of a commit.
type fate struct {
	fails, made   bool          // made: although it fails
	before, after time.Duration // it waits
}

func (f *faulty) set(decide func(triggers.Changes) fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fate = decide
}

func (f *faulty) Commit(ctx context.Context, c triggers.Changes) error {
	f.mu.Lock()
	var is fate
	if f.fate != nil {
		is = f.fate(c)
	}
	f.mu.Unlock()
	time.Sleep(is.before)
	if !is.fails || is.made {
		if err := f.Store.Commit(ctx, c); err != nil {
			return err
		}
	}
	time.Sleep(is.after)
	if is.fails {
		return errors.New("no space left on device")
	}
	return nil
}

// Load reads what was written as JSON, as a store on a disk does.
func (f *faulty) Load(ctx context.Context) (s triggers.Stored, err error) {
	read, err := f.Store.Load(ctx)
	if err != nil {
		return s, err
	}
	raw, err := json.Marshal(read)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

// begins reports whether a commit is the decision that a run of a cron trigger begins.
func begins(c triggers.Changes) bool {
	return slices.ContainsFunc(c.Put, func(v triggers.Delivery) bool { return v.Kind == abi.TriggerCron })
}

// TestFailedRun: a run whose commit failed is due still. It comes once, under the
// id of its due time, whether the commit was made all the same and whether or not
// the process lives to try again.
func TestFailedRun(t *testing.T) {
	for _, catchUp := range []bool{false, true} {
		for _, made := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				t.Run(fmt.Sprintf("catchUp=%v,made=%v,dies=%v", catchUp, made, dies), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { failedRun(t, catchUp, made, dies) })
				})
			}
		}
	}
}

func failedRun(t *testing.T, catchUp, made, dies bool) {
	var got calls
	memory := triggerstest.NewMemory()
	live := func() (*faulty, *triggers.Dispatcher, func()) {
		store := &faulty{Store: memory}
		d := open(t, store, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil })
		d.Set("app", []triggers.Trigger{cronTrigger(t, "tick", "*/10 * * * *", catchUp)})
		return store, d, run(d)
	}
	store, d, stop := live()
	time.Sleep(9 * time.Minute)
	store.set(func(c triggers.Changes) fate {
		if begins(c) {
			store.fate = nil
			return fate{fails: true, made: made}
		}
		return fate{}
	})
	time.Sleep(61 * time.Second) // 00:10 is due, and its commit fails
	if all := got.take(); len(all) != 0 {
		t.Fatalf("it began without a record: %v", all)
	}
	if dies {
		store.set(func(triggers.Changes) fate { return fate{fails: true} })
		stop()
		store, d, stop = live()
	}
	time.Sleep(10 * time.Second)
	const id = "tick-20000101T001000Z"
	if all := got.take(); len(all) != 1 || all[0].id != id {
		t.Fatalf("it ran as %v, want once as %s", all, id)
	}
	if v := view(t, d, "app", "tick"); v.Done != 1 || v.Missed+v.Skipped != 0 || v.LastDue.Minute() != 10 {
		t.Errorf("%+v", v)
	}
	stop()
	_, d, stop = live()
	defer stop()
	time.Sleep(5 * time.Minute)
	if all := got.take(); len(all) != 0 {
		t.Errorf("it ran before the restart, and after it as %v", all)
	}
	if left := stored(t, memory); len(left.Deliveries) != 0 {
		t.Errorf("left over: %+v", left.Deliveries)
	}
	time.Sleep(5 * time.Minute)
	if all := got.take(); len(all) != 1 || all[0].id != "tick-20000101T002000Z" || view(t, d, "app", "tick").Done != 2 {
		t.Errorf("the next ran as %v", all)
	}
}

func stored(t testing.TB, store triggers.Store) triggers.Stored {
	t.Helper()
	s, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFailedForTooLong: a run that cannot begin on time is missed, also if one of
// its commits was made.
func TestFailedForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		store := &faulty{Store: triggerstest.NewMemory()}
		made := true
		store.set(func(c triggers.Changes) fate {
			if !begins(c) {
				return fate{}
			}
			defer func() { made = false }()
			return fate{fails: true, made: made}
		})
		for range 2 { // and after a restart
			d := open(t, store, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil })
			d.Set("app", []triggers.Trigger{cronTrigger(t, "tick", "0 * * * *", false)})
			stop := run(d)
			time.Sleep(70 * time.Minute)
			store.set(nil)
			if v := view(t, d, "app", "tick"); v.Missed != 1 {
				t.Errorf("%+v", v)
			}
			stop()
		}
		if all := got.take(); len(all) != 1 || all[0].id != "tick-20000101T020000Z" {
			t.Errorf("it was missed, and ran as %v", all)
		}
	})
}

// TestStopWhileARunBegins: the statuses that a node stores when it stops say of no
// run that it was decided whose commit fails then.
func TestStopWhileARunBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		memory := triggerstest.NewMemory()
		store := &faulty{Store: memory}
		live := func(store triggers.Store) *triggers.Dispatcher {
			d := open(t, store, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil })
			d.Set("app", []triggers.Trigger{cronTrigger(t, "tick", "0 * * * *", true)})
			return d
		}
		run(live(memory))() // the trigger is known
		d := live(store)
		stop := run(d)
		d.Observe(triggers.Ref{App: "app", Kind: abi.TriggerCron, Name: "tick"}, "x", nil)
		store.set(func(c triggers.Changes) fate {
			if begins(c) {
				return fate{before: 2 * time.Second, fails: true}
			}
			return fate{fails: true} // so that there is something to store when the node stops
		})
		time.Sleep(time.Hour + time.Second)
		store.set(nil)
		if err := d.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		store.set(func(triggers.Changes) fate { return fate{fails: true} }) // it is closed
		stop()
		d = live(memory)
		stop = run(d)
		defer stop()
		synctest.Wait()
		if all := got.take(); len(all) != 1 || all[0].id != "tick-20000101T010000Z" {
			t.Errorf("it ran as %v", all)
		}
	})
}

// TestCommitsOutOfOrder: commits that are under way at the same time end in any
// order; deliveries keep that of acceptance, and of a status the newest stays.
func TestCommitsOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		store := &faulty{Store: triggerstest.NewMemory()}
		deliver := func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
			got.add(tr, v)
			time.Sleep(time.Second)
			return nil
		}
		d := open(t, store, deliver)
		d.Set("b", []triggers.Trigger{subscription("b", "a/one", 1), subscription("b", "a/two", 2)})
		stop := run(d)
		publish := func(topic, body string) {
			if _, err := d.Publish(t.Context(), "a", topic, "", []byte(body)); err != nil {
				t.Error(err)
			}
		}
		publish("one", "holds the line")
		slow := 500 * time.Millisecond
		store.set(func(triggers.Changes) fate { // each faster than the one before
			slow -= 100 * time.Millisecond
			return fate{before: slow / 2, after: slow / 2}
		})
		var publishing sync.WaitGroup
		for i := range 4 {
			publishing.Go(func() { publish("one", fmt.Sprint(i)) })
			synctest.Wait()
		}
		publishing.Wait()
		store.set(nil)
		time.Sleep(10 * time.Second)
		var bodies []string
		for _, c := range got.take() {
			bodies = append(bodies, c.body)
		}
		if want := []string{"holds the line", "0", "1", "2", "3"}; !slices.Equal(bodies, want) {
			t.Errorf("delivered in the order %q, want %q", bodies, want)
		}

		publish("two", "first")
		publish("two", "second")
		first := true
		store.set(func(triggers.Changes) fate { // the first to be concluded is the last to be stored
			defer func() { first = false }()
			if first {
				return fate{before: time.Second}
			}
			return fate{}
		})
		time.Sleep(10 * time.Second)
		store.set(nil)
		shown := view(t, d, "b", "a/two")
		stop()
		d = open(t, store, deliver)
		d.Set("b", []triggers.Trigger{subscription("b", "a/two", 2)})
		if v := view(t, d, "b", "a/two"); v.Done != 2 || v.Version != shown.Version || v.LastID != shown.LastID {
			t.Errorf("stored is %+v, want %+v", v, shown.Status)
		}
	})
}

// TestSetAgain: news of an app that leave a schedule as it is change nothing of it.
func TestSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got calls
		d := open(t, triggerstest.NewMemory(), func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error { got.add(tr, v); return nil })
		tick := cronTrigger(t, "tick", "*/10 * * * *", false)
		for i := range 6 {
			tick.Paused = i == 3
			d.Set("app", []triggers.Trigger{tick})
		}
		stop := run(d)
		defer stop()
		time.Sleep(61 * time.Minute)
		if all, v := got.take(), view(t, d, "app", "tick"); len(all) != 6 || v.Skipped != 0 {
			t.Errorf("in an hour it ran %d times, and %d were skipped", len(all), v.Skipped)
		}
	})
}

// TestDeadLettersUnderFaults: the bound holds whoever is buried at the same time,
// the newest come first through a restart, and a change that was made although it
// failed leaves nothing behind.
func TestDeadLettersUnderFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: triggerstest.NewMemory()}
		refuses := func(context.Context, triggers.Trigger, triggers.Delivery) error { return errors.New("no") }
		d := open(t, store, refuses)
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 8)})
		stop := run(d)
		slow := time.Second
		store.set(func(c triggers.Changes) fate { // burials at the same time end in any order
			slow = (slow + 370*time.Millisecond) % time.Second
			return fate{before: slow}
		})
		for i := range 1100 {
			if _, err := d.Publish(t.Context(), "a", "t", "", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(48 * time.Hour)
		store.set(nil)
		letters := func() []triggers.Delivery {
			t.Helper()
			dead, _, err := d.Dead(t.Context(), "b", "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			if n := view(t, d, "b", "a/t").Dead; n != len(dead) {
				t.Errorf("%d dead letters are counted, and %d listed", n, len(dead))
			}
			return dead
		}
		dead := letters()
		if len(dead) != 1000 || len(stored(t, store).Deliveries) != 1000 {
			t.Errorf("%d dead letters are listed, and %d stored: the bound is 1000", len(dead), len(stored(t, store).Deliveries))
		}
		store.set(func(triggers.Changes) fate { return fate{fails: true, made: true} })
		if _, err := d.Drop(t.Context(), "b", dead[0].Seq, nil); err == nil {
			t.Error("dropped without a record")
		}
		if _, err := d.Drop(t.Context(), "b", dead[1].Seq, nil); err == nil {
			t.Error("dropped without a record")
		}
		store.set(nil)
		if _, err := d.Drop(t.Context(), "b", dead[0].Seq, nil); !errors.Is(err, triggers.ErrNotFound) {
			t.Errorf("what was dropped, dropped again: %v", err)
		}
		if letters(); len(letters()) != 998 {
			t.Errorf("%d are left", len(letters()))
		}
		dead = letters()
		stop()
		d = open(t, store, refuses)
		d.Set("b", []triggers.Trigger{subscription("b", "a/t", 8)})
		for i, v := range letters() {
			if v.Seq != dead[i].Seq {
				t.Fatalf("after a restart letter %d is %d, before it %d", i, v.Seq, dead[i].Seq)
			}
		}
	})
}
