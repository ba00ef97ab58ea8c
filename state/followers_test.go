package state_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// trouble is what goes wrong when a follower is next led.
type trouble int

const (
	none         trouble = iota
	beforeEffect         // it fails, and nothing happened
	afterEffect          // it fails, and half of it happened
	panics               // it panics in the middle
	cursor               // all happened, and the cursor is not stored
	blind                // the feed cannot be read
	troubles
)

var errTrouble = errors.New("trouble")

// seen is what one follower was shown. For a durable one it outlives crashes.
type seen struct {
	from  int // events that there were before it began
	count int // of those that it has seen, all of them in order
}

// machine is a store with followers whose process crashes.
type machine struct {
	*statetest.Memory
	all       []abi.Event
	followers *state.Followers
	seen      map[string]*seen
	next      map[string]trouble
	blinded   int
}

var memory, durable = []string{"routes", "lives", "late"}, []string{"notices", "audit"}

// start is a start of the process: what was in memory begins anew.
func (m *machine) start(rt *rapid.T) {
	var err error
	quiet := slog.New(slog.DiscardHandler)
	if m.followers, err = state.NewFollowers(context.Background(), m, quiet, calm.New(quiet), func() { m.blinded++ }); err != nil {
		rt.Fatal(err)
	}
	m.followers.Page(2)
	m.next = map[string]trouble{}
	for _, name := range memory {
		m.seen[name] = &seen{from: len(m.all), count: len(m.all)}
		m.followers.Follow(name, name != "late", m.apply(rt, name))
	}
	for _, name := range durable {
		if m.seen[name] == nil {
			m.seen[name] = &seen{from: len(m.all), count: len(m.all)}
		}
		if err := m.followers.FollowDurably(context.Background(), name, m.apply(rt, name)); err != nil {
			rt.Fatal(err)
		}
	}
}

// apply checks that nothing is skipped, whatever went wrong before.
func (m *machine) apply(rt *rapid.T, name string) state.Apply {
	return func(_ context.Context, events []abi.Event) error {
		s, wrong := m.seen[name], m.next[name]
		at := slices.IndexFunc(m.all, func(e abi.Event) bool { return e.Rev == events[0].Rev && e.Seq == events[0].Seq })
		end := at + len(events)
		switch {
		case at < s.from || events[0].Seq != 0:
			rt.Fatalf("%s begins with %v, in the middle or before its beginning", name, events[0])
		case at > s.count:
			rt.Fatalf("%s skips %v: it saw %d events, and is shown those from %d on", name, m.all[s.count:at], s.count, at)
		case end < len(m.all) && m.all[end].Seq != 0:
			rt.Fatalf("%s is shown a part of revision %d", name, m.all[end].Rev)
		}
		for i, e := range events {
			if w := m.all[at+i]; e.Rev != w.Rev || e.Seq != w.Seq || e.Subject != w.Subject {
				rt.Fatalf("%s is shown %v where %v is", name, e, w)
			}
		}
		switch wrong {
		case beforeEffect:
			return errTrouble
		case afterEffect, panics:
			s.count = max(s.count, at+(end-at)/2)
			if wrong == panics {
				panic("it panics")
			}
			return errTrouble
		}
		s.count = max(s.count, end)
		return nil
	}
}

func (m *machine) Events(ctx context.Context, q state.EventQuery) ([]abi.Event, error) {
	for _, wrong := range m.next {
		if wrong == blind {
			return nil, errTrouble
		}
	}
	return m.Memory.Events(ctx, q)
}

func (m *machine) SetCursor(ctx context.Context, follower string, rev abi.Rev) error {
	if m.next[follower] == cursor {
		return errTrouble
	}
	return m.Memory.SetCursor(ctx, follower, rev)
}

func (m *machine) change(rt *rapid.T) abi.Rev {
	n := rapid.IntRange(1, 3).Draw(rt, "events")
	rev, err := m.Update(context.Background(), "ada", func(tx state.Tx) error {
		for range n {
			tx.Emit("app.renamed", "a", "s", nil)
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	for i := range n {
		m.all = append(m.all, abi.Event{Rev: rev, Seq: i, Subject: "s"})
	}
	return rev
}

func (m *machine) wrong(rt *rapid.T, names []string) {
	m.next = map[string]trouble{}
	if rapid.Bool().Draw(rt, "trouble") {
		m.next[rapid.SampledFrom(names).Draw(rt, "of")] = trouble(rapid.IntRange(1, int(troubles)-1).Draw(rt, "what"))
	}
}

// local is a change that this node makes: its caller is told once the followers before have seen it.
func (m *machine) local(rt *rapid.T) {
	rev := m.change(rt)
	m.wrong(rt, []string{"routes", "lives"})
	before := m.blinded
	err := m.followers.CatchUp(context.Background(), rev)
	for _, name := range []string{"routes", "lives"} {
		switch wrong := m.next[name]; {
		case wrong == none || wrong == cursor: // they have no cursor in the store
			if blinded := slices.Contains([]trouble{m.next["routes"], m.next["lives"]}, blind); !blinded && m.seen[name].count != len(m.all) {
				rt.Fatalf("%s saw %d of %d events, and the caller is told (%v)", name, m.seen[name].count, len(m.all), err)
			}
		case err == nil && m.seen[name].count < len(m.all):
			rt.Fatalf("%s failed, and the caller is not told", name)
		case wrong == blind && m.blinded == before:
			rt.Fatal("the feed could not be read, and what is remembered stays")
		}
	}
	m.next = map[string]trouble{}
}

func (m *machine) background(rt *rapid.T) {
	all := slices.Concat(memory, durable)
	m.wrong(rt, all)
	_ = m.followers.Lead(context.Background(), rapid.SampledFrom(all).Draw(rt, "led"))
	m.next = map[string]trouble{}
}

// TestFollowersSeeEverything: whatever changes, fails, panics and crashes, each follower is shown every
// event since it began, in order, whole revisions at a time, and none is skipped.
func TestFollowersSeeEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{Memory: statetest.NewMemory(time.Now), seen: map[string]*seen{}}
		for range rapid.IntRange(0, 3).Draw(rt, "earlier") {
			m.change(rt)
		}
		m.start(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"local": m.local, "another node's": func(rt *rapid.T) { m.change(rt) }, "background": m.background, "crash": m.start,
		})
		for _, name := range slices.Concat(memory, durable) {
			if err := m.followers.Lead(context.Background(), name); err != nil {
				rt.Fatal(err)
			}
			if s := m.seen[name]; s.count != len(m.all) {
				rt.Fatalf("%s saw %d of %d events", name, s.count, len(m.all))
			}
		}
	})
}

// TestFollowersGoOn: in the background a follower that fails or panics is tried again with the same
// events, is named meanwhile, and keeps no other from following; what another node changes is
// followed without being asked for.
func TestFollowersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := statetest.NewMemory(time.Now)
		var logged strings.Builder
		log := slog.New(slog.NewTextHandler(&logged, nil))
		fs, err := state.NewFollowers(ctx, store, log, calm.New(log), func() { t.Error("the feed can be read") })
		if err != nil {
			t.Fatal(err)
		}
		var well, broken []string
		tries := 0
		fs.Follow("broken", false, func(_ context.Context, events []abi.Event) error {
			tries++
			broken = append(broken, events[0].Subject)
			switch {
			case tries%2 == 1 && tries < 6:
				panic("half of the time")
			case tries < 6:
				return errTrouble
			}
			return nil
		})
		fs.Follow("well", false, func(_ context.Context, events []abi.Event) error {
			for _, e := range events {
				well = append(well, e.Subject)
			}
			return nil
		})
		ended := make(chan struct{})
		go func() { defer close(ended); fs.Run(ctx) }()
		emit := func(subject string) {
			if _, err := store.Update(ctx, "another node", func(tx state.Tx) error { tx.Emit("app.renamed", "a", subject, nil); return nil }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		emit("one")
		if s := fs.State(); s[0].Err == nil || s[0].Failures != 1 || s[0].Failing.IsZero() || s[0].Rev != 0 || s[1].Err != nil || s[1].Rev != 1 {
			t.Errorf("while one fails: %+v", s)
		}
		emit("two")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := fmt.Sprint(well, broken[:6]); got != "[one two] [one one one one one one]" {
			t.Error(got)
		}
		if s := fs.State(); s[0].Err != nil || !s[0].Failing.IsZero() || s[0].Failures != 5 || s[0].Rev != 2 || s[1].Failures != 0 {
			t.Errorf("when it has followed: %+v", s)
		}
		if n := strings.Count(logged.String(), "follower=broken"); n != 5 {
			t.Errorf("%d lines tell of 5 failures:\n%s", n, &logged)
		}
		cancel()
		<-ended
	})
}

// cursors counts how often the cursor is written.
type cursors struct {
	*statetest.Memory
	written int
}

func (c *cursors) SetCursor(ctx context.Context, follower string, rev abi.Rev) error {
	c.written++
	return c.Memory.SetCursor(ctx, follower, rev)
}

// TestFollowersOfKinds: a durable follower of some kinds is shown each event of those kinds, also over a
// crash, and no other; events that are not for it cost next to no writes of its cursor.
func TestFollowersOfKinds(t *testing.T) {
	ctx, store := t.Context(), &cursors{Memory: statetest.NewMemory(time.Now)}
	var shown []string
	begin := func() *state.Followers {
		quiet := slog.New(slog.DiscardHandler)
		fs, err := state.NewFollowers(ctx, store, quiet, calm.New(quiet), func() {})
		if err != nil {
			t.Fatal(err)
		}
		err = fs.FollowDurably(ctx, "rotations", func(_ context.Context, events []abi.Event) error {
			for _, e := range events {
				shown = append(shown, e.Kind+" "+e.Subject)
			}
			return nil
		}, "secrets.rotated")
		if err != nil {
			t.Fatal(err)
		}
		return fs
	}
	emit := func(kind, subject string) {
		t.Helper()
		if _, err := store.Update(ctx, "ada", func(tx state.Tx) error { tx.Emit(kind, "", subject, nil); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	fs, written := begin(), store.written
	for i := range 1100 {
		emit("user.changed", "ada")
		if i%10 == 0 {
			if err := fs.Lead(ctx, "rotations"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := store.written - written; n != 1 || len(shown) > 0 {
		t.Errorf("1100 events of other kinds: the cursor was written %d times, and %v were shown", n, shown)
	}
	emit("secrets.rotated", "first") // and the process crashes
	fs = begin()
	emit("user.changed", "ada")
	emit("secrets.rotated", "second")
	for range 2 {
		if err := fs.Lead(ctx, "rotations"); err != nil {
			t.Fatal(err)
		}
		fs = begin()
	}
	if want := []string{"secrets.rotated first", "secrets.rotated second"}; !slices.Equal(shown, want) {
		t.Errorf("%v were shown, want %v", shown, want)
	}
}

// apart is a store that a node may lose sight of.
type apart struct {
	*statetest.Memory
	lost  atomic.Bool // nothing comes back: not even an error
	still atomic.Bool // whoever waits for the feed waits on, and the store can be read
}

func (s *apart) Rev(ctx context.Context) (abi.Rev, error) {
	if s.lost.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Memory.Rev(ctx)
}

func (s *apart) Wait(ctx context.Context, rev abi.Rev) error {
	err := s.Memory.Wait(ctx, rev)
	for s.lost.Load() || s.still.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return err
}

// TestBlindness: what is remembered of the state is given up at the latest five seconds after it may have become
// old, and each second from then on, whether the store cannot be reached, the feed is silent, or what is followed
// closely fails; and never while all is well, however long nothing happens, or while another follower fails.
func TestBlindness(t *testing.T) {
	type world struct {
		*apart
		close, loose atomic.Bool // the follower fails
	}
	for name, c := range map[string]struct {
		trouble func(w *world, is bool)
		blind   bool
	}{
		"nothing happens":                  {func(*world, bool) {}, false},
		"the store cannot be reached":      {func(w *world, is bool) { w.lost.Store(is) }, true},
		"the feed is silent":               {func(w *world, is bool) { w.still.Store(is) }, true},
		"what is followed closely fails":   {func(w *world, is bool) { w.close.Store(is) }, true},
		"what is followed otherwise fails": {func(w *world, is bool) { w.loose.Store(is) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := &world{apart: &apart{Memory: statetest.NewMemory(time.Now)}}
				var mu sync.Mutex
				var all []time.Time // guarded by mu
				blinded := func() []time.Time {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(all)
				}
				quiet := slog.New(slog.DiscardHandler)
				fs, err := state.NewFollowers(ctx, w, quiet, calm.New(quiet), func() {
					mu.Lock()
					defer mu.Unlock()
					all = append(all, time.Now())
				})
				if err != nil {
					t.Fatal(err)
				}
				fails := func(when *atomic.Bool) state.Apply {
					return func(context.Context, []abi.Event) error {
						if when.Load() {
							return errTrouble
						}
						return nil
					}
				}
				fs.FollowClosely("sessions", fails(&w.close))
				fs.Follow("secrets", true, fails(&w.loose))
				var running sync.WaitGroup
				running.Go(func() { fs.Run(ctx) })
				emit := func() time.Time {
					if _, err := w.Update(ctx, "another node", func(tx state.Tx) error { tx.Emit("user.changed", "", "ada", nil); return nil }); err != nil {
						t.Fatal(err)
					}
					return time.Now()
				}
				time.Sleep(time.Hour)
				emit()
				time.Sleep(time.Hour)
				if len(blinded()) > 0 {
					t.Errorf("it is blind while all is well: %v", blinded())
				}
				c.trouble(w, true)
				changed := emit()
				time.Sleep(time.Minute)
				last := changed
				for _, at := range append(blinded(), time.Now()) {
					if c.blind && at.Sub(last) > 5*time.Second {
						t.Errorf("%s without giving up what is remembered", at.Sub(last))
					}
					last = at
				}
				if !c.blind && len(blinded()) > 0 {
					t.Errorf("it is blind: %v", blinded())
				}
				c.trouble(w, false)
				emit()
				time.Sleep(2 * time.Minute) // a follower that failed waits half a minute before it is tried again
				before := len(blinded())
				time.Sleep(time.Minute)
				if n := len(blinded()) - before; n > 0 {
					t.Errorf("it stays blind: %d times", n)
				}
				cancel()
				running.Wait()
			})
		})
	}
}
