package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// ServiceAccounts keeps accounts of machines, for each of which a person answers. It is safe for
// concurrent use.
type ServiceAccounts struct{ people *Service }

// NewServiceAccounts makes a ServiceAccounts.
func NewServiceAccounts(people *Service) *ServiceAccounts { return &ServiceAccounts{people} }

// List lists service accounts by name: the actor's own and, for auditors and operators, anybody's.
func (s *ServiceAccounts) List(ctx context.Context, f control.ServiceAccountFilter, p control.Page) (page control.Items[control.ServiceAccount], err error) {
	actor := access.ActorFrom(ctx)
	if f.Sponsor == "" && !access.Allowed(actor, access.ReadServiceAccounts, access.Person("")) {
		f.Sponsor = actor.User
	}
	if f.Sponsor != "" {
		if f.Sponsor, err = access.CanonicalName(f.Sponsor); err != nil {
			return page, err
		}
	}
	if err := access.May(actor, access.ReadServiceAccounts, access.Person(f.Sponsor)); err != nil {
		return page, err
	}
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		all, err := tx.ServiceAccounts(f.Sponsor)
		if err != nil {
			return err
		}
		var shown []control.ServiceAccount
		for _, u := range all {
			if !u.Ended.IsZero() {
				continue
			}
			one, err := s.shown(tx, u)
			if err != nil {
				return err
			}
			if one.Orphaned || !f.Orphaned {
				shown = append(shown, one)
			}
		}
		page, err = control.Cut(p, shown, func(a control.ServiceAccount) string { return a.Name })
		return err
	})
	return page, err
}

func (s *ServiceAccounts) shown(tx state.Reader, u access.User) (control.ServiceAccount, error) {
	a := control.ServiceAccount{
		Name: strings.TrimSuffix(u.Name, abi.ServiceDomain), User: u.Name, Sponsor: u.Sponsor, Purpose: u.Purpose,
		Roles: u.Roles, Effective: []access.Role{}, Disabled: u.Disabled, Created: u.Created,
	}
	tokens, err := tx.Count(state.CountTokens, u.Name)
	if a.Tokens = tokens.N; err != nil {
		return a, err
	}
	now, err := access.ActorOf(tx, u, access.Credential{}, s.people.desk.Now())
	if errors.Is(err, access.ErrNoSponsor) {
		a.Orphaned = true
		return a, nil
	}
	a.Effective = append(a.Effective, now.Roles...)
	return a, err
}

// findAccount returns a service account that an actor may do something about.
func findAccount(tx state.Reader, actor access.Actor, act access.Act, name string) (access.User, error) {
	u, err := access.FindServiceAccount(tx, name)
	if err != nil {
		return u, err
	}
	return u, access.May(actor, act, access.Person(u.Sponsor))
}

// Show reads one service account.
func (s *ServiceAccounts) Show(ctx context.Context, name string) (shown control.ServiceAccount, err error) {
	actor := access.ActorFrom(ctx)
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		u, err := findAccount(tx, actor, access.ReadServiceAccounts, name)
		if err != nil {
			return err
		}
		shown, err = s.shown(tx, u)
		return err
	})
	return shown, err
}

// Create makes a service account for which the actor answers or, if an operator says so, another
// person.
func (s *ServiceAccounts) Create(ctx context.Context, n control.NewServiceAccount) (shown control.ServiceAccount, err error) {
	actor, err := s.people.desk.Door(ctx, access.ManageServiceAccount)
	if err != nil {
		return shown, err
	}
	sponsor, err := access.CanonicalName(cmp.Or(n.Sponsor, actor.User))
	if err != nil {
		return shown, err
	}
	now := s.people.desk.Now().UTC()
	asked := access.User{ID: access.NewPersonID(), Name: n.Name, Sponsor: sponsor, Purpose: n.Purpose, Roles: n.Roles, Created: now}
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if err := access.May(actor, access.ManageServiceAccount, access.Person(sponsor)); err != nil {
			return err
		}
		u, err := access.AddServiceAccount(tx, asked, now)
		if err != nil {
			return err
		}
		tx.Emit("service_account.created", "", u.Name, map[string]string{"sponsor": u.Sponsor, "roles": words(u.Roles)})
		shown, err = s.shown(tx, u)
		return err
	})
	return shown, err
}

// Change changes a service account. Who answers for it, operators say.
func (s *ServiceAccounts) Change(ctx context.Context, name string, to control.ServiceAccountChange) (control.ServiceAccount, error) {
	return s.change(ctx, name, func(tx state.Tx, actor access.Actor, was access.User) (access.User, error) {
		u := was
		if to.Purpose != nil {
			u.Purpose = *to.Purpose
		}
		if to.Roles != nil {
			u.Roles = *to.Roles
		}
		if to.Disabled != nil {
			u.Disabled = *to.Disabled
		}
		if to.Sponsor != nil {
			sponsor, err := access.CanonicalName(*to.Sponsor)
			if err != nil {
				return u, err
			}
			if err := access.Require(actor, access.RoleOperator); err != nil && sponsor != u.Sponsor {
				return u, fmt.Errorf("who answers for a service account, an operator says: %w", err)
			}
			u.Sponsor = sponsor
		}
		u, err := access.ChangeServiceAccount(tx, was, u, s.people.desk.Now())
		if err != nil {
			return u, err
		}
		tx.Emit("service_account.changed", "", u.Name, changed(was, u))
		return u, nil
	})
}

// changed says what of a service account is other than it was.
func changed(was, u access.User) map[string]string {
	detail := map[string]string{"sponsor": u.Sponsor}
	if was.Sponsor != u.Sponsor {
		detail["was_sponsor"] = was.Sponsor
	}
	if !slices.Equal(was.Roles, u.Roles) {
		detail["roles"] = words(u.Roles)
	}
	if was.Disabled != u.Disabled {
		detail["disabled"] = fmt.Sprint(u.Disabled)
	}
	return detail
}

// Delete ends a service account for good.
func (s *ServiceAccounts) Delete(ctx context.Context, name string) error {
	_, err := s.change(ctx, name, func(tx state.Tx, _ access.Actor, was access.User) (access.User, error) {
		u, err := access.EndServiceAccount(tx, was, s.people.desk.Now())
		tx.Emit("service_account.deleted", "", u.Name, map[string]string{"sponsor": u.Sponsor})
		return u, err
	})
	return err
}

func (s *ServiceAccounts) change(ctx context.Context, name string, change func(state.Tx, access.Actor, access.User) (access.User, error)) (shown control.ServiceAccount, err error) {
	actor, err := s.people.desk.Door(ctx, access.ManageServiceAccount)
	if err != nil {
		return shown, err
	}
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		u, err := findAccount(tx, actor, access.ManageServiceAccount, name)
		if err != nil {
			return err
		}
		if u, err = change(tx, actor, u); err != nil {
			return err
		}
		shown, err = s.shown(tx, u)
		return err
	})
	return shown, err
}

// serviceTokenTTL is how long a token of a service account lives for which no life was named.
const serviceTokenTTL = 90 * 24 * time.Hour

// NewToken makes a token of a service account, which reaches no further than what the actor came in with.
func (s *ServiceAccounts) NewToken(ctx context.Context, name string, t control.NewToken) (string, access.Credential, error) {
	actor, err := s.people.desk.Door(ctx, access.ManageServiceAccount)
	if err != nil {
		return "", access.Credential{}, err
	}
	if t.Automation != "" {
		return "", access.Credential{}, fmt.Errorf("%w: automation acts for a person, and a service account for itself", access.ErrServiceAccount)
	}
	if t.TTL == 0 { // no person sees that it is forgotten
		t.TTL = serviceTokenTTL
	}
	if err := mayGive(actor, &t, s.people.desk.Now()); err != nil {
		return "", access.Credential{}, err
	}
	return newTokenOf(ctx, s.people, actor, t, func(tx state.Tx) (string, error) {
		u, err := findAccount(tx, actor, access.ManageServiceAccount, name)
		if err == nil {
			_, err = access.ActorOf(tx, u, access.Credential{}, s.people.desk.Now()) // its sponsor is there
		}
		if err == nil && u.Disabled {
			err = fmt.Errorf("%w: %s is disabled; enable it before it gets a token", access.ErrServiceAccount, u.Name)
		}
		if errors.Is(err, access.ErrNoSponsor) {
			err = fmt.Errorf("%w: %s has left, who answered for it; an operator names another sponsor first", access.ErrServiceAccount, u.Sponsor)
		}
		return u.Name, err
	})
}

// Tokens lists the tokens of a service account, oldest first.
func (s *ServiceAccounts) Tokens(ctx context.Context, name string, p control.Page) (control.Items[access.Credential], error) {
	actor := access.ActorFrom(ctx)
	return tokensOf(ctx, s.people, p, func(tx state.Reader) (string, error) {
		u, err := findAccount(tx, actor, access.ReadServiceAccounts, name)
		return u.Name, err
	})
}

// RevokeToken ends a token of a service account.
func (s *ServiceAccounts) RevokeToken(ctx context.Context, name, id string) error {
	actor, err := s.people.desk.Door(ctx, access.ManageServiceAccount)
	if err != nil {
		return err
	}
	return revokeToken(ctx, s.people, actor, id, func(tx state.Tx) (string, error) {
		u, err := findAccount(tx, actor, access.ManageServiceAccount, name)
		return u.Name, err
	})
}
