package people

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Sessions are where people are signed in to the console.
type Sessions struct{ people *Service }

// NewSessions makes Sessions.
func NewSessions(people *Service) *Sessions { return &Sessions{people} }

// whose returns who acts, and the person whose sessions are meant, "" for the actor, if that actor may see to
// them.
func (s *Sessions) whose(ctx context.Context, user string) (actor access.Actor, person string, err error) {
	if actor, err = s.people.desk.Door(ctx, access.ManageSessions); err != nil {
		return actor, user, err
	}
	if user == "" {
		user = actor.User
	}
	if name, err := access.CanonicalName(user); err == nil {
		user = name
	}
	return actor, user, access.May(actor, access.ManageSessions, access.Person(user))
}

// List lists where a person is signed in, "" for the actor, the oldest session first.
func (s *Sessions) List(ctx context.Context, user string, p control.Page) (sessions control.Items[control.SignedIn], err error) {
	actor, user, err := s.whose(ctx, user)
	if err != nil {
		return sessions, err
	}
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		if _, err := tx.User(user); err != nil {
			return fmt.Errorf("user %.80q: %w", user, err)
		}
		now := s.people.desk.Now()
		lasts := func(c access.Credential) bool { s.people.used.newest(&c); return !c.Ended(now) }
		found, err := control.Sift(p, lasts, func(p state.Part) ([]access.Credential, []byte, error) {
			return tx.CredentialsPart(user, access.KindSession, p)
		})
		if err != nil {
			return err
		}
		sessions = control.Items[control.SignedIn]{Next: found.Next}
		for _, c := range found.Items {
			one, err := s.shown(tx, c, actor)
			if err != nil {
				return err
			}
			sessions.Items = append(sessions.Items, one)
		}
		return nil
	})
	return sessions, err
}

// shown is a session as people see it.
func (s *Sessions) shown(tx state.Reader, c access.Credential, actor access.Actor) (control.SignedIn, error) {
	s.people.used.newest(&c)
	one := control.SignedIn{
		ID: c.ID, Device: c.Device.Name, Address: c.Device.Address, Began: c.Created, Used: c.LastUse(), Ends: c.Ends(),
		Longest: c.Expires, Current: c.Hash == actor.Credential,
	}
	if c.Account != "" {
		a, err := tx.Account(c.Account)
		if err != nil && !errors.Is(err, access.ErrNotFound) {
			return one, err
		}
		one.Provider = a.Provider
	}
	made, err := tx.MadeWith(c.ID)
	for _, m := range made {
		if m.Kind == access.KindApp && !m.Ended(s.people.desk.Now()) && !slices.Contains(one.Apps, m.Apps[0]) {
			one.Apps = append(one.Apps, m.Apps[0])
		}
	}
	slices.Sort(one.Apps)
	return one, err
}

// End ends one of a person's sessions, "" for the actor's, and all that it made.
func (s *Sessions) End(ctx context.Context, user, id string) error {
	ended, err := s.end(ctx, user, func(c access.Credential, _ access.Actor) bool { return c.ID == id })
	if err == nil && ended == 0 {
		err = fmt.Errorf("session %.60q: %w", id, access.ErrNoSession)
	}
	return err
}

// EndAll ends all of a person's sessions, "" for the actor's, but the one that the actor acts with.
func (s *Sessions) EndAll(ctx context.Context, user string) (ended int, err error) {
	return s.end(ctx, user, func(c access.Credential, a access.Actor) bool { return c.Hash != a.Credential })
}

func (s *Sessions) end(ctx context.Context, user string, those func(access.Credential, access.Actor) bool) (ended int, err error) {
	actor, user, err := s.whose(ctx, user)
	if err != nil {
		return 0, err
	}
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := tx.User(user); err != nil {
			return fmt.Errorf("user %.80q: %w", user, err)
		}
		all, err := access.EndSessions(tx, user, func(c access.Credential) bool { return those(c, actor) })
		ended = len(all)
		for _, c := range all {
			tx.Emit("session.revoked", "", user, map[string]string{"session": c.ID, "device": c.Device.Name})
		}
		return err
	})
	return ended, err
}

// Shorten holds sessions that began before to what the node says now of how long they last. It is
// called before the node serves.
func (s *Sessions) Shorten(ctx context.Context) error {
	var long []access.Credential
	err := s.people.desk.View(ctx, func(tx state.Reader) error {
		users, err := tx.Users()
		for _, u := range users {
			if err != nil {
				break
			}
			var all []access.Credential
			all, _, err = tx.CredentialsPart(u.Name, access.KindSession, state.Part{Limit: -1})
			long = append(long, slices.DeleteFunc(all, func(c access.Credential) bool { return !s.people.lives.Shorten(&c) })...)
		}
		return err
	})
	if err != nil || len(long) == 0 {
		return err
	}
	_, err = s.people.desk.Update(ctx, nodeActor.User, func(tx state.Tx) error {
		for _, c := range long {
			s.people.lives.Shorten(&c)
			if err := tx.PutCredential(c); err != nil {
				return err
			}
		}
		tx.Emit("session.shortened", "", "", map[string]string{"idle": s.people.lives.Idle.String(), "longest": s.people.lives.Longest.String()})
		return nil
	})
	return err
}
