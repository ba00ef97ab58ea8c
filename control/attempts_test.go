package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// desks are as many nodes as are wanted, at one store.
type desks struct {
	store state.Store
	now   atomic.Int64
}

func newDesks() *desks {
	d := &desks{}
	d.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	d.store = statetest.NewMemory(d.clock)
	return d
}

func (d *desks) clock() time.Time { return time.Unix(d.now.Load(), 0).UTC() }

func (d *desks) node() *control.Attempts {
	return &control.Attempts{Desk: &control.Desk{
		Store: d.store, Now: d.clock, Logger: slog.New(slog.DiscardHandler),
		Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
	}}
}

func by(ctx context.Context, user string) context.Context {
	return access.WithActor(ctx, access.Actor{User: user, Roles: access.Roles()})
}

// count adds one to the releases of an app: a change that is seen if it is made twice.
func count(ctx context.Context, s *control.Attempts) error {
	_, err := s.Desk.Update(ctx, access.ActorFrom(ctx).User, func(tx state.Tx) error {
		app, err := tx.App("a")
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		app.Name, app.Releases = "a", app.Releases+1
		return tx.PutApp(app)
	})
	return err
}

func (d *desks) counted(t *testing.T) int {
	t.Helper()
	var app registry.App
	err := d.store.View(t.Context(), func(tx state.Reader) (err error) {
		app, err = tx.App("a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return app.Releases
}

// TestAttempts: a write that has a key is made once, and what a repeat is told.
func TestAttempts(t *testing.T) {
	d := newDesks()
	first, ctx := d.node(), by(t.Context(), "ada@example.com")
	within, was, end, err := first.BeginAttempt(ctx, "k", "print")
	if err != nil || was != nil {
		t.Fatal(was, err)
	}
	if _, _, _, err := first.BeginAttempt(ctx, "k", "print"); !errors.Is(err, control.ErrInProgress) {
		t.Errorf("while the first is served: %v", err)
	}
	if err := errors.Join(count(within, first), count(within, first)); err != nil { // a request of two changes
		t.Fatal(err)
	}
	// The node is killed here: it never says how it ended.
	second := d.node()
	if _, _, _, err := second.BeginAttempt(ctx, "k", "print"); !errors.Is(err, control.ErrAnswerLost) {
		t.Errorf("after a kill: %v", err)
	}
	if err := end(&state.Answer{Status: 201, Body: []byte("done")}); err != nil { // or was not
		t.Fatal(err)
	}
	for _, node := range []*control.Attempts{first, second} {
		if _, was, _, err := node.BeginAttempt(ctx, "k", "print"); err != nil || was == nil || was.Status != 201 || string(was.Body) != "done" {
			t.Errorf("a repeat: %+v, %v", was, err)
		}
		if _, _, _, err := node.BeginAttempt(ctx, "k", "another"); !errors.Is(err, control.ErrKeyReused) {
			t.Errorf("another request: %v", err)
		}
	}
	if n := d.counted(t); n != 2 {
		t.Errorf("%d changes", n)
	}
	// Another person's key is another key.
	_, was, end, err = first.BeginAttempt(by(t.Context(), "eve@example.com"), "k", "print")
	if err != nil || was != nil {
		t.Fatalf("eve is told %+v, %v", was, err)
	}
	if err := end(nil); err != nil { // and failed: she may try again
		t.Fatal(err)
	}
	if _, was, _, err := first.BeginAttempt(by(t.Context(), "eve@example.com"), "k", "another"); err != nil || was != nil {
		t.Errorf("after a failure: %+v, %v", was, err)
	}
	d.now.Add(24 * 3600)
	if _, was, _, err := second.BeginAttempt(ctx, "k", "another"); err != nil || was != nil {
		t.Errorf("a day later: %+v, %v", was, err)
	}
	for _, bad := range []string{"", "a b", "é", "a\n", string(make([]byte, 300))} {
		if _, _, _, err := first.BeginAttempt(ctx, bad, "print"); !errors.Is(err, control.ErrBadKey) {
			t.Errorf("the key %.9q: %v", bad, err)
		}
	}
}

// TestRacingTwins: of one request that is sent to two nodes at once, again and again, one is served.
func TestRacingTwins(t *testing.T) {
	d := newDesks()
	nodes := []*control.Attempts{d.node(), d.node()}
	var all sync.WaitGroup
	const rounds = 20
	for round := range rounds {
		for i := range 8 {
			all.Go(func() {
				node, ctx := nodes[i%2], by(t.Context(), "ada@example.com")
				within, was, end, err := node.BeginAttempt(ctx, fmt.Sprint("k", round), "print")
				if err != nil || was != nil {
					return
				}
				var answer *state.Answer
				if count(within, node) == nil {
					answer = &state.Answer{Status: 200}
				}
				if err := end(answer); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n := d.counted(t); n != rounds {
		t.Errorf("%d requests made %d changes", rounds, n)
	}
}

// TestAttemptsAreBounded: a person has so many keys, of which the oldest are forgotten, and a large
// answer is not kept.
func TestAttemptsAreBounded(t *testing.T) {
	d := newDesks()
	node, ctx := d.node(), by(t.Context(), "ada@example.com")
	for i := range 510 {
		d.now.Add(1)
		_, _, end, err := node.BeginAttempt(ctx, fmt.Sprint("k", i), "print")
		if err == nil {
			err = end(&state.Answer{Status: 200})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	within, _, end, err := node.BeginAttempt(ctx, "large", "print")
	if err = errors.Join(err, count(within, node), end(&state.Answer{Body: make([]byte, control.MaxAnswer+1)})); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := node.BeginAttempt(ctx, "large", "print"); !errors.Is(err, control.ErrAnswerLost) {
		t.Errorf("a large answer: %v", err)
	}
	err = d.store.View(t.Context(), func(tx state.Reader) error {
		kept, err := tx.Attempts("ada@example.com")
		if len(kept) != 500 {
			t.Errorf("%d are kept", len(kept))
		}
		if _, found, _ := tx.Attempt("ada@example.com", kept[0].Key); !found {
			t.Error("one that is listed is not found")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
