package turns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slice is how long a simulated guest runs between two yields.
const slice = 100 * time.Microsecond

// world is a simulated node: time passes only where a guest sleeps with a token in hand.
type world struct {
	t     *testing.T
	turns *Turns
	group sync.WaitGroup
	stop  context.Context

	running atomic.Int64
	most    int64 // tokens

	mu   sync.Mutex
	used map[string]time.Duration // with a token, by app
	late map[string][]time.Duration
	done map[string]int // calls, by app
}

func simulate(t *testing.T, tokens int, span time.Duration, script func(*world)) *world {
	w := &world{t: t, most: int64(tokens), used: map[string]time.Duration{}, late: map[string][]time.Duration{}, done: map[string]int{}}
	synctest.Test(t, func(t *testing.T) {
		w.turns = New(tokens)
		var end context.CancelFunc
		w.stop, end = context.WithTimeout(t.Context(), span)
		defer end()
		script(w)
		w.group.Wait()
		if free, waiting := w.turns.free.Load(), w.turns.waiting.Load(); free != int64(tokens) || waiting != 0 || len(w.turns.queue) != 0 || len(w.turns.owners) != 0 {
			t.Errorf("at the end %d tokens are free, %d turns wait, %d owners are in the queue, %d are known", free, waiting, len(w.turns.queue), len(w.turns.owners))
		}
	})
	return w
}

// work holds the token for a time.
func (w *world) work(app string, d time.Duration) {
	if n := w.running.Add(1); n > w.most {
		w.t.Errorf("%d turns have one of %d tokens", n, w.most)
	}
	time.Sleep(d)
	w.running.Add(-1)
	w.mu.Lock()
	w.used[app] += d
	w.mu.Unlock()
}

// calls has one client make calls that each take work, one after the other with a pause, until the end.
func (w *world) calls(owner, app string, weight int, work, pause time.Duration) {
	a := w.turns.Join(owner, app)
	w.group.Go(func() {
		defer a.Leave()
		for w.stop.Err() == nil {
			asked := time.Now()
			turn := Of(a, weight)
			if turn.Begin(w.stop, asked.Add(time.Hour)) != nil {
				return
			}
			for left := work; left > 0 && w.stop.Err() == nil; left -= slice {
				w.work(app, min(left, slice))
				if _, err := turn.Yield(w.stop, asked.Add(time.Hour)); err != nil {
					return
				}
			}
			turn.End()
			w.mu.Lock()
			w.late[app] = append(w.late[app], time.Since(asked)-work)
			w.done[app]++
			w.mu.Unlock()
			if pause > 0 {
				time.Sleep(pause)
			}
		}
	})
}

func (w *world) worst(app string) (worst time.Duration) {
	for _, d := range w.late[app] {
		worst = max(worst, d)
	}
	return worst
}

// near reports whether two values are within a tenth.
func near(a, b time.Duration) bool { return a > b*9/10 && b > a*9/10 }

// TestNeighbour: whoever calls now and then hardly waits, however many spin, and of whom they are.
func TestNeighbour(t *testing.T) {
	for _, spinners := range []struct{ owners, each int }{{1, 1}, {1, 8}, {1, 64}, {8, 8}} {
		t.Run(fmt.Sprintf("%dx%d", spinners.owners, spinners.each), func(t *testing.T) {
			w := simulate(t, 2, time.Second, func(w *world) {
				for o := range spinners.owners {
					for range spinners.each {
						w.calls(fmt.Sprint("hog", o), fmt.Sprint("spins", o), 1, 10*time.Second, 0)
					}
				}
				time.Sleep(20 * time.Millisecond) // all that were new wait their turn at first
				for range 2 {
					w.calls("quiet", "app", 1, 20*time.Microsecond, 2*time.Millisecond)
				}
			})
			if got := w.worst("app"); got > 2*slice || w.done["app"] < 800 {
				t.Errorf("%d calls, of which one waited %s", w.done["app"], got)
			}
		})
	}
}

// TestOwnersShare: what an owner gets does not depend on how many calls or apps it has.
func TestOwnersShare(t *testing.T) {
	w := simulate(t, 2, 2*time.Second, func(w *world) {
		for i := range 32 {
			w.calls("many", fmt.Sprint("many", i%4), 1, 50*time.Millisecond, 0)
		}
		for range 2 {
			w.calls("few", "few", 1, 50*time.Millisecond, 0)
		}
	})
	many := w.used["many0"] + w.used["many1"] + w.used["many2"] + w.used["many3"]
	if !near(many, w.used["few"]) {
		t.Errorf("32 calls got %s, and 2 calls %s", many, w.used["few"])
	}
	for i := range 4 {
		if got := w.used[fmt.Sprint("many", i)]; !near(got, many/4) {
			t.Errorf("of %s, one of four apps got %s", many, got)
		}
	}
}

func TestWeights(t *testing.T) {
	w := simulate(t, 2, 2*time.Second, func(w *world) {
		for range 8 {
			w.calls("a", "sandbox", 1, 5*time.Millisecond, 0)
			w.calls("b", "production", 4, 5*time.Millisecond, 0)
		}
	})
	if !near(4*w.used["sandbox"], w.used["production"]) {
		t.Errorf("weight 1 got %s, weight 4 %s", w.used["sandbox"], w.used["production"])
	}
}

// TestShortCallsAreCharged: calls that end before they would yield are work, too.
func TestShortCallsAreCharged(t *testing.T) {
	w := simulate(t, 1, time.Second, func(w *world) {
		for range 16 {
			w.calls("flood", "short", 1, 50*time.Microsecond, 0)
		}
		w.calls("other", "long", 1, time.Hour, 0)
	})
	if !near(w.used["short"], w.used["long"]) {
		t.Errorf("a flood of short calls got %s, and one long call %s", w.used["short"], w.used["long"])
	}
}

// TestIdleGetsNoCredit: an owner that did nothing for long is served like the others when it
// comes, and one that worked while it was alone owes nothing to who comes then.
func TestIdleGetsNoCredit(t *testing.T) {
	var late time.Duration
	w := simulate(t, 1, 3*time.Second, func(w *world) {
		w.calls("always", "always", 1, time.Hour, 0)
		w.group.Go(func() {
			time.Sleep(2 * time.Second)
			w.mu.Lock()
			late = w.used["always"]
			w.mu.Unlock()
			w.calls("late", "late", 1, time.Hour, 0)
		})
	})
	if always := w.used["always"] - late; !near(always, w.used["late"]) {
		t.Errorf("from when both work, one got %s and the other %s", always, w.used["late"])
	}
}

// TestFewHandovers: calls of one app that all go on take the token from each other rarely.
func TestFewHandovers(t *testing.T) {
	w := simulate(t, 2, time.Second, func(w *world) {
		for range 32 {
			w.calls("one", "one", 1, time.Hour, 0)
		}
	})
	if n := w.turns.State().Handed; n < 100 || n > 500 {
		t.Errorf("%d handovers in a second of two tokens", n)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := New(1)
		a := ts.Join("o", "a")
		first, second := Of(a, 1), Of(a, 1)
		if err := first.Begin(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := second.Begin(t.Context(), began.Add(time.Second)); err != context.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		second.End() // it has none
		first.End()
		first.End() // a second time gives nothing back
		if n := ts.free.Load(); n != 1 {
			t.Errorf("%d tokens", n)
		}
	})
}

// TestNoApp: work of the node's own needs no token.
func TestNoApp(t *testing.T) {
	turn := Of(nil, 1)
	if err := turn.Begin(t.Context(), time.Time{}); err != nil {
		t.Error(err)
	}
	if waited, err := turn.Yield(t.Context(), time.Time{}); waited || err != nil {
		t.Error(waited, err)
	}
	turn.End()
}

// TestHammer has many real goroutines begin, yield, leave in the middle and end at random: no token is lost or
// made, and no turn is forgotten.
func TestHammer(t *testing.T) {
	const tokens = 3
	ts := New(tokens)
	var group sync.WaitGroup
	var running atomic.Int64
	for i := range 64 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 300 {
				a := ts.Join(fmt.Sprint(r.IntN(4)), fmt.Sprint(r.IntN(8)))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(200))*time.Microsecond)
				turn := Of(a, 1+r.IntN(4))
				err := turn.Begin(ctx, time.Now().Add(time.Duration(r.IntN(300))*time.Microsecond))
				for n := r.IntN(6); err == nil && n > 0; n-- {
					if running.Add(1) > tokens {
						t.Error("more turns run than there are tokens")
					}
					for range r.IntN(2000) {
						_ = ts.free.Load()
					}
					running.Add(-1)
					_, err = turn.Yield(ctx, time.Now().Add(time.Duration(r.IntN(300))*time.Microsecond))
				}
				if (err != nil) == turn.holding {
					t.Errorf("%v, and it has a token: %v", err, turn.holding)
				}
				turn.End()
				cancel()
				a.Leave()
			}
		})
	}
	group.Wait()
	if ts.free.Load() != tokens || ts.waiting.Load() != 0 || len(ts.queue) != 0 || len(ts.owners) != 0 {
		t.Errorf("%d tokens are free, %d wait, %d owners in the queue, %d known", ts.free.Load(), ts.waiting.Load(), len(ts.queue), len(ts.owners))
	}
}

func BenchmarkTurn(b *testing.B) {
	ts := New(2)
	a := ts.Join("o", "a")
	b.Run("begin and end", func(b *testing.B) {
		deadline := time.Now().Add(time.Hour)
		for b.Loop() {
			turn := Of(a, 1)
			_ = turn.Begin(context.Background(), deadline)
			turn.End()
		}
	})
	b.Run("yield", func(b *testing.B) {
		turn, now := Of(a, 1), time.Now()
		_ = turn.Begin(context.Background(), now.Add(time.Hour))
		for b.Loop() {
			_, _ = turn.Yield(context.Background(), now)
		}
		turn.End()
	})
}
