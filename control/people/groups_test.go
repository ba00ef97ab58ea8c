package people_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
)

const ada, eve, ops = "ada@example.com", "eve@example.com", "ops@example.com"

// company is a desk with people at it.
type company struct {
	*people.Groups
	desk *control.Desk
}

func newCompany(t *testing.T) company {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	desk := &control.Desk{
		Store: persons.Over(statetest.Strict(t, statetest.NewMemory(now))), Now: now, Logger: slog.New(slog.DiscardHandler),
		Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
		Quotas: control.Quotas{"node-groups": 4, "group-people": 2, "memberships": 3},
	}
	c := company{people.NewGroups(desk), desk}
	c.update(t, func(tx state.Tx) error {
		tx.Emit("user.changed", "", ada, nil)
		return errors.Join(tx.PutUser(access.User{ID: "u_ada", Name: ada}), tx.PutUser(access.User{ID: "u_eve", Name: eve}), tx.PutUser(access.User{ID: "u_ops", Name: ops}))
	})
	return c
}

func (c company) update(t *testing.T, change func(tx state.Tx) error) {
	t.Helper()
	if _, err := c.desk.Update(t.Context(), "node", change); err != nil {
		t.Fatal(err)
	}
}

// as is what a person acts with, as who is signed in.
func (c company) as(t *testing.T, name string, roles ...access.Role) context.Context {
	t.Helper()
	actor := access.Actor{User: name, Roles: roles}
	err := c.desk.View(t.Context(), func(tx state.Reader) (err error) {
		actor.Groups, err = tx.GroupsOf(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return access.WithActor(t.Context(), actor)
}

func (c company) add(ctx context.Context, group, person string) error {
	_, err := c.Add(ctx, group, person)
	return err
}

func (c company) remove(ctx context.Context, group, person string) error {
	_, err := c.Remove(ctx, group, person)
	return err
}

// TestGroups: operators keep groups, everyone with a role finds them, and who is in one sees with whom.
func TestGroups(t *testing.T) {
	c := newCompany(t)
	boss, dev := c.as(t, ops, access.RoleOperator), c.as(t, ada, access.RoleDeveloper)
	g, err := c.Create(boss, "Sales")
	if err = errors.Join(err, c.add(boss, "sales", "ADA@example.com"), c.add(boss, g.ID, ada)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Show(dev, "SALES"); err != nil || got.People != 1 || got.ID != g.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if g, err = c.Rename(boss, g.ID, "Sales EMEA"); err != nil || g.People != 1 || g.Name != "Sales EMEA" {
		t.Errorf("%+v, %v", g, err)
	}
	if of, err := c.List(c.as(t, ada), control.GroupFilter{Person: "Ada@example.com"}, control.Page{}); err != nil || len(of.Items) != 1 || of.Items[0] != g {
		t.Errorf("%+v, %v", of, err)
	}
	for name, ctx := range map[string]context.Context{"who is in it": c.as(t, ada), "an operator": boss} {
		if names, err := c.People(ctx, g.ID, control.Page{}); err != nil || !slices.Equal(names.Items, []control.GroupPerson{{Name: ada}}) {
			t.Errorf("%s: %v, %v", name, names, err)
		}
	}
	if list, err := c.List(dev, control.GroupFilter{Name: "emea"}, control.Page{}); err != nil || len(list.Items) != 1 || list.Items[0].People != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.remove(boss, g.ID, ada); err != nil {
		t.Error(err)
	}
	if err := c.Delete(boss, g.ID); err != nil {
		t.Error(err)
	}
	if of, err := c.List(boss, control.GroupFilter{Person: ada}, control.Page{}); err != nil || len(of.Items) != 0 {
		t.Errorf("of a group that was deleted: %+v, %v", of, err)
	}
	events, err := c.desk.Store.Events(t.Context(), state.EventQuery{After: 1, Limit: -1})
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		known := abi.EventKindNamed(e.Kind)
		for k := range e.Detail {
			if !slices.Contains(known.Detail, k) {
				t.Errorf("%s has a detail %s", e.Kind, k)
			}
		}
	}
	// The second Add changed nothing, and said so by saying nothing.
	if want := []string{"group.created", "group.member_added", "group.changed", "group.member_removed", "group.deleted"}; err != nil || !slices.Equal(kinds, want) {
		t.Errorf("%v, %v", kinds, err)
	}
	if events[1].Detail["person"] != ada || events[1].Subject != g.ID {
		t.Errorf("%+v", events[1])
	}
}

// TestGroupRefusals: each reason for which groups are not changed, or not shown.
func TestGroupRefusals(t *testing.T) {
	c := newCompany(t)
	boss := c.as(t, ops, access.RoleOperator)
	g, err := c.Create(boss, "Sales")
	if err != nil {
		t.Fatal(err)
	}
	var told access.Group
	c.update(t, func(tx state.Tx) error {
		if err := people.Tell(tx, eve, "idp", []string{"Cloud"}, "g_seed", c.desk.Now()); err != nil {
			return err
		}
		told, err = tx.GroupNamed("idp", "cloud")
		return err
	})
	dev, outsider := c.as(t, ada, access.RoleDeveloper), c.as(t, eve)
	_, created := c.Create(dev, "x")
	_, shown := c.Show(outsider, g.ID)
	_, absent := c.Show(dev, "absent")
	_, listed := c.List(outsider, control.GroupFilter{}, control.Page{})
	_, seen := c.People(dev, g.ID, control.Page{})
	_, of := c.List(dev, control.GroupFilter{Person: eve}, control.Page{})
	_, whose := c.List(dev, control.GroupFilter{Person: "eve"}, control.Page{})
	_, taken := c.Create(boss, "SALES")
	_, bad := c.Create(boss, "\x00")
	_, renamed := c.Rename(boss, told.ID, "x")
	for what, e := range map[string]struct{ got, want error }{
		"made by a developer":  {created, access.ErrForbidden},
		"shown without a role": {shown, access.ErrForbidden}, "listed without a role": {listed, access.ErrForbidden},
		"one that is not there": {absent, access.ErrNoGroup}, "its people, seen from outside": {seen, access.ErrForbidden},
		"another's groups": {of, access.ErrForbidden}, "those of no name": {whose, access.ErrNoUser}, "a name that is taken": {taken, access.ErrGroupTaken}, "a bad name": {bad, access.ErrBadGroup},
		"a provider's, renamed": {renamed, access.ErrGroupTold}, "a provider's, deleted": {c.Delete(boss, told.ID), access.ErrGroupTold},
		"a provider's, filled": {c.add(boss, told.ID, ada), access.ErrGroupTold}, "a provider's, emptied": {c.remove(boss, told.ID, eve), access.ErrGroupTold},
		"whom nobody knows": {c.add(boss, g.ID, "zoe@example.com"), access.ErrNoUser}, "no name": {c.add(boss, g.ID, "zoe"), access.ErrNoUser},
		"who is not in it": {c.remove(boss, g.ID, ada), access.ErrNoMember}, "deleted by a developer": {c.Delete(dev, g.ID), access.ErrForbidden},
	} {
		if !errors.Is(e.got, e.want) {
			t.Errorf("%s: %v", what, e.got)
		}
	}
}

// TestGroupQuotas: groups, the people in one and the groups of one person are bounded.
func TestGroupQuotas(t *testing.T) {
	c := newCompany(t)
	boss := c.as(t, ops, access.RoleOperator)
	over := func(what string, err error) {
		t.Helper()
		if _, is := errors.AsType[*control.OverQuota](err); !is {
			t.Errorf("%s: %v", what, err)
		}
	}
	var err error
	for _, name := range []string{"a", "b", "c", "d"} {
		_, createErr := c.Create(boss, name)
		err = errors.Join(err, createErr)
	}
	if err = errors.Join(err, c.add(boss, "a", ada), c.add(boss, "b", ada), c.add(boss, "c", ada), c.add(boss, "a", eve)); err != nil {
		t.Fatal(err)
	}
	_, fifth := c.Create(boss, "e")
	over("a fifth group", fifth)
	over("a third person", c.add(boss, "a", ops))
	over("a fourth group of ada's", c.add(boss, "d", ada))
}
