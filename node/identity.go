package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

const (
	sessionTTL = 12 * time.Hour
	linkTTL    = 15 * time.Minute
	maxTTL     = 366 * 24 * time.Hour
)

// Authenticate answers who holds a token or a session.
func (h *Node) Authenticate(ctx context.Context, secret string) (access.Actor, error) {
	var actor access.Actor
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		actor, err = access.Authenticate(tx, secret, h.o.Now())
		return err
	})
	if err == nil {
		h.tokensUsed.note(actor, h.o.Now())
	}
	return actor, err
}

// SignIn trades a one-time link for a session.
func (h *Node) SignIn(ctx context.Context, link string) (string, access.Actor, error) {
	secret, hash := access.NewSecret(access.KindSession)
	var actor access.Actor
	_, err := h.desk.Update(ctx, "", func(tx state.Tx) error {
		user, used, err := access.UseLink(tx, link, h.o.Now())
		if err != nil {
			return err
		}
		session := h.credential(access.KindSession, hash, user.Name, "", sessionTTL).Within(used.Parent, used.Until)
		actor = access.Actor{User: user.Name, Roles: user.Roles, Via: access.KindSession, Credential: hash, Parent: session.Parent, Until: session.Until, Since: session.Created}
		tx.As(user.Name)
		tx.Emit("user.signed_in", "", user.Name, nil)
		if err := makeRoom(tx, access.KindSession, user.Name); err != nil {
			return err
		}
		return tx.PutCredential(session)
	})
	return secret, actor, err
}

// credential records a secret by its hash. Its public id is a part of the hash,
// which tells nothing about the secret.
func (h *Node) credential(kind access.CredentialKind, hash, user, label string, ttl time.Duration) access.Credential {
	now := h.o.Now().UTC()
	c := access.Credential{ID: hash[:12], Hash: hash, Kind: kind, User: user, Label: label, Created: now}
	if ttl > 0 {
		c.Expires = now.Add(ttl)
	}
	return c
}

// SignOut ends a session.
func (h *Node) SignOut(ctx context.Context, secret string) error {
	actor := access.ActorFrom(ctx)
	_, err := h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		err := tx.DeleteCredential(access.Hash(secret))
		if errors.Is(err, access.ErrNotFound) {
			return nil
		}
		tx.Emit("user.signed_out", "", actor.User, nil)
		return err
	})
	return err
}

// Users lists users by name, for operators.
func (h *Node) Users(ctx context.Context, p control.Page) (users control.Items[access.User], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleOperator); err != nil {
		return users, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		users, err = control.Part(p, tx.UsersPart)
		return err
	})
	return users, err
}

// PutUser adds a user or changes one.
func (h *Node) PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error) {
	actor, err := h.desk.Allow(ctx, access.RoleOperator)
	if err != nil {
		return access.User{}, err
	}
	if name, err = access.CanonicalName(name); err != nil {
		return access.User{}, err
	}
	if name == actor.User && (disabled || !slices.Contains(roles, access.RoleOperator)) {
		return access.User{}, fmt.Errorf("you cannot take the operator role from yourself; ask another operator: %w", access.ErrForbidden)
	}
	return h.putUser(ctx, actor.User, access.User{Name: name, Roles: roles, Disabled: disabled})
}

func (h *Node) putUser(ctx context.Context, by string, user access.User) (access.User, error) {
	user.Created = h.o.Now().UTC()
	words := make([]string, len(user.Roles))
	for i, r := range user.Roles {
		words[i] = string(r)
	}
	_, err := h.desk.Update(ctx, by, func(tx state.Tx) (err error) {
		if user, err = access.ChangeUser(tx, user); err != nil {
			return err
		}
		tx.Emit("user.changed", "", user.Name, map[string]string{"roles": strings.Join(words, " ")})
		return nil
	})
	return user, err
}

// NewLink makes a one-time sign-in link.
func (h *Node) NewLink(ctx context.Context, user string) (string, error) {
	actor, err := h.desk.Allow(ctx, access.RoleOperator)
	if err != nil {
		return "", err
	}
	if !actor.Whole() { // whoever signs in with it has all that the user has
		return "", fmt.Errorf("a token that is limited makes no sign-in links, of which the sessions are not: %w", access.ErrScope)
	}
	return h.newLink(ctx, actor, user)
}

// newLink makes a link. What signs in with it ends no later than what made it.
func (h *Node) newLink(ctx context.Context, by access.Actor, user string) (string, error) {
	user, err := access.CanonicalName(user)
	if err != nil {
		return "", err
	}
	secret, hash := access.NewSecret(access.KindLink)
	link := h.credential(access.KindLink, hash, user, "", linkTTL).Within(by.Parent, by.Until)
	_, err = h.desk.Update(ctx, by.User, func(tx state.Tx) error {
		known, err := tx.User(user)
		if err != nil {
			return fmt.Errorf("user %q: %w", user, err)
		}
		if known.Disabled {
			return fmt.Errorf("user %q is disabled: %w", user, access.ErrForbidden)
		}
		tx.Emit("user.invited", "", user, nil)
		if err := makeRoom(tx, access.KindLink, user); err != nil {
			return err
		}
		return tx.PutCredential(link)
	})
	return "/sign-in?link=" + url.QueryEscape(secret), err
}

// nodeActor acts for whoever holds the data directory.
var nodeActor = access.Actor{User: "node"}

// Welcome makes sure that a user exists and returns a one-time sign-in link for the console. It is
// for whoever holds the data directory, such as the command that starts the node; no front door
// reaches it.
func (h *Node) Welcome(ctx context.Context, user string, roles ...access.Role) (link string, err error) {
	known, err := h.ensureUser(ctx, user, roles)
	if err != nil {
		return "", err
	}
	path, err := h.newLink(ctx, nodeActor, known.Name)
	return h.origins.consoleURL + path, err
}

// TokenFor is Welcome for a program: it returns an API token of ScopeAll, which reads no backup.
func (h *Node) TokenFor(ctx context.Context, user, label string, ttl time.Duration, roles ...access.Role) (string, error) {
	return h.TokenOf(ctx, user, label, ttl, access.Reach{Scopes: []access.Scope{access.ScopeAll}}, roles...)
}

// TokenOf is TokenFor with another reach. It may name ScopeBackupRead: the data directory is the
// caller's anyway.
func (h *Node) TokenOf(ctx context.Context, user, label string, ttl time.Duration, reach access.Reach, roles ...access.Role) (string, error) {
	if err := access.MayGive(nodeActor, reach, ttl, h.o.Now()); err != nil {
		return "", err
	}
	known, err := h.ensureUser(ctx, user, roles)
	if err != nil {
		return "", err
	}
	secret, _, err := h.newToken(ctx, access.Actor{User: known.Name}, control.NewToken{Label: label, TTL: ttl, Reach: reach})
	return secret, err
}

// ensureUser returns a user as stored, and stores one who is not known with these roles.
func (h *Node) ensureUser(ctx context.Context, name string, roles []access.Role) (user access.User, err error) {
	if name, err = access.CanonicalName(name); err != nil {
		return access.User{}, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		user, err = tx.User(name)
		return err
	})
	if errors.Is(err, access.ErrNotFound) {
		return h.putUser(ctx, nodeActor.User, access.User{Name: name, Roles: roles})
	}
	return user, err
}

// HasUsers reports whether anybody is known.
func (h *Node) HasUsers(ctx context.Context) (bool, error) {
	var users []access.User
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		users, _, err = tx.UsersPart(state.Part{Limit: 1})
		return err
	})
	return len(users) > 0, err
}

// Admit makes sure that a user whom whoever starts the node names is an operator, if that user is
// new, and returns a sign-in link: if no operator can sign in, or if it is asked for. It changes
// no user who is known: one who is disabled stays disabled, and the error says what to do.
func (h *Node) Admit(ctx context.Context, name string, ask bool) (link string, err error) {
	user, err := h.ensureUser(ctx, name, []access.Role{access.RoleOperator, access.RoleDeveloper})
	if err != nil {
		return "", err
	}
	if !user.CanOperate() {
		what := "is no operator"
		if user.Disabled {
			what = "is disabled, and stays so"
		}
		return "", fmt.Errorf("%s %s; another operator changes that with `agora users set %s --role operator`, or name somebody else with --admin: %w", user.Name, what, user.Name, access.ErrForbidden)
	}
	managed, err := h.isManaged(ctx)
	if err != nil || managed && !ask {
		return "", err
	}
	return h.Welcome(ctx, user.Name)
}

// isManaged reports whether there is an operator who can sign in: who has done so before, or
// holds a token or a session.
func (h *Node) isManaged(ctx context.Context) (managed bool, err error) {
	err = h.store.View(ctx, func(tx state.Reader) error {
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
				return c.Kind != access.KindLink && (c.Expires.IsZero() || h.o.Now().Before(c.Expires))
			})
		}
		return nil
	})
	return managed, err
}
