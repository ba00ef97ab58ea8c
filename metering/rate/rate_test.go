package rate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// level is a bucket as one would explain it: so many tokens, and more with time.
type level struct {
	tokens, most, perSecond float64
	at                      time.Duration
}

func (l *level) look(now time.Duration) float64 {
	l.tokens = min(l.most, l.tokens+(now-l.at).Seconds()*l.perSecond)
	l.at = now
	return l.tokens
}

// TestBucket: whatever comes when, in no span of time is more admitted than the limit allows for it and a
// second's worth; what a bucket that is filled a millionth slower has a token for is admitted; and whoever is
// told to wait is admitted then.
func TestBucket(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.OneOf(rapid.Int64Range(1, 20), rapid.Int64Range(1, MaxLimit)).Draw(rt, "limit")
		now := time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(rt, "since the epoch"))
		b := NewBucket(limit, now)
		fast := &level{float64(limit), float64(limit), float64(limit), now}
		slow := &level{float64(limit), float64(limit), float64(limit) * (1 - 1e-6), now}
		var admitted []time.Duration
		token := time.Second / time.Duration(limit)
		for range rapid.IntRange(1, 120).Draw(rt, "calls") {
			now += time.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, int64(2*token)), rapid.Int64Range(0, int64(3*time.Second))).Draw(rt, "later"))
			wait := b.Wait(now)
			if got := b.Take(now); got != wait {
				rt.Fatalf("a token takes %s to come, and %s to be taken", wait, got)
			}
			if least, most := slow.look(now), fast.look(now); wait > 0 && least >= 1+1e-6 || wait == 0 && most < 1-1e-6 {
				rt.Fatalf("wait %s with %.6f to %.6f tokens of %d a second", wait, least, most, limit)
			}
			if wait > 0 && rapid.Bool().Draw(rt, "waits") {
				if now += wait; b.Take(now) != 0 {
					rt.Fatalf("told to wait %s, and refused again", wait)
				}
				fast.look(now)
				slow.look(now)
				wait = 0
			}
			if wait == 0 {
				fast.tokens--
				slow.tokens--
				admitted = append(admitted, now)
			}
		}
		for i, from := range admitted {
			for j, to := range admitted[i:] {
				if more := int64(j) + 1 - limit; more > 0 && more*int64(time.Second) > limit*int64(to-from) {
					rt.Fatalf("%d calls within %s, of %d a second", j+1, to-from, limit)
				}
			}
		}
	})
}

// TestSteadyDemand: who asks all the time gets the limit.
func TestSteadyDemand(t *testing.T) {
	for _, limit := range []int64{1, 3, 7, 1000, 300_000, MaxLimit} {
		b, got := NewBucket(limit, 0), int64(0)
		if b.burst < int64(time.Second)*perNano {
			t.Errorf("%d a second: they come within less than that", limit)
		}
		for range limit {
			if b.Take(0) != 0 {
				t.Fatalf("%d a second: less than a second's worth fits", limit)
			}
		}
		step := time.Second / time.Duration(3*limit)
		now := time.Duration(0)
		for range 12 * min(limit, 100_000) {
			if b.Take(now) == 0 {
				got++
			}
			now += step
		}
		if exact := int64(now.Seconds() * float64(limit)); got > exact || got < exact-2-exact/1_000_000 {
			t.Errorf("%d a second: %d within %s, want %d", limit, got, now, exact)
		}
	}
}

// TestClockGoesBack: nobody is locked out, and nobody gets more than before.
func TestClockGoesBack(t *testing.T) {
	for _, back := range []time.Duration{time.Millisecond, time.Second, 4 * time.Second, time.Minute, 30 * 24 * time.Hour, 90 * 24 * time.Hour} {
		b, now := NewBucket(2, 0), 200*24*time.Hour
		for b.Take(now) == 0 {
		}
		now -= back
		if b.Take(now) == 0 {
			t.Errorf("%s back: a token that is not there", back)
		}
		var got int
		for end := now + 8*time.Second; now < end; now += 100 * time.Millisecond {
			if b.Take(now) == 0 {
				got++
			}
		}
		if got < 4 || got > 16 {
			t.Errorf("%s back: %d calls in eight seconds, of 2 a second", back, got)
		}
	}
}

func TestNoneAndAll(t *testing.T) {
	none, all := NewBucket(0, 0), NewBucket(NoLimit, 0)
	for range 100 {
		if none.Take(time.Hour) == 0 || all.Take(time.Hour) != 0 {
			t.Fatal("0 admits, or no limit refuses")
		}
	}
}

// TestTakeAll: a call takes a token of all its buckets or of none, and is told of the one that makes it wait
// for longest.
func TestTakeAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		buckets := make([]*Bucket, 4)
		levels := make([]int64, 4)
		for i := range buckets {
			levels[i] = rapid.Int64Range(0, 6).Draw(rt, "limit")
			buckets[i] = NewBucket(levels[i], 0)
		}
		want := make([]uint64, 4)
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			var take []*Bucket
			var which []int
			fits := true
			for i, b := range buckets {
				if rapid.Bool().Draw(rt, "in") {
					take, which, fits = append(take, b), append(which, i), fits && levels[i] > 0
				}
			}
			short, wait := TakeAll(take, 0)
			if (wait == 0) != fits || wait > 0 && levels[which[short]] > 0 {
				rt.Fatalf("wait %s for the %d of %v; there are %v", wait, short, which, levels)
			}
			for _, i := range which {
				if wait > 0 && buckets[i].Wait(0) > wait {
					rt.Fatalf("told to wait %s, and another takes %s", wait, buckets[i].Wait(0))
				}
				if fits {
					levels[i]--
					want[i]++
				}
			}
			for i, b := range buckets {
				if left := b.limit - int64(b.full.Load())/max(1, b.cost); b.limit > 0 && left != levels[i] || b.admitted.Load() != want[i] {
					rt.Fatalf("bucket %d has %d, want %d, and admitted %d, want %d", i, left, levels[i], b.admitted.Load(), want[i])
				}
			}
		}
	})
}

// TestGivesBack: what a call took before it was refused is there for the next.
func TestGivesBack(t *testing.T) {
	first, last := NewBucket(1, 0), NewBucket(1, 0)
	// Each of these has a token when it is asked, as if another call took the last one then.
	if short, wait := TakeAll([]*Bucket{first, last, last}, 0); short != 2 || wait == 0 {
		t.Errorf("the last token was taken twice: %d, %s", short, wait)
	}
	if _, wait := TakeAll([]*Bucket{first, last}, 0); wait != 0 {
		t.Error("a refused call keeps tokens")
	}
}

// TestHammer: whatever the interleaving, no bucket admits more than it may, and what is taken of it is what
// calls were admitted for. First a clock that stands still, then one that runs.
func TestHammer(t *testing.T) {
	for _, step := range []time.Duration{0, 10 * time.Microsecond} {
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			person, other, node := NewBucket(8000, 0), NewBucket(100_000, 0), NewBucket(15_000, 0)
			start := make(chan struct{})
			var clock atomic.Int64
			var mine atomic.Int64
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					r := rand.New(rand.NewPCG(3, uint64(i)))
					<-start
					for range 3000 {
						now := time.Duration(clock.Add(int64(step)))
						of := []*Bucket{person, node}
						if r.IntN(2) == 0 {
							of = []*Bucket{other, node}
						}
						if _, wait := TakeAll(of, now); wait == 0 && of[0] == person {
							mine.Add(1)
						}
					}
				})
			}
			close(start)
			group.Wait()
			passed := time.Duration(clock.Load())
			for _, b := range []*Bucket{person, other, node} {
				most := float64(b.limit) * (1 + passed.Seconds())
				if got := b.admitted.Load(); float64(got) > most+1 {
					t.Errorf("%d within %s, of %d a second", got, passed, b.limit)
				}
				if taken := int64(b.full.Load()) / b.cost; step == 0 && taken != int64(b.admitted.Load()) {
					t.Errorf("%d were admitted, and %d taken", b.admitted.Load(), taken)
				}
			}
			if got := node.admitted.Load(); step == 0 && got != 15_000 {
				t.Errorf("the node admitted %d of 15000", got)
			}
			if person.admitted.Load()+other.admitted.Load() != node.admitted.Load() || uint64(mine.Load()) != person.admitted.Load() {
				t.Errorf("%d and %d of %d", person.admitted.Load(), other.admitted.Load(), node.admitted.Load())
			}
		})
	}
}

// TestTable: what apps are bounded by follows what is set; a holder whose limit stays keeps what it has used.
func TestTable(t *testing.T) {
	now := time.Unix(1e9, 0)
	table := NewTable(func() time.Time { return now })
	if err := table.Take("a"); err != nil {
		t.Fatal(err)
	}
	limit := func(quota, per, of string, most int64) Limit { return Limit{quota, per, of, most} }
	adas, bobs := &Limits{limit("person", "person", "ada", 2), limit("node", "node", "", 10)}, &Limits{limit("person", "person", "bob", 9), limit("node", "node", "", 10)}
	apps := map[string]*Limits{"a": adas, "a2": adas, "b": bobs}
	table.Set(apps)
	for range 2 {
		if err := table.Take("a"); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(app, quota string) {
		t.Helper()
		err := table.Take(app)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrExceeded) || e.Quota != quota || e.Wait <= 0 {
			t.Errorf("%s: %v", app, err)
		}
	}
	table.Set(apps)
	refused("a2", "person")
	for range 8 {
		if err := table.Take("b"); err != nil {
			t.Fatal(err)
		}
	}
	refused("b", "node")
	now = now.Add(time.Second)
	table.Sample()
	if got := [3]int64{table.PerSecond("person", "ada"), table.PerSecond("person", "bob"), table.PerSecond("node", "")}; got != [3]int64{2, 8, 10} {
		t.Errorf("sampled %v", got)
	}
	raised := &Limits{limit("person", "person", "ada", 5)}
	table.Set(map[string]*Limits{"a": raised, "b": raised}) // which was handed over
	for range 5 {
		if err := table.Take("a"); err != nil {
			t.Fatal(err)
		}
	}
	refused("b", "person")
	table.Set(nil)
	if err := errors.Join(table.Take("a"), table.Take("b")); err != nil {
		t.Error(err)
	}
}

func BenchmarkTake(b *testing.B) {
	limits := &Limits{{"requests-a-second", "person", "ada", MaxLimit}, {"group-requests-a-second", "group", "g", MaxLimit}, {"node-requests-a-second", "node", "", NoLimit}}
	for name, set := range map[string]map[string]*Limits{"none": nil, "another": {"other": limits}, "three": {"app": limits}} {
		b.Run(name, func(b *testing.B) {
			clock := time.Now()
			table := NewTable(func() time.Time {
				clock = clock.Add(time.Microsecond) // so that nothing is refused
				return clock
			})
			table.Set(set)
			b.ReportAllocs()
			for b.Loop() {
				_ = table.Take("app")
			}
		})
	}
}
