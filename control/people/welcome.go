package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// nodeActor acts for anyone who holds the data directory.
var nodeActor = access.Actor{User: "node"}

// Welcome makes sure that a user exists and returns a one-time sign-in link for the console. It is
// for anyone who holds the data directory, such as the command that starts the node; no front door
// reaches it.
func (s *Service) Welcome(ctx context.Context, user string, roles ...access.Role) (link string, err error) {
	known, err := s.ensureUser(ctx, user, roles)
	if err != nil {
		return "", err
	}
	path, err := s.newLink(ctx, nodeActor, known.Name)
	return s.consoleURL() + path, err
}

// TokenFor is Welcome for a program: it returns an API token of ScopeAll, which reads no backup.
func (s *Service) TokenFor(ctx context.Context, user, label string, ttl time.Duration, roles ...access.Role) (string, error) {
	return s.TokenOf(ctx, user, label, ttl, access.Reach{Scopes: []access.Scope{access.ScopeAll}}, roles...)
}

// TokenOf is TokenFor with another reach. It may name ScopeBackupRead: the data directory is the
// caller's anyway.
func (s *Service) TokenOf(ctx context.Context, user, label string, ttl time.Duration, reach access.Reach, roles ...access.Role) (string, error) {
	if err := access.MayGive(nodeActor, reach, ttl, s.desk.Now()); err != nil {
		return "", err
	}
	known, err := s.ensureUser(ctx, user, roles)
	if err != nil {
		return "", err
	}
	secret, _, err := s.newToken(ctx, access.Actor{User: known.Name}, control.NewToken{Label: label, TTL: ttl, Reach: reach})
	return secret, err
}

// ensureUser returns a user as stored, who may be named by a name that they had, and stores one who
// is not known with these roles.
func (s *Service) ensureUser(ctx context.Context, name string, roles []access.Role) (user access.User, err error) {
	if name, err = access.CanonicalName(name); err != nil {
		return access.User{}, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		person, err := tx.Person(name)
		if err == nil {
			user, err = tx.User(person.Name)
		}
		return err
	})
	if errors.Is(err, access.ErrNotFound) {
		return s.putUser(ctx, nodeActor.User, access.User{Name: name, Roles: roles})
	}
	return user, err
}

// HasUsers reports whether anybody is known.
func (s *Service) HasUsers(ctx context.Context) (bool, error) {
	var users []access.User
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		users, _, err = tx.UsersPart(state.Part{Limit: 1})
		return err
	})
	return len(users) > 0, err
}

// Admit makes sure that a user whom whoever starts the node names is an operator, if that user is
// new, and returns a sign-in link: if no operator can sign in, or if it is asked for. It changes
// no user who is known: one who is disabled stays disabled, and the error says what to do.
func (s *Service) Admit(ctx context.Context, name string, ask bool) (link string, err error) {
	user, err := s.ensureUser(ctx, name, []access.Role{access.RoleOperator, access.RoleDeveloper})
	if err != nil {
		return "", err
	}
	if !user.CanOperate() {
		what := "is no operator"
		if user.Disabled {
			what = "is disabled, and stays so"
		}
		return "", fmt.Errorf("%s %s; another operator changes that with `agora users set %s --role operator`, or name another person with --admin: %w", user.Name, what, user.Name, access.ErrForbidden)
	}
	managed, err := s.isManaged(ctx)
	if err != nil || managed && !ask {
		return "", err
	}
	return s.Welcome(ctx, user.Name)
}

// isManaged reports whether there is an operator who can sign in: who has done so before, or
// holds a token or a session.
func (s *Service) isManaged(ctx context.Context) (managed bool, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		users, err := tx.Users()
		if err != nil {
			return err
		}
		for _, u := range users {
			if !u.CanOperate() {
				continue
			}
			held, err := tx.Credentials(u.Name)
			if err != nil {
				return err
			}
			managed = managed || !u.SignedIn.IsZero() || slices.ContainsFunc(held, func(c access.Credential) bool {
				return c.Kind != access.KindLink && !c.Ended(s.desk.Now())
			})
		}
		return nil
	})
	return managed, err
}
