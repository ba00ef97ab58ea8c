package people

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Groups keeps groups and who is in them. It is safe for concurrent use.
type Groups struct{ desk *control.Desk }

// NewGroups makes Groups.
func NewGroups(desk *control.Desk) *Groups { return &Groups{desk} }

// List lists groups by name. The groups of one person are for that person and for those who manage
// people.
func (s *Groups) List(ctx context.Context, f control.GroupFilter, p control.Page) (groups control.Items[control.Group], err error) {
	actor := access.ActorFrom(ctx)
	if f.Person != "" {
		if f.Person, err = access.CanonicalName(f.Person); err != nil {
			return groups, fmt.Errorf("user %.80q: %w", f.Person, access.ErrNoUser)
		}
		err = access.May(actor, access.ReadMemberships, access.Person(f.Person))
	} else {
		err = access.May(actor, access.ReadGroup, access.TheGroup("", ""))
	}
	if err != nil {
		return groups, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		var found control.Items[access.Group]
		if f.Person != "" {
			found, err = groupsOf(tx, f, p)
		} else {
			found, err = control.Sift(p, f.Keeps, tx.GroupsPart)
		}
		if err != nil {
			return err
		}
		groups, err = control.Shown(found, func(g access.Group) (control.Group, error) { return shown(tx, g) })
		return err
	})
	return groups, err
}

// groupsOf lists the groups that a person is in, by id.
func groupsOf(tx state.Reader, f control.GroupFilter, p control.Page) (none control.Items[access.Group], err error) {
	ids, err := tx.GroupsOf(f.Person)
	if err != nil {
		return none, err
	}
	var all []access.Group
	for _, id := range ids {
		g, err := tx.Group(id)
		if err != nil {
			return none, err
		}
		if f.Keeps(g) {
			all = append(all, g)
		}
	}
	return control.Cut(p, all, func(g access.Group) string { return g.ID })
}

// shown is a group as it is shown.
func shown(tx state.Reader, g access.Group) (control.Group, error) {
	n, err := tx.Count(state.CountMembers, g.ID)
	return control.Group{Group: g, People: int(n.N)}, err
}

// Show reads one group, by its id or its name.
func (s *Groups) Show(ctx context.Context, text string) (group control.Group, err error) {
	actor := access.ActorFrom(ctx)
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		group, err = s.ShowIn(tx, actor, text)
		return err
	})
	return group, err
}

// ShowIn is Show in one state.
func (s *Groups) ShowIn(tx state.Reader, actor access.Actor, text string) (control.Group, error) {
	g, err := find(tx, actor, access.ReadGroup, text)
	if err != nil {
		return control.Group{}, err
	}
	return shown(tx, g)
}

// find returns a group about which an actor may do something.
func find(tx state.Reader, actor access.Actor, act access.Act, text string) (access.Group, error) {
	if err := access.Require(actor, access.Door(act)...); err != nil {
		return access.Group{}, err
	}
	g, err := access.FindGroup(tx, text)
	if err != nil {
		return g, fmt.Errorf("group %.80q: %w", text, err)
	}
	return g, access.May(actor, act, access.TheGroup(g.ID, g.Name))
}

// People lists who is in a group.
func (s *Groups) People(ctx context.Context, group string, p control.Page) (all control.Items[control.GroupPerson], err error) {
	actor := access.ActorFrom(ctx)
	err = s.desk.View(ctx, func(tx state.Reader) error {
		g, err := find(tx, actor, access.ReadMembers, group)
		if err != nil {
			return err
		}
		names, err := control.Part(p, func(p state.Part) ([]string, []byte, error) { return tx.MembersPart(g.ID, p) })
		if err != nil {
			return err
		}
		all, err = control.Shown(names, func(name string) (control.GroupPerson, error) {
			u, err := tx.User(name)
			return control.GroupPerson{Name: name, Disabled: u.Disabled}, err
		})
		return err
	})
	return all, err
}

// Create makes a group.
func (s *Groups) Create(ctx context.Context, name string) (group control.Group, err error) {
	actor, err := s.desk.Door(ctx, access.ManageGroup)
	if err != nil {
		return group, err
	}
	id := access.NewGroupID()
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		g, err := access.AddGroup(tx, access.Group{ID: id, Name: name}, s.desk.Now())
		if err != nil {
			return err
		}
		group = control.Group{Group: g}
		Made(tx, g)
		return nil
	})
	return group, err
}

// change changes a group that no provider keeps, and returns it as it is then.
func (s *Groups) change(ctx context.Context, text string, change func(tx state.Tx, g *access.Group) error) (group control.Group, err error) {
	actor, err := s.desk.Door(ctx, access.ManageGroup)
	if err != nil {
		return group, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		g, err := find(tx, actor, access.ManageGroup, text)
		if err == nil {
			err = g.Told()
		}
		if err == nil {
			err = change(tx, &g)
		}
		if err != nil {
			return err
		}
		group, err = shown(tx, g)
		return err
	})
	return group, err
}

// Rename gives a group another name.
func (s *Groups) Rename(ctx context.Context, text, name string) (control.Group, error) {
	return s.change(ctx, text, func(tx state.Tx, g *access.Group) (err error) {
		was := g.Name
		g.Name = name
		if *g, err = access.ChangeGroup(tx, *g, s.desk.Now()); err == nil {
			tx.Emit("group.changed", "", g.ID, map[string]string{"group": g.Name, "was": was})
		}
		return err
	})
}

// Delete forgets a group that owns no app. Whoever was in it has what it gave no more.
func (s *Groups) Delete(ctx context.Context, text string) error {
	_, err := s.change(ctx, text, func(tx state.Tx, g *access.Group) error {
		apps, err := control.AppsOfGroup(tx, g.ID)
		if err == nil && len(apps) > 0 {
			err = fmt.Errorf("the group %q owns %s; say first who owns that: %w", g.Name, someOf(apps), access.ErrGroupInUse)
		}
		if err != nil {
			return err
		}
		return Forget(tx, *g)
	})
	return err
}

// someOf names some apps.
func someOf(apps []registry.App) string {
	var names []string
	for _, a := range apps[:min(len(apps), 5)] {
		names = append(names, a.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(apps) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more apps", more)
	}
	return text
}

// Add puts a person into a group.
func (s *Groups) Add(ctx context.Context, group, person string) (control.Group, error) {
	return s.change(ctx, group, func(tx state.Tx, g *access.Group) error {
		name, err := known(tx, person)
		if err == nil {
			err = access.AsPerson(name, "is in the groups of its sponsor")
		}
		if err != nil {
			return err
		}
		return Join(tx, *g, name)
	})
}

// Remove takes a person out of a group.
func (s *Groups) Remove(ctx context.Context, group, person string) (control.Group, error) {
	return s.change(ctx, group, func(tx state.Tx, g *access.Group) error {
		name, err := known(tx, person)
		if err != nil {
			return err
		}
		is, err := tx.IsMember(g.ID, name)
		if err == nil && !is {
			err = fmt.Errorf("%s is not in the group %q: %w", name, g.Name, access.ErrNoMember)
		}
		if err != nil {
			return err
		}
		return Leave(tx, *g, name)
	})
}

// known returns the name that a person has now whom a text names.
func known(tx state.Reader, person string) (string, error) {
	name, err := access.CanonicalName(person)
	if err != nil {
		return "", fmt.Errorf("user %.80q: %w", person, access.ErrNoUser)
	}
	p, err := tx.Person(name)
	if errors.Is(err, access.ErrNotFound) {
		var u access.User
		u, err = tx.User(name)
		p.Name = u.Name
	}
	if err != nil {
		return "", fmt.Errorf("user %q: %w", name, err)
	}
	return p.Name, nil
}

// Made emits that a group is new.
func Made(tx state.Tx, g access.Group) {
	tx.Emit("group.created", "", g.ID, described(g))
}

// Forget forgets a group, whoever keeps it. The apps that it owns stay their owners'.
func Forget(tx state.Tx, g access.Group) error {
	apps, err := control.AppsOfGroup(tx, g.ID)
	if err != nil {
		return err
	}
	for _, a := range apps {
		a.Group = ""
		if err := errors.Join(tx.PutApp(a), control.OwnRequests(tx, a)); err != nil {
			return err
		}
		detail := map[string]string{"reason": "the group " + g.Name + " was deleted"}
		if a.CoOwner != "" {
			detail["co_owner"] = a.CoOwner
		}
		tx.Emit("app.shared", a.Name, a.Name, detail)
	}
	members, _, err := tx.MembersPart(g.ID, state.Part{Limit: -1})
	if err != nil {
		return err
	}
	if err := control.LeftGroup(tx, g.ID, members...); err != nil {
		return err
	}
	n, err := tx.Count(state.CountMembers, g.ID)
	if err != nil {
		return err
	}
	detail := described(g)
	detail["people"] = strconv.FormatInt(n.N, 10)
	tx.Emit("group.deleted", "", g.ID, detail)
	return tx.DeleteGroup(g.ID)
}

func described(g access.Group) map[string]string {
	detail := map[string]string{"group": g.Name}
	if g.Source != "" {
		detail["source"] = g.Source
	}
	return detail
}

// Join puts a person into a group, whoever keeps it. One who is in it stays, and no event says so.
func Join(tx state.Tx, g access.Group, person string) error {
	if is, err := tx.IsMember(g.ID, person); err != nil || is {
		return err
	}
	tx.Emit("group.member_added", "", g.ID, map[string]string{"group": g.Name, "person": person})
	return tx.PutMember(g.ID, person)
}

// Leave takes a person out of a group, whoever keeps it.
func Leave(tx state.Tx, g access.Group, person string) error {
	if is, err := tx.IsMember(g.ID, person); err != nil || !is {
		return err
	}
	tx.Emit("group.member_removed", "", g.ID, map[string]string{"group": g.Name, "person": person})
	return errors.Join(tx.DeleteMember(g.ID, person), control.LeftGroup(tx, g.ID, person))
}

// Tell makes a person a member of the groups that a provider names at a sign-in, by the provider's
// own keys, and of no other group of that provider: see access.TellGroups.
func Tell(tx state.Tx, person, source string, keys []string, seed string, now time.Time) error {
	changed, made, err := access.TellGroups(tx, person, source, keys, seed, now)
	return errors.Join(err, told(tx, changed, made))
}

// told does what follows what a provider's word of a person's groups has changed.
func told(tx state.Tx, changed []access.MemberChange, made []access.Group) (err error) {
	for _, g := range made {
		Made(tx, g)
	}
	for _, c := range changed {
		kind := "group.member_added"
		if c.Ended {
			kind = "group.member_removed"
			err = errors.Join(err, control.LeftGroup(tx, c.Group.ID, c.Person))
		}
		tx.Emit(kind, "", c.Group.ID, map[string]string{"group": c.Group.Name, "person": c.Person})
	}
	return err
}
