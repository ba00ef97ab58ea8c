package triggers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// TestQueue: whatever comes and goes in which order, the queue never runs more than its bounds, each
// line begins its deliveries in their order, and in the end all have run.
func TestQueue(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	now := time.Now()
	var running []*line
	began := map[*line][]uint64{}
	q := &queue{wake: make(chan struct{}, 1), lines: map[Ref]*line{}, topics: map[string][]*line{}, apps: map[string]*share{}, started: true}
	q.start = func(l *line, _ Trigger, it *item) {
		running = append(running, l)
		began[l] = append(began[l], it.seq)
	}
	var refs []Ref
	for a := range 6 {
		app := fmt.Sprintf("app%d", a)
		var all []Trigger
		for n := range 4 {
			ref := Ref{App: app, Kind: abi.TriggerEvent, Name: fmt.Sprintf("other/t%d", n)}
			refs = append(refs, ref)
			all = append(all, Trigger{Ref: ref, Concurrency: 1 + r.IntN(12)})
		}
		q.set(app, all, nil)
	}
	leave := func() {
		at := r.IntN(len(running))
		l := running[at]
		running = slices.Delete(running, at, at+1)
		q.leave(l)
	}
	bounded := func() {
		perApp, perLine := map[string]int{}, map[*line]int{}
		for _, l := range running {
			perApp[l.ref.App]++
			perLine[l]++
		}
		for l, n := range perLine {
			if n > l.limit() || perApp[l.ref.App] > maxPerApp || len(running) > maxRunning {
				t.Fatalf("seed %d: %d run of a line that may %d, %d of its app, %d in all", seed, n, l.limit(), perApp[l.ref.App], len(running))
			}
		}
	}
	const most = 2000
	for seq := range uint64(most) {
		q.locked(func() {
			q.put(Delivery{Seq: seq, Ref: refs[r.IntN(len(refs))], At: now}, 0, now)
			q.pump()
		})
		for len(running) > 0 && r.IntN(3) == 0 {
			leave()
		}
		bounded()
	}
	for len(running) > 0 {
		leave()
		bounded()
	}
	total := 0
	for l, seqs := range began {
		if total += len(seqs); !slices.IsSorted(seqs) {
			t.Errorf("seed %d: %v began out of order: %v", seed, l.ref, seqs)
		}
	}
	if total != most || q.waiting() != 0 || q.running != 0 {
		t.Errorf("seed %d: of %d deliveries %d ran, %d wait, and %d are said to run", seed, most, total, q.waiting(), q.running)
	}
}

// TestQueueClear: of an app that is erased nothing is left in the lines, the timers or the turns, and
// the number of a run that may be stored is among what has to be deleted.
func TestQueueClear(t *testing.T) {
	now := time.Now()
	q := &queue{lines: map[Ref]*line{}, topics: map[string][]*line{}, apps: map[string]*share{}}
	for seq, app := range []string{"gone", "gone", "stays"} {
		q.put(Delivery{Seq: uint64(seq), Ref: Ref{App: app, Name: "ready"}}, 0, now)
		q.put(Delivery{Seq: uint64(10 + seq), Ref: Ref{App: app, Name: "later"}, Due: now.Add(time.Hour)}, 0, now)
	}
	q.line(Ref{App: "gone", Name: "cron"}).unsure = 99
	items, unsure := q.clear("gone")
	var seqs []uint64
	for _, it := range items {
		seqs = append(seqs, it.seq)
	}
	slices.Sort(seqs)
	if !slices.Equal(seqs, []uint64{0, 1, 10, 11}) || !slices.Equal(unsure, []uint64{99}) || len(q.views("gone")) != 0 || q.waiting() != 2 || len(q.timers) != 1 {
		t.Errorf("took out %v and %v; %d wait, with %d timers", seqs, unsure, q.waiting(), len(q.timers))
	}
}

// TestBacklogCounts: what is reserved counts all or none, what is stored counts whatever the bounds,
// and numbers only grow.
func TestBacklogCounts(t *testing.T) {
	b := &backlog{apps: map[string]*caused{}}
	b.used(7)
	one := []Delivery{{From: "a", Body: make([]byte, 10)}}
	if err := b.reserve(one); err != nil || one[0].Seq != 8 || b.next() != 9 {
		t.Errorf("the number is %d: %v", one[0].Seq, err)
	}
	for range maxWaiting - 2 {
		b.add("a", 1)
	}
	two := []Delivery{{From: "a"}, {From: "a"}}
	if err := b.reserve(two); !errors.Is(err, ErrBacklog) {
		t.Errorf("two, where one has room: %v", err)
	}
	if err := b.reserve(two[:1]); err != nil {
		t.Errorf("one was left counted in: %v", err)
	}
	b.done("a", 10)
	b.done("a", 0)
	if err := b.reserve(two); err != nil {
		t.Errorf("two were done, and two find no room: %v", err)
	}
	b.add("b", maxBytes)
	if err := b.reserve([]Delivery{{From: "b", Body: []byte("x")}}); !errors.Is(err, ErrBacklog) {
		t.Errorf("more bytes than one app may: %v", err)
	}
}

// TestKeysClear: the keys of an app are taken out all together, and not while one is in use.
func TestKeysClear(t *testing.T) {
	k := &keys{seen: map[seenKey]*mark{}, aging: map[*keyKind][]*mark{}, count: map[keyCount]int{}}
	now := time.Now()
	k.remember(Seen{App: "a", Key: eventKeys.key("1"), At: now})
	k.remember(Seen{App: "b", Key: eventKeys.key("1"), At: now})
	got, err := k.claim(Seen{App: "a", Key: eventKeys.key("2"), At: now})
	if err != nil || got.mine == nil {
		t.Fatalf("%+v: %v", got, err)
	}
	if gone, ok := k.clear("a"); ok || len(gone) != 0 || len(k.seen) != 3 {
		t.Errorf("took %v out while a key was in use", gone)
	}
	k.settle(got.mine, true)
	if gone, ok := k.clear("a"); !ok || len(gone) != 2 || len(k.seen) != 1 || len(k.count) != 1 {
		t.Errorf("took %v out; %d keys and %d counts are left", gone, len(k.seen), len(k.count))
	}
	if old, _ := k.aged(now.Add(25 * time.Hour)); len(old) != 1 || old[0].App != "b" {
		t.Errorf("%v age, of what is not there any more", old)
	}
}
