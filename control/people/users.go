package people

import (
	"context"
	"fmt"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Users lists users by name, for operators.
func (s *Service) Users(ctx context.Context, f control.UserFilter, p control.Page) (users control.Items[access.User], err error) {
	if _, err := s.desk.Door(ctx, access.ReadPerson); err != nil {
		return users, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		users, err = control.Sift(p, func(u access.User) bool { return u.Sponsor == "" && f.Keeps(u) }, tx.UsersPart)
		return err
	})
	return users, err
}

// User reads one user, for operators.
func (s *Service) User(ctx context.Context, name string) (user access.User, err error) {
	actor := access.ActorFrom(ctx)
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		user, err = s.UserIn(tx, actor, name)
		return err
	})
	return user, err
}

// UserIn is User in one state.
func (s *Service) UserIn(tx state.Reader, actor access.Actor, name string) (access.User, error) {
	if err := access.Require(actor, access.Door(access.ReadPerson)...); err != nil {
		return access.User{}, err
	}
	canonical, err := access.CanonicalName(name)
	if err != nil { // a text that no user can have as a name
		return access.User{}, fmt.Errorf("user %.80q: %w", name, access.ErrNoUser)
	}
	user, err := tx.User(canonical)
	if err == nil && user.Sponsor != "" {
		user, err = access.User{}, access.ErrNoUser // it is listed as what it is
	}
	if err != nil {
		err = fmt.Errorf("user %q: %w", canonical, err)
	}
	return user, err
}

// PutUser adds a user or changes one.
func (s *Service) PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return access.User{}, err
	}
	if name, err = access.CanonicalName(name); err != nil {
		return access.User{}, err
	}
	if name == actor.User && (disabled || !slices.Contains(roles, access.RoleOperator)) {
		return access.User{}, fmt.Errorf("you cannot take the operator role from yourself; ask another operator: %w", access.ErrForbidden)
	}
	return s.putUser(ctx, actor.User, access.User{Name: name, Roles: roles, Disabled: disabled})
}

// RenameUser gives a user another name. What is theirs stays theirs; no other person is given a name
// that was another's.
func (s *Service) RenameUser(ctx context.Context, from, to string) (user access.User, err error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return user, err
	}
	if from, err = access.CanonicalName(from); err != nil {
		return user, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
		if user, err = access.Rename(tx, from, to, s.desk.Now()); err != nil {
			return err
		}
		tx.Emit("user.renamed", "", user.Name, map[string]string{"was": from, "name": user.Name})
		return nil
	})
	return user, err
}

func (s *Service) putUser(ctx context.Context, by string, user access.User) (access.User, error) {
	user.ID, user.Created = access.NewPersonID(), s.desk.Now().UTC() // of a user who is new
	asked := user
	_, err := s.desk.Update(ctx, by, func(tx state.Tx) (err error) {
		if user, err = access.ChangeUser(tx, asked); err != nil {
			return err
		}
		tx.Emit("user.changed", "", user.Name, map[string]string{"roles": words(user.Roles)})
		return nil
	})
	return user, err
}
