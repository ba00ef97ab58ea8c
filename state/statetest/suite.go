package statetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/state"
)

// Open makes an empty store with a clock.
type Open func(now func() time.Time) (s state.Store, done func())

// TestStore is what every store must do: the same as Memory, whatever is done to both, and nothing at
// all where an update fails.
func TestStore(t *testing.T, open Open) {
	t.Run("as the model", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			p := &pair{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s, done := open(func() time.Time { return p.now })
			defer done()
			p.store, p.model = s, NewMemory(func() time.Time { return p.now })
			rt.Repeat(map[string]func(*rapid.T){
				"update": p.update, "upkeep": p.upkeep, "list": p.list, "events": p.events, "cursor": p.cursor, "": p.compare,
				"time": func(rt *rapid.T) {
					p.now = p.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second)
				},
			})
		})
	})
	t.Run("revisions", func(t *testing.T) { testRevisions(t, open) })
	t.Run("readers", func(t *testing.T) { testReaders(t, open) })
	t.Run("ended contexts", func(t *testing.T) { testEnded(t, open) })
}

// pair is a store and its model, to which the same is done.
type pair struct {
	store, model state.Store
	now          time.Time
	places       map[string][2][]byte // by list, where the part that was read last ended
}

// both does the same to the store and to the model.
func (p *pair) both(rt *rapid.T, do func(s state.Store) (string, error)) {
	want, wantErr := do(p.model)
	got, gotErr := do(p.store)
	if got != want || !errors.Is(gotErr, wantErr) {
		rt.Fatalf("%v, and the model %v\n%s", gotErr, wantErr, Difference(got, want))
	}
}

// Difference shows where two dumps begin to differ.
func Difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	show := func(lines []string) string {
		return strings.Join(lines[min(len(lines), max(0, i-3)):min(len(lines), i+3)], "\n")
	}
	return fmt.Sprintf("in line %d it is\n%s\nand should be\n%s", i+1, show(a), show(b))
}

var errUndo = errors.New("undo")

func (p *pair) update(rt *rapid.T) {
	acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 6).Draw(rt, "acts")
	undo := rapid.IntRange(0, 3).Draw(rt, "undo") == 0
	look := rapid.IntRange(0, 3).Draw(rt, "look") == 0
	p.both(rt, func(s state.Store) (said string, err error) {
		rev, err := s.Update(context.Background(), "ada", func(tx state.Tx) error {
			said = ""
			for _, a := range acts {
				said += a.What + ": " + a.do(tx) + "\n"
			}
			grown, err := tx.Grown()
			if said += list(grown, err); look {
				said += Dump(tx, vocabulary...) // a transaction reads what it wrote
			}
			if undo {
				return errUndo
			}
			return nil
		})
		return fmt.Sprintln(rev) + said, err
	})
}

func (p *pair) upkeep(rt *rapid.T) {
	a := drawAct(rt)
	p.both(rt, func(s state.Store) (string, error) { return "", a.keepUp(s) })
}

// list reads the next part of a list in both: what came and went since the part before moved nothing
// else.
func (p *pair) list(rt *rapid.T) {
	lists := lists(rapid.SampledFrom([]string{"", "a", "ab", "absent"}).Draw(rt, "of"))
	l := rapid.SampledFrom(lists).Draw(rt, "list")
	limit := rapid.IntRange(1, 4).Draw(rt, "limit")
	ends := p.places[l.name]
	i := 0
	p.both(rt, func(s state.Store) (said string, err error) {
		err = s.View(context.Background(), func(tx state.Reader) error {
			var next []byte
			said, next, err = l.read(tx, state.Part{After: ends[i], Limit: limit})
			ends[i] = next
			return err
		})
		said += fmt.Sprintln("more:", ends[i] != nil)
		i++
		return said, err
	})
	if p.places == nil {
		p.places = map[string][2][]byte{}
	}
	p.places[l.name] = ends
}

func (p *pair) events(rt *rapid.T) {
	rev := rapid.IntRange(0, 12)
	q := state.EventQuery{
		After: abi.Rev(rev.Draw(rt, "after")), Before: abi.Rev(rev.Draw(rt, "before")),
		App:    rapid.SampledFrom([]string{"", "a", "ab"}).Draw(rt, "app"),
		Kinds:  rapid.SampledFrom([][]string{nil, {"user.changed"}, {"secret.set", "key.deleted"}}).Draw(rt, "kinds"),
		Newest: rapid.Bool().Draw(rt, "newest"), Limit: rapid.IntRange(-1, 4).Draw(rt, "limit"),
	}
	var sees func(abi.Event) (bool, error)
	if rapid.Bool().Draw(rt, "some") {
		sees = func(e abi.Event) (bool, error) { return len(e.Subject)%2 == 0, nil }
	}
	p.both(rt, func(s state.Store) (said string, err error) {
		err = s.View(context.Background(), func(tx state.Reader) error {
			found, next, err := tx.Events(q, sees)
			said = list(found, err) + fmt.Sprintln("from", next)
			return err
		})
		all, allErr := s.Events(context.Background(), q)
		return said + list(all, allErr), err
	})
}

// cursor moves the cursor of a durable follower, and reads those of all.
func (p *pair) cursor(rt *rapid.T) {
	names := []string{"notices", "notices-2", "audit"}
	name := rapid.SampledFrom(names).Draw(rt, "follower")
	to := abi.Rev(rapid.IntRange(0, 20).Draw(rt, "to"))
	p.both(rt, func(s state.Store) (said string, err error) {
		err = s.SetCursor(context.Background(), name, to)
		for _, n := range names {
			rev, known, readErr := s.Cursor(context.Background(), n)
			said += fmt.Sprintln(n, rev, known, readErr)
		}
		return said, err
	})
}

func (p *pair) compare(rt *rapid.T) {
	p.both(rt, func(s state.Store) (said string, err error) {
		err = s.View(context.Background(), func(tx state.Reader) error {
			said = Dump(tx, vocabulary...)
			return nil
		})
		rev, revErr := s.Rev(context.Background())
		return fmt.Sprintln(rev, revErr) + said, err
	})
}

// testRevisions: many writers at once, some of which fail, make revisions and events without gaps,
// in one order, and a follower that waits sees each.
func testRevisions(t *testing.T, open Open) {
	s, done := open(time.Now)
	defer done()
	const writers, each = 4, 12
	const committed = writers * (each - (each+2)/3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, err := s.Update(ctx, strconv.Itoa(w), func(tx state.Tx) error {
					tx.Emit("test", "a", strconv.Itoa(i), nil)
					tx.Emit("test", "a", strconv.Itoa(i), nil)
					if i%3 == 0 {
						return errUndo
					}
					return nil
				})
				if errors.Is(err, errUndo) != (i%3 == 0) || (err != nil && !errors.Is(err, errUndo)) {
					t.Error(err)
				}
			}
		})
	}
	var seen []abi.Event
	for last := abi.Rev(0); last < committed; {
		if err := s.Wait(ctx, last); err != nil {
			t.Fatal(err)
		}
		more, err := s.Events(ctx, state.EventQuery{After: last, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if seen = append(seen, more...); len(more) > 0 {
			last = more[len(more)-1].Rev
		}
	}
	wg.Wait()
	if len(seen) != 2*committed {
		t.Fatalf("%d events, want %d", len(seen), 2*committed)
	}
	for i, e := range seen {
		if e.Rev != abi.Rev(i/2+1) || e.Seq != i%2 {
			t.Fatalf("event %d is revision %d, %d", i, e.Rev, e.Seq)
		}
	}
}

// testReaders: a View cannot write, whatever is asked of its reader, and sees one state to its end.
func testReaders(t *testing.T, open Open) {
	s, done := open(time.Now)
	defer done()
	put := make(chan error, 1)
	err := s.View(t.Context(), func(r state.Reader) error {
		for name, is := range writers(r) {
			if is {
				t.Errorf("a View hands out what has the methods of %s", name)
			}
		}
		before := Dump(r)
		go func() {
			_, err := s.Update(t.Context(), "ada", func(tx state.Tx) error { return drawn().put(tx) })
			put <- err
		}()
		for range 200 { // it does not wait for the Update, which may wait for it
			if Dump(r) != before {
				t.Error("a View saw a change that was made while it read")
			}
		}
		return nil
	})
	if err := errors.Join(err, <-put); err != nil {
		t.Fatal(err)
	}
}

// testEnded: nothing is done for a caller who has left, and who waits stops waiting.
func testEnded(t *testing.T, open Open) {
	s, done := open(time.Now)
	defer done()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Update(ctx, "ada", func(tx state.Tx) error { return drawn().put(tx) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v", err)
	}
	if err := s.View(ctx, func(state.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v", err)
	}
	if err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	if err := s.SetCursor(ctx, "notices", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("SetCursor: %v", err)
	}
	if _, known, err := s.Cursor(t.Context(), "notices"); known || err != nil {
		t.Errorf("cursor %v, %v", known, err)
	}
	if rev, err := s.Rev(t.Context()); rev != 0 || err != nil {
		t.Errorf("revision %d, %v", rev, err)
	}
}
