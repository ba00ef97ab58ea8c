package host

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
)

const (
	sessionTTL = 12 * time.Hour
	linkTTL    = 15 * time.Minute
	maxTTL     = 366 * 24 * time.Hour
)

// allow answers who acts if that actor has one of the roles.
func (h *Host) allow(ctx context.Context, anyOf ...access.Role) (access.Actor, error) {
	actor := access.ActorFrom(ctx)
	return actor, access.Require(actor, anyOf...)
}

// Authenticate answers who holds a token or a session.
func (h *Host) Authenticate(ctx context.Context, secret string) (access.Actor, error) {
	var actor access.Actor
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		actor, err = access.Authenticate(tx, secret, h.o.Now())
		return err
	})
	return actor, err
}

// SignIn trades a one-time link for a session.
func (h *Host) SignIn(ctx context.Context, link string) (string, access.Actor, error) {
	secret, hash := access.NewSecret(access.KindSession)
	var actor access.Actor
	_, err := h.update(ctx, "", func(tx *boltstore.Tx) error {
		user, err := access.UseLink(tx, link, h.o.Now())
		if err != nil {
			return err
		}
		actor = access.Actor{User: user.Name, Roles: user.Roles, Via: access.KindSession}
		tx.As(user.Name)
		tx.Emit("user.signed_in", "", user.Name, nil)
		if err := makeRoom(tx, access.KindSession, user.Name); err != nil {
			return err
		}
		return tx.PutCredential(h.credential(access.KindSession, hash, user.Name, "", sessionTTL))
	})
	return secret, actor, err
}

// credential records a secret by its hash. Its public id is a part of the hash,
// which tells nothing about the secret.
func (h *Host) credential(kind access.CredentialKind, hash, user, label string, ttl time.Duration) access.Credential {
	now := h.o.Now().UTC()
	c := access.Credential{ID: hash[:12], Hash: hash, Kind: kind, User: user, Label: label, Created: now}
	if ttl > 0 {
		c.Expires = now.Add(ttl)
	}
	return c
}

// SignOut ends a session.
func (h *Host) SignOut(ctx context.Context, secret string) error {
	actor := access.ActorFrom(ctx)
	_, err := h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		if err := tx.DeleteCredential(access.Hash(secret)); !errors.Is(err, access.ErrNotFound) {
			return err
		}
		return nil
	})
	return err
}

// NewToken makes an API token for who acts. A ttl of zero means that it does
// not expire.
func (h *Host) NewToken(ctx context.Context, label string, ttl time.Duration) (string, access.Credential, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return "", access.Credential{}, err
	}
	if ttl < 0 || ttl > maxTTL || len(label) > 100 {
		return "", access.Credential{}, fmt.Errorf("a token lives at most 366 days and its label has at most 100 bytes: %w", access.ErrBadUser)
	}
	return h.newToken(ctx, actor.User, label, ttl)
}

func (h *Host) newToken(ctx context.Context, user, label string, ttl time.Duration) (string, access.Credential, error) {
	secret, hash := access.NewSecret(access.KindToken)
	c := h.credential(access.KindToken, hash, user, label, ttl)
	_, err := h.update(ctx, user, func(tx *boltstore.Tx) error {
		tx.Emit("token.created", "", c.ID, map[string]string{"label": label})
		return tx.PutCredential(c)
	})
	return secret, c, err
}

// Tokens lists the actor's own tokens.
func (h *Host) Tokens(ctx context.Context) ([]access.Credential, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return nil, err
	}
	var tokens []access.Credential
	err = h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		tokens, err = tx.Credentials(actor.User)
		return err
	})
	tokens = slices.DeleteFunc(tokens, func(c access.Credential) bool { return c.Kind != access.KindToken })
	for i := range tokens {
		tokens[i].Hash = "" // of no use to anybody outside
	}
	return tokens, err
}

// RevokeToken ends one of the actor's tokens.
func (h *Host) RevokeToken(ctx context.Context, id string) error {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return err
	}
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		tokens, err := tx.Credentials(actor.User)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tokens, func(c access.Credential) bool { return c.ID == id && c.Kind == access.KindToken })
		if i < 0 {
			return fmt.Errorf("token %q: %w", id, access.ErrNotFound)
		}
		tx.Emit("token.revoked", "", id, nil)
		return tx.DeleteCredential(tokens[i].Hash)
	})
	return err
}

// Users lists everybody, for operators.
func (h *Host) Users(ctx context.Context) ([]access.User, error) {
	if _, err := h.allow(ctx, access.RoleOperator); err != nil {
		return nil, err
	}
	var users []access.User
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		users, err = tx.Users()
		return err
	})
	return users, err
}

// PutUser adds a user or changes one.
func (h *Host) PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error) {
	actor, err := h.allow(ctx, access.RoleOperator)
	if err != nil {
		return access.User{}, err
	}
	if name == actor.User && (disabled || !slices.Contains(roles, access.RoleOperator)) {
		return access.User{}, fmt.Errorf("you cannot take the operator role from yourself; ask another operator: %w", access.ErrForbidden)
	}
	return h.putUser(ctx, actor.User, name, roles, disabled)
}

func (h *Host) putUser(ctx context.Context, by, name string, roles []access.Role, disabled bool) (access.User, error) {
	user := access.User{Name: strings.ToLower(strings.TrimSpace(name)), Roles: roles, Disabled: disabled, Created: h.o.Now().UTC()}
	if err := access.CheckUser(user); err != nil {
		return access.User{}, err
	}
	_, err := h.update(ctx, by, func(tx *boltstore.Tx) error {
		old, err := tx.User(user.Name)
		switch {
		case err == nil:
			user.Created = old.Created
		case !errors.Is(err, access.ErrNotFound):
			return err
		}
		words := make([]string, len(roles))
		for i, r := range roles {
			words[i] = string(r)
		}
		tx.Emit("user.changed", "", user.Name, map[string]string{"roles": strings.Join(words, " ")})
		return tx.PutUser(user)
	})
	return user, err
}

// NewLink makes a one-time sign-in link.
func (h *Host) NewLink(ctx context.Context, user string) (string, error) {
	actor, err := h.allow(ctx, access.RoleOperator)
	if err != nil {
		return "", err
	}
	return h.newLink(ctx, actor.User, user)
}

func (h *Host) newLink(ctx context.Context, by, user string) (string, error) {
	secret, hash := access.NewSecret(access.KindLink)
	_, err := h.update(ctx, by, func(tx *boltstore.Tx) error {
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
		return tx.PutCredential(h.credential(access.KindLink, hash, user, "", linkTTL))
	})
	return "/sign-in?link=" + url.QueryEscape(secret), err
}

// Welcome makes sure that a user exists and answers a one-time sign-in link for
// the console. It is for whoever holds the data directory, such as the command
// that starts the node; no front door reaches it.
func (h *Host) Welcome(ctx context.Context, user string, roles ...access.Role) (link string, err error) {
	if err := h.ensureUser(ctx, user, roles); err != nil {
		return "", err
	}
	path, err := h.newLink(ctx, "node", user)
	return h.origins.consoleURL + path, err
}

// TokenFor is Welcome for a program: it answers an API token.
func (h *Host) TokenFor(ctx context.Context, user, label string, ttl time.Duration, roles ...access.Role) (string, error) {
	if err := h.ensureUser(ctx, user, roles); err != nil {
		return "", err
	}
	secret, _, err := h.newToken(ctx, user, label, ttl)
	return secret, err
}

func (h *Host) ensureUser(ctx context.Context, user string, roles []access.Role) error {
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		_, err := tx.User(user)
		return err
	})
	if errors.Is(err, access.ErrNotFound) {
		_, err = h.putUser(ctx, "node", user, roles, false)
	}
	return err
}

// HasUsers tells whether anybody can sign in yet.
func (h *Host) HasUsers(ctx context.Context) (bool, error) {
	var users []access.User
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		users, err = tx.Users()
		return err
	})
	return len(users) > 0, err
}
