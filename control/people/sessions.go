package people

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

const linkTTL = 15 * time.Minute

// How many sessions and sign-in links one person has at a time. One more ends the oldest:
// refusing it would lock people out.
const (
	maxSessions = 50
	maxLinks    = 10
)

// Authenticate returns who holds a token or a session.
func (s *Service) Authenticate(ctx context.Context, secret string) (access.Actor, error) {
	var actor access.Actor
	var c access.Credential
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		actor, c, err = access.Authenticate(tx, secret, s.desk.Now())
		return err
	})
	if err == nil {
		s.noteUse(ctx, c)
	}
	return actor, err
}

// SignIn trades a one-time link for a session.
func (s *Service) SignIn(ctx context.Context, link string) (string, access.Actor, error) {
	secret, hash := access.NewSecret(access.KindSession)
	var actor access.Actor
	_, err := s.desk.Update(ctx, "", func(tx state.Tx) error {
		user, used, err := access.UseLink(tx, link, s.desk.Now())
		if err != nil {
			return err
		}
		ttl, detail := time.Duration(0), map[string]string(nil)
		if breakGlass, err := access.TakesLink(tx, used.Label); err != nil {
			return err
		} else if breakGlass {
			ttl, detail = access.BreakGlassLasts, map[string]string{"link": access.BreakGlass}
		}
		session := s.lives.Session(hash, user.Name, access.DeviceFrom(ctx), ttl, s.desk.Now()).Within(used.Parent, used.Until)
		if actor, err = access.ActorOf(tx, user, session, s.desk.Now()); err != nil {
			return err
		}
		tx.As(user.Name)
		tx.Emit("user.signed_in", "", user.Name, detail)
		if err := makeRoom(tx, access.KindSession, user.Name); err != nil {
			return err
		}
		return access.AddCredential(tx, session, s.desk.Now())
	})
	return secret, actor, err
}

// credential records a secret by its hash. Its public id is a part of the hash,
// which tells nothing about the secret.
func (s *Service) credential(kind access.CredentialKind, hash, user, label string, ttl time.Duration) access.Credential {
	now := s.desk.Now().UTC()
	c := access.Credential{ID: hash[:12], Hash: hash, Kind: kind, User: user, Label: label, Created: now}
	if ttl > 0 {
		c.Expires = now.Add(ttl)
	}
	return c
}

// SignOut ends a session, and all that it made at the addresses of apps.
func (s *Service) SignOut(ctx context.Context, secret string) error {
	actor := access.ActorFrom(ctx)
	_, err := s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		c, err := tx.CredentialByHash(access.Hash(secret))
		if errors.Is(err, access.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		tx.Emit("user.signed_out", "", actor.User, nil)
		return access.Revoke(tx, c)
	})
	return err
}

// NewLink makes a one-time sign-in link.
func (s *Service) NewLink(ctx context.Context, user string) (string, error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return "", err
	}
	if !actor.Whole() { // whoever signs in with it has all that the user has
		return "", fmt.Errorf("a token that is limited makes no sign-in links, of which the sessions are not: %w", access.ErrScope)
	}
	return s.newLink(ctx, actor, user)
}

// newLink makes a link. What signs in with it ends no later than what made it.
func (s *Service) newLink(ctx context.Context, by access.Actor, user string) (string, error) {
	user, err := access.CanonicalName(user)
	if err != nil {
		return "", err
	}
	if err := access.AsPerson(user, "never signs in; make a token for it"); err != nil {
		return "", err
	}
	secret, hash := access.NewSecret(access.KindLink)
	label := ""
	if by.User == nodeActor.User {
		label = access.BreakGlass
	}
	link := s.credential(access.KindLink, hash, user, label, linkTTL).Within(by.Parent, by.Until)
	_, err = s.desk.Update(ctx, by.User, func(tx state.Tx) error {
		known, err := tx.User(user)
		if err != nil {
			return fmt.Errorf("user %q: %w", user, err)
		}
		if known.Disabled {
			return fmt.Errorf("user %q is disabled: %w", user, access.ErrForbidden)
		}
		if _, err := access.TakesLink(tx, label); err != nil {
			return err
		}
		tx.Emit("user.invited", "", user, nil)
		if err := makeRoom(tx, access.KindLink, user); err != nil {
			return err
		}
		return access.AddCredential(tx, link, s.desk.Now())
	})
	return "/sign-in?link=" + url.QueryEscape(secret), err
}

// makeRoom ends a person's oldest sessions or links, so that one more has room.
func makeRoom(tx state.Tx, kind access.CredentialKind, user string) error {
	most := map[access.CredentialKind]int{access.KindSession: maxSessions, access.KindLink: maxLinks}[kind]
	all, err := tx.Credentials(user)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c access.Credential) bool { return c.Kind != kind })
	for len(all) >= most {
		if err := access.Revoke(tx, all[0]); err != nil { // oldest first
			return err
		}
		all = all[1:]
	}
	return nil
}
