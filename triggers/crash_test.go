package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

// brittle is a store whose process dies at a commit: before it, or after it and
// before anybody is told. From then on it returns nothing but errors.
type brittle struct {
	triggers.Store
	mu      sync.Mutex // guards all below
	commits int
	dieAt   int  // 0: never
	after   bool // the fatal commit is made
	dead    bool
}

var errDead = errors.New("the process is dead")

func (b *brittle) Commit(ctx context.Context, c triggers.Changes) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits++
	if b.commits == b.dieAt && !b.dead {
		b.dead = true
		if b.after {
			_ = b.Store.Commit(ctx, c)
		}
	}
	if b.dead {
		return errDead
	}
	return b.Store.Commit(ctx, c)
}

func (b *brittle) isDead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dead
}

// world is what an outsider sees of many lives of one queue.
type world struct {
	t      testing.TB
	memory *triggerstest.Memory
	store  *brittle
	d      *triggers.Dispatcher
	stop   func()
	crons  []triggers.Trigger

	mu       sync.Mutex
	accepted map[string]string // acknowledged event id to body
	offered  map[string]bool   // bodies that were sent, acknowledged or not
	arrived  map[string]int    // successes by id
	bodies   map[string]string // body by id
	fails    func() bool
	lives    int

	slow   time.Duration // how long a commit takes at most
	failed int           // commits that failed in lives that went on
	left   int           // so many more will
	before func(triggers.Changes)
	made   bool // and are made all the same
}

func newWorld(t testing.TB) *world {
	return &world{t: t, memory: triggerstest.NewMemory(), accepted: map[string]string{}, offered: map[string]bool{}, arrived: map[string]int{}, bodies: map[string]string{},
		crons: []triggers.Trigger{cronTrigger(t, "tick", "*/10 * * * *", true)}, fails: func() bool { return false }}
}

// live starts another life, that ends at its dieAt-th commit (0: it does not).
func (w *world) live(dieAt int, after bool) {
	w.lives++
	store := &brittle{Store: w.memory, dieAt: dieAt, after: after}
	w.store = store
	w.d = open(w.t, &faulty{Store: store, fate: w.fate}, func(_ context.Context, tr triggers.Trigger, v triggers.Delivery) error {
		time.Sleep(100 * time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		if store.isDead() {
			return errDead // no one sees this any more
		}
		if tr.Kind == abi.TriggerEvent && w.fails() { // a run of a cron trigger is not repeated
			return errors.New("the app failed")
		}
		w.arrived[tr.App+" "+v.ID]++
		w.bodies[v.ID] = string(v.Body)
		return nil
	})
	w.d.Set("app", w.crons)
	w.d.Set("b", []triggers.Trigger{subscription("b", "a/t", 2)})
	w.d.Set("c", []triggers.Trigger{subscription("c", "a/t", 1)})
	w.stop = run(w.d)
}

// fate lets commits take their time, so that they end in any order, and fail.
func (w *world) fate(c triggers.Changes) (f fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.before != nil {
		w.before(c)
	}
	if w.slow > 0 {
		f.before, f.after = rand.N(w.slow), rand.N(w.slow)
	}
	if w.left > 0 {
		w.left--
		w.failed++
		f.fails, f.made = true, w.made
	}
	return f
}

func (w *world) publish(body string) {
	w.offered[body] = true
	if id, err := w.d.Publish(context.Background(), "a", "t", body, []byte(body)); err == nil {
		w.accepted[id] = body
	}
}

// check looks at everything after a last life that did not die: what was
// acknowledged arrived at both apps under its id, nothing arrived that no one
// sent, and each cron run has one id.
func (w *world) check(begun, ended time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, body := range w.accepted {
		for _, app := range []string{"b", "c"} {
			if w.arrived[app+" "+id] == 0 {
				return fmt.Errorf("%s was acknowledged as %s and never reached %s", body, id, app)
			}
		}
		if w.bodies[id] != body {
			return fmt.Errorf("%s arrived as %q", id, w.bodies[id])
		}
	}
	for id, body := range w.bodies {
		if body != "" && !w.offered[body] {
			return fmt.Errorf("%s arrived with %q, which nobody sent", id, body)
		}
	}
	for key, n := range w.arrived {
		if n > w.lives+w.failed {
			return fmt.Errorf("%s arrived %d times in %d lives with %d failures", key, n, w.lives, w.failed)
		}
	}
	for due := begun.Truncate(10 * time.Minute).Add(10 * time.Minute); due.Before(ended); due = due.Add(10 * time.Minute) {
		if id := "app tick-" + due.UTC().Format("20060102T150405Z"); w.arrived[id] == 0 {
			return fmt.Errorf("the run %s never came: %v", id, slices.Sorted(maps.Keys(w.arrived)))
		}
	}
	if left, _ := w.memory.Load(context.Background()); len(left.Deliveries) > 0 {
		return fmt.Errorf("left over: %+v", left.Deliveries)
	}
	return nil
}

// story is one fixed life: events, a cron run, a delivery that fails once.
func (w *world) story() {
	failures := 3
	w.fails = func() bool { failures--; return failures >= 0 }
	for i := range 4 {
		w.publish(fmt.Sprint("event ", i))
		time.Sleep(300 * time.Millisecond)
	}
	time.Sleep(11 * time.Minute)
	w.publish("late")
	time.Sleep(time.Minute)
}

// TestCrashAtEveryCommit kills the process at each of its commits in turn, with
// the commit made and not made.
func TestCrashAtEveryCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.live(0, false)
		w.story()
		w.stop()
		total := w.store.commits
		if total < 20 {
			t.Fatalf("the story makes %d commits", total)
		}
		for dieAt := 1; dieAt <= total; dieAt++ {
			for _, after := range []bool{false, true} {
				w := newWorld(t)
				// One run is due within the story: of several that are missed, one is made up for.
				begun := time.Now().Truncate(10 * time.Minute).Add(15 * time.Minute)
				time.Sleep(time.Until(begun))
				w.live(0, false) // the trigger is known before
				time.Sleep(time.Second)
				w.stop()
				w.live(dieAt, after)
				w.story()
				ended := time.Now()
				w.stop()
				w.live(0, false)                                    // at once: what is due in between is no matter of this test
				time.Sleep(time.Until(begun.Add(30 * time.Minute))) // when no run is under way
				if err := w.check(begun, ended); err != nil {
					t.Errorf("died at commit %d, made %v: %v", dieAt, after, err)
				}
				w.stop()
			}
		}
	})
}

// TestEveryCommitFails lets each commit of a life fail in turn, made and not made.
// The process lives on, and loses nothing; a run comes again only if it was the
// record of its end that failed.
func TestEveryCommitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for nth, last := 1, false; !last; nth++ {
			for _, made := range []bool{false, true} {
				w := newWorld(t)
				begun := time.Now().Truncate(10 * time.Minute).Add(15 * time.Minute)
				time.Sleep(time.Until(begun))
				w.live(0, false)
				time.Sleep(time.Second)
				w.stop()
				n, again := 0, 1
				w.before = func(c triggers.Changes) {
					if n++; n == nth {
						w.left, w.made = 1, made
						if len(c.Delete) > 0 && !made {
							again = 2
						}
					}
				}
				w.live(0, false)
				w.story()
				ended := time.Now()
				w.stop()
				last = w.failed == 0
				w.live(0, false)
				time.Sleep(time.Until(begun.Add(30 * time.Minute)))
				if err := w.check(begun, ended); err != nil {
					t.Errorf("commit %d failed, made %v: %v", nth, made, err)
				}
				for key, n := range w.arrived {
					if strings.HasPrefix(key, "app ") && n > again {
						t.Errorf("commit %d failed, made %v: %s ran %d times", nth, made, key, n)
					}
				}
				w.stop()
			}
		}
	})
}

// TestRandomLives: any sequence of acts, crashes and spans of time.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // of the bubble, whose panics are not the caller's
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			randomLives(t, rt)
		})
		if failed != nil {
			panic(failed)
		}
	})
}

func randomLives(t *testing.T, rt *rapid.T) {
	w, begun, n := newWorld(t), time.Now(), 0
	w.live(0, false)
	defer func() { w.stop() }()
	rt.Repeat(map[string]func(*rapid.T){
		"publish": func(*rapid.T) { n++; w.publish(fmt.Sprint("event ", n)) },
		"publish again": func(rt *rapid.T) {
			if n > 0 {
				w.publish(fmt.Sprint("event ", rapid.IntRange(1, n).Draw(rt, "which")))
			}
		},
		"wait": func(rt *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(0, 20*60*1000).Draw(rt, "ms")) * time.Millisecond)
		},
		"die soon": func(rt *rapid.T) {
			w.store.mu.Lock()
			defer w.store.mu.Unlock()
			w.store.dieAt = w.store.commits + rapid.IntRange(1, 6).Draw(rt, "commits")
			w.store.after = rapid.Bool().Draw(rt, "made")
		},
		"slow disk": func(rt *rapid.T) {
			ms := rapid.IntRange(0, 400).Draw(rt, "ms")
			w.mu.Lock()
			defer w.mu.Unlock()
			w.slow = time.Duration(ms) * time.Millisecond
		},
		"full disk": func(rt *rapid.T) {
			n, made := rapid.IntRange(0, 4).Draw(rt, "commits"), rapid.Bool().Draw(rt, "made")
			w.mu.Lock()
			defer w.mu.Unlock()
			w.left, w.made = n, made
		},
		"live again": func(*rapid.T) { w.stop(); w.live(0, false) },
		"fail": func(rt *rapid.T) {
			left := rapid.IntRange(0, 3).Draw(rt, "failures")
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fails = func() bool { left--; return left >= 0 }
		},
	})
	w.stop()
	w.mu.Lock()
	w.fails, w.left = func() bool { return false }, 0
	w.mu.Unlock()
	w.live(0, false)
	time.Sleep(30 * time.Minute)
	time.Sleep(time.Until(time.Now().Truncate(10 * time.Minute).Add(15 * time.Minute))) // when no run is under way
	if err := w.check(begun, begun); err != nil {                                       // not the runs: those of the dead were missed
		rt.Fatal(err)
	}
}
