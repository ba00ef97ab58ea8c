package revisions_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/revisions"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

const (
	ada = "ada@example.com"
	ops = "ops@example.com"
	pat = "pat@example.com"
)

// between is a store in which something else happens before the next transaction begins.
type between struct {
	state.Store
	happen func()
}

func (b *between) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	if happen := b.happen; happen != nil {
		b.happen = nil
		happen()
	}
	return b.Store.Update(ctx, by, change)
}

// office is two services of people at one store, as two nodes have them.
type office struct {
	store             *between
	service           *revisions.Service
	people, elsewhere *people.Service
}

func newOffice(t *testing.T) *office {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	memory := statetest.NewMemory(now)
	desk := func(s state.Store) *control.Desk {
		return &control.Desk{
			Store: s, Now: now, Logger: slog.New(slog.DiscardHandler),
			Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
		}
	}
	o := &office{store: &between{Store: memory}}
	here := desk(o.store)
	o.people, o.elsewhere = people.New(people.Options{Desk: here}), people.New(people.Options{Desk: desk(memory), ConsoleURL: func() string { return "" }})
	o.service = &revisions.Service{Desk: here, People: o.people}
	if _, err := o.elsewhere.Admit(t.Context(), ops, false); err != nil {
		t.Fatal(err)
	}
	return o
}

func as(ctx context.Context, user string) context.Context {
	return access.WithActor(ctx, access.Actor{User: user, Roles: access.Roles()})
}

func only(tags ...string) control.Condition {
	return control.Condition{Match: &control.Tags{List: tags}}
}

func (o *office) put(t *testing.T, ctx context.Context, name string, roles ...access.Role) {
	t.Helper()
	if _, err := o.elsewhere.PutUser(ctx, name, roles, false); err != nil {
		t.Fatal(err)
	}
}

func (o *office) tag(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	u, err := o.people.User(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return control.Tag(u)
}

// TestChangedBetween: what changes a document after it was compared and before the transaction is
// seen in it; the error names who changed it, when and how.
func TestChangedBetween(t *testing.T) {
	o, ctx := newOffice(t), as(t.Context(), ops)
	o.put(t, ctx, ada, access.RoleViewer)
	user := control.Document{Kind: control.DocumentUser, ID: ada}
	held, err := o.service.Expect(ctx, user, only(`"other"`, o.tag(t, ctx, ada)))
	if err != nil {
		t.Fatal(err)
	}
	o.store.happen = func() { o.put(t, as(t.Context(), pat), ada, access.RoleDeveloper) }
	_, err = o.people.PutUser(held, ada, []access.Role{access.RoleReviewer}, false)
	if !errors.Is(err, control.ErrPrecondition) {
		t.Fatalf("a change of what was changed meanwhile: %v", err)
	}
	for _, word := range []string{ada, "by " + pat, "2026-01-02T03:04:05Z", "user.changed"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %q", err, word)
		}
	}
	u, err := o.people.User(ctx, ada)
	if err != nil || len(u.Roles) != 1 || u.Roles[0] != access.RoleDeveloper {
		t.Errorf("the other's change is lost: %+v, %v", u, err)
	}
}

// TestMadeBetween: of two that make the same user one does, and no user appears for a tag of none.
func TestMadeBetween(t *testing.T) {
	o, ctx := newOffice(t), as(t.Context(), ops)
	user := control.Document{Kind: control.DocumentUser, ID: ada}
	absent := control.Condition{NoneMatch: &control.Tags{Any: true}}
	held, err := o.service.Expect(ctx, user, absent)
	if err != nil {
		t.Fatal(err)
	}
	o.store.happen = func() { o.put(t, ctx, ada, access.RoleDeveloper) }
	if _, err := o.people.PutUser(held, ada, nil, false); !errors.Is(err, control.ErrPrecondition) || !strings.Contains(err.Error(), "exists") {
		t.Errorf("made twice: %v", err)
	}
	if _, err := o.service.Expect(ctx, user, absent); !errors.Is(err, control.ErrPrecondition) {
		t.Errorf("it is there: %v", err)
	}
	user.ID = pat
	for _, c := range []control.Condition{only(`"x"`), {Match: &control.Tags{Any: true}}} {
		if _, err := o.service.Expect(ctx, user, c); !errors.Is(err, control.ErrPrecondition) {
			t.Errorf("%+v of no user: %v", c.Match, err)
		}
	}
}

// TestOneOfManyWins: of changes with one tag, at once, one is made.
func TestOneOfManyWins(t *testing.T) {
	o, ctx := newOffice(t), as(t.Context(), ops)
	o.put(t, ctx, ada, access.RoleViewer)
	tag := o.tag(t, ctx, ada)
	sets := [][]access.Role{{access.RoleDeveloper}, {access.RoleReviewer}, {access.RoleOperator}, {access.RoleViewer, access.RoleDeveloper}}
	ready, made := sync.WaitGroup{}, make(chan error, len(sets))
	ready.Add(len(sets))
	for _, roles := range sets {
		go func() {
			held, err := o.service.Expect(ctx, control.Document{Kind: control.DocumentUser, ID: ada}, only(tag))
			ready.Done()
			ready.Wait() // all have compared before one writes
			if err == nil {
				_, err = o.people.PutUser(held, ada, roles, false)
			}
			made <- err
		}()
	}
	won := 0
	for range sets {
		if err := <-made; err == nil {
			won++
		} else if !errors.Is(err, control.ErrPrecondition) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d changes with one tag were made", won, len(sets))
	}
}

// TestSecondChange: a request that makes two changes is held to what it has read by the first alone.
func TestSecondChange(t *testing.T) {
	o, ctx := newOffice(t), as(t.Context(), ops)
	o.put(t, ctx, ada, access.RoleViewer)
	held, err := o.service.Expect(ctx, control.Document{Kind: control.DocumentUser, ID: ada}, only(o.tag(t, ctx, ada)))
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []access.Role{access.RoleDeveloper, access.RoleReviewer} {
		if _, err := o.people.PutUser(held, ada, []access.Role{role}, false); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}
