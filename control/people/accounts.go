package people

import (
	"context"
	"fmt"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// Accounts lists a person's accounts at sign-in providers; "" for the actor's.
func (s *SignIns) Accounts(ctx context.Context, user string) (all []access.Account, err error) {
	_, user, err = s.ofPerson(ctx, access.ReadAccounts, user)
	if err != nil {
		return all, err
	}
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		if _, err := tx.User(user); err != nil {
			return fmt.Errorf("user %q: %w", user, err)
		}
		all, err = tx.Accounts(user)
		return err
	})
	return all, err
}

// ofPerson returns who acts, and the person whose accounts are meant, if that actor may see to them.
func (s *SignIns) ofPerson(ctx context.Context, act access.Act, user string) (access.Actor, string, error) {
	actor, err := s.people.desk.Door(ctx, act)
	if err != nil || user == "" {
		return actor, actor.User, err
	}
	if name, err := access.CanonicalName(user); err == nil {
		user = name
	}
	return actor, user, access.May(actor, act, access.Person(user))
}

// Disconnect takes an account from a person, "" for the actor. Nobody takes away their own last way
// in; an operator, who can give a link, takes it from others.
func (s *SignIns) Disconnect(ctx context.Context, user, id string) error {
	actor, user, err := s.ofPerson(ctx, access.ManageAccounts, user)
	if err != nil {
		return err
	}
	rules := s.Rules()
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		all, err := tx.Accounts(user)
		if err != nil {
			return err
		}
		other := slices.ContainsFunc(all, func(a access.Account) bool {
			return a.ID != id && slices.Contains(rules.Providers, a.Provider)
		})
		if user == actor.User && !other {
			return fmt.Errorf("%w: connect another account first, or ask an operator", access.ErrLastWayIn)
		}
		was, err := tx.User(user)
		if err != nil {
			return fmt.Errorf("user %q: %w", user, err)
		}
		a, err := access.Disconnect(tx, user, id, rules)
		if err != nil {
			return fmt.Errorf("account %.60q: %w", id, err)
		}
		tx.Emit("account.disconnected", "", user, map[string]string{"provider": a.Provider, "account": a.ID})
		now, err := tx.User(user)
		if len(now.Given) != len(was.Given) {
			tell(tx, access.Told{User: now, Account: a, Roles: true})
		}
		return err
	})
	return err
}
