package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/state"
)

// groupOf reads a group of a provider.
func groupOf(tx state.Reader, provider, id string) (access.Group, error) {
	g, err := tx.Group(id)
	if err == nil && g.Source != provider {
		err = access.ErrNoGroup
	}
	return g, err
}

// seen is a group as its provider sees it, with its members if they are asked for.
func seen(tx state.Reader, g access.Group, members bool) (control.ProvisionedGroup, error) {
	out := control.ProvisionedGroup{ID: g.ID, Name: g.Name, External: g.External, Created: g.Created, Changed: g.Changed}
	if out.Changed.IsZero() {
		out.Changed = g.Created
	}
	if !members {
		return out, nil
	}
	return out, eachMember(tx, g.ID, func(_, id string) { out.Members = append(out.Members, id) })
}

// eachMember calls see for everybody in a group, in parts.
func eachMember(tx state.Reader, group string, see func(name, id string)) error {
	for p := (state.Part{Limit: looksAtOnce}); ; {
		names, next, err := tx.MembersPart(group, p)
		if err != nil {
			return err
		}
		for _, name := range names {
			who, err := tx.Person(name)
			if err != nil {
				return err
			}
			see(name, who.ID)
		}
		if p.After = next; next == nil {
			return nil
		}
	}
}

// Group reads a group of the provider that acts.
func (s *Service) Group(ctx context.Context, id string, members bool) (g control.ProvisionedGroup, err error) {
	name, err := provider(ctx)
	if err != nil {
		return g, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		found, err := groupOf(tx, name, id)
		if err == nil {
			g, err = seen(tx, found, members)
		}
		return err
	})
	return g, err
}

// Groups lists groups of the provider that acts, those for which keep returns true (nil: all), and
// returns how many there are in all.
func (s *Service) Groups(ctx context.Context, q control.ProvisionedQuery, members bool, keep func(control.ProvisionedGroup) bool) (found []control.ProvisionedGroup, total int, err error) {
	name, err := provider(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		found, total = nil, 0
		return groupsFor(tx, name, q, func(g access.Group) error {
			wanted := keep != nil || (total >= q.Skip && len(found) < q.Limit)
			var is control.ProvisionedGroup
			if wanted {
				if is, err = seen(tx, g, members); err != nil {
					return err
				}
			}
			if keep != nil && !keep(is) {
				return nil
			}
			if total++; total > q.Skip && len(found) < q.Limit {
				found = append(found, is)
			}
			return nil
		})
	})
	return found, total, err
}

// groupsFor calls see for the groups of a provider that a query may be about: one, those of one person,
// or all.
func groupsFor(tx state.Reader, provider string, q control.ProvisionedQuery, see func(access.Group) error) error {
	one := func(g access.Group, err error) error {
		if errors.Is(err, access.ErrNotFound) || (err == nil && g.Source != provider) {
			return nil
		}
		if err != nil {
			return err
		}
		return see(g)
	}
	switch q.Key {
	case control.ByID:
		return one(tx.Group(q.Value))
	case control.ByName:
		return one(tx.GroupNamed(provider, q.Value))
	case control.ByExternal:
		return one(tx.GroupKnownAs(provider, q.Value))
	case control.ByMember:
		ids, err := tx.GroupsOf(q.Value)
		for _, id := range ids {
			if err == nil {
				err = one(tx.Group(id))
			}
		}
		return err
	}
	for p := (state.Part{Limit: looksAtOnce}); ; {
		part, next, err := tx.GroupsPart(p)
		for _, g := range part {
			if err == nil {
				err = one(g, nil)
			}
		}
		if p.After = next; err != nil || next == nil {
			return err
		}
	}
}

// AddGroup makes a group of the provider that acts. One that a sign-in made, by the same key and with
// no other name, is that group.
func (s *Service) AddGroup(ctx context.Context, c control.GroupChange) (made control.ProvisionedGroup, err error) {
	id := access.NewGroupID()
	err = s.update(ctx, func(tx state.Tx, provider string) error {
		g, err := tx.GroupKnownAs(provider, c.External)
		if err == nil && g.Name == c.External {
			made, err = s.changeGroup(tx, g, c, true)
			return err
		}
		if err != nil && !errors.Is(err, access.ErrNotFound) {
			return err
		}
		if g, err = access.AddGroup(tx, access.Group{ID: id, Name: c.Name, Source: provider, External: c.External}, s.desk.Now()); err != nil {
			return err
		}
		people.Made(tx, g)
		if _, err := s.step(tx, provider, g, c.Members); err != nil {
			return err
		}
		made, err = seen(tx, g, true)
		return err
	})
	return made, err
}

// ChangeGroup changes a group of the provider that acts into what change returns, which may be called
// more than once. It is called with the group as it is, in the transaction.
func (s *Service) ChangeGroup(ctx context.Context, id string, members bool, change func(control.ProvisionedGroup) (control.GroupChange, error)) (g control.ProvisionedGroup, err error) {
	err = s.update(ctx, func(tx state.Tx, provider string) error {
		found, err := groupOf(tx, provider, id)
		if err != nil {
			return err
		}
		was, err := seen(tx, found, members)
		if err != nil {
			return err
		}
		c, err := change(was)
		if err != nil {
			return err
		}
		g, err = s.changeGroup(tx, found, c, false)
		return err
	})
	return g, err
}

func (s *Service) changeGroup(tx state.Tx, g access.Group, c control.GroupChange, members bool) (out control.ProvisionedGroup, err error) {
	was := g
	g.Name, g.External = c.Name, c.External
	if g, err = access.ChangeGroup(tx, g, s.desk.Now()); err != nil {
		return out, err
	}
	renamed := g.Name != was.Name || g.External != was.External
	if renamed {
		tx.Emit("group.changed", "", g.ID, map[string]string{"group": g.Name, "was": was.Name})
	}
	moved, err := s.step(tx, g.Source, g, c.Members)
	if err != nil {
		return out, err
	}
	if out, err = seen(tx, g, members); err == nil && !renamed && !moved {
		err = errSame
	}
	return out, err
}

// RemoveGroup deletes a group of the provider that acts. check, which may be called more than once,
// returns an error if it is not to be done.
func (s *Service) RemoveGroup(ctx context.Context, id string, members bool, check func(control.ProvisionedGroup) error) error {
	return s.update(ctx, func(tx state.Tx, provider string) error {
		g, err := groupOf(tx, provider, id)
		if err != nil {
			return err
		}
		was, err := seen(tx, g, members)
		if err == nil {
			err = check(was)
		}
		if err != nil {
			return err
		}
		var names []string
		if err := eachMember(tx, g.ID, func(name, _ string) { names = append(names, name) }); err != nil {
			return err
		}
		if err := people.Forget(tx, g); err != nil {
			return err
		}
		for _, name := range names {
			if err := s.regrade(tx, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// regrade gives a person the roles that rules give for the groups that they are in now.
func (s *Service) regrade(tx state.Tx, name string) error {
	was, err := tx.User(name)
	if err != nil {
		return err
	}
	is, err := access.ApplyRules(tx, name, s.rules())
	if err != nil || slices.EqualFunc(was.Given, is.Given, func(a, b access.Given) bool { return a.Role == b.Role }) {
		return err
	}
	groups, err := tx.GroupsOf(name)
	if err != nil {
		return err
	}
	var words []string
	for _, r := range is.RolesAt(s.desk.Now(), groups) {
		words = append(words, string(r))
	}
	tx.Emit("user.changed", "", name, map[string]string{"roles": strings.Join(words, " ")})
	return nil
}

// step changes who is in a group, and reports whether anybody came or went.
func (s *Service) step(tx state.Tx, provider string, g access.Group, steps []control.MemberStep) (moved bool, err error) {
	for _, one := range steps {
		did, err := s.takeStep(tx, provider, g, one)
		if err != nil {
			return moved, err
		}
		moved = moved || did
	}
	return moved, nil
}

func (s *Service) takeStep(tx state.Tx, provider string, g access.Group, one control.MemberStep) (moved bool, err error) {
	var leave []string
	if one.Set || one.Where != nil {
		stay := map[string]bool{}
		for _, id := range one.IDs {
			stay[id] = true
		}
		err := eachMember(tx, g.ID, func(name, id string) {
			if one.Set && !stay[id] || one.Where != nil && one.Where(id) {
				leave = append(leave, name)
			}
		})
		if err != nil {
			return false, err
		}
	}
	for _, id := range one.IDs {
		name, err := member(tx, provider, id)
		switch {
		case errors.Is(err, access.ErrNotFound) && !one.Add && !one.Set:
			continue // who is not there is in no group
		case err != nil:
			return false, err
		case !one.Add && !one.Set:
			leave = append(leave, name)
			continue
		}
		is, err := tx.IsMember(g.ID, name)
		if err == nil && !is {
			moved, err = true, errors.Join(people.Join(tx, g, name), s.regrade(tx, name))
		}
		if err != nil {
			return false, err
		}
	}
	for _, name := range leave {
		is, err := tx.IsMember(g.ID, name)
		if err == nil && is {
			moved, err = true, errors.Join(people.Leave(tx, g, name), s.regrade(tx, name))
		}
		if err != nil {
			return false, err
		}
	}
	return moved, nil
}

// member returns the name of a person whom a provider puts into a group: one of its own people.
func member(tx state.Reader, provider, id string) (string, error) {
	p, err := person(tx, provider, id)
	if errors.Is(err, access.ErrNotFound) {
		err = fmt.Errorf("the member %.60q: %w", id, &unknownMember{})
	}
	return p.Person, err
}

// unknownMember is a member who is nobody: a value that is not valid, and no address that leads
// nowhere.
type unknownMember struct{}

func (*unknownMember) Error() string { return access.ErrNotProvisioned.Error() }

func (*unknownMember) Unwrap() []error {
	return []error{access.ErrProvisioning, access.ErrNotProvisioned}
}
