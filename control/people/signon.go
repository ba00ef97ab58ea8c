package people

import (
	"context"
	"errors"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Places are the addresses of apps.
type Places interface {
	// AppAt returns the app that an address leads to, if the address is written in its one form;
	// registry.ErrNotFound otherwise.
	AppAt(ctx context.Context, host string) (app registry.App, err error)
}

// SignOn has people who are signed in to the console be signed in at the addresses of apps, too.
type SignOn struct {
	people *Service
	desk   *control.Desk
	places Places
}

// NewSignOn makes a SignOn.
func NewSignOn(people *Service, places Places) *SignOn { return &SignOn{people, people.desk, places} }

// Used notes that a session, or a token, was used at an app's address.
func (s *SignOn) Used(ctx context.Context, c access.Credential) { s.people.noteUse(ctx, c) }

// Authorize makes a one-time code for the session that a secret is of: that of the console's session, or
// of the cookie that signs on for it. The code is good at one address, in the browser that has what
// the challenge was made of; access.ErrUnauthenticated if no session is behind the secret.
func (s *SignOn) Authorize(ctx context.Context, secret, host, challenge string) (control.AppCode, error) {
	if !access.IsChallenge(challenge) {
		return control.AppCode{}, fmt.Errorf("the challenge is no S256: %w", access.ErrCode)
	}
	app, err := s.places.AppAt(ctx, host)
	if err != nil {
		return control.AppCode{}, err
	}
	code, hash := access.NewSecret(access.KindCode)
	cookie, cookieHash := access.NewSecret(access.KindSignOn)
	made := control.AppCode{Secret: code, Host: host, App: app}
	_, err = s.desk.Update(ctx, "", func(tx state.Tx) error {
		now := s.desk.Now()
		session, user, err := access.SessionBehind(tx, secret, now)
		if err != nil {
			return err
		}
		tx.As(user.Name)
		tx.Emit("session.asked", "", user.Name, map[string]string{"app": app.Name})
		if made.SignOn = ""; session.Hash == access.Hash(secret) {
			made.SignOn = cookie
			if err := tx.PutCredential(session.SignOn(cookieHash, now)); err != nil {
				return err
			}
		}
		return tx.PutCredential(session.Code(hash, app.Name, host, challenge, now))
	})
	return made, err
}

// Redeem trades a code for the secret of a session at an address; access.ErrCode if it is not good there,
// in these hands, or any more. A code that comes a second time ends the session of the first.
func (s *SignOn) Redeem(ctx context.Context, code, verifier, app, host string) (string, error) {
	secret, hash := access.NewSecret(access.KindApp)
	good := false
	_, err := s.desk.Update(ctx, "", func(tx state.Tx) error {
		made, ok, err := access.UseCode(tx, code, verifier, app, host, hash, s.desk.Now())
		if err != nil {
			return err
		}
		good = ok
		kind := "session.started"
		if !ok {
			kind = "session.refused"
		}
		if made.User != "" {
			tx.As(made.User)
		}
		tx.Emit(kind, "", made.User, map[string]string{"app": app})
		return nil
	})
	if err == nil && !good {
		err = fmt.Errorf("the code was used before, is older than %s, or was made for another browser: %w", access.CodeLife, access.ErrCode)
	}
	return secret, err
}

// Leave ends a session at an app's address.
func (s *SignOn) Leave(ctx context.Context, secret string) error {
	_, err := s.desk.Update(ctx, "", func(tx state.Tx) error {
		c, err := tx.CredentialByHash(access.Hash(secret))
		if errors.Is(err, access.ErrNotFound) || err == nil && c.Kind != access.KindApp {
			return errNothing
		}
		if err != nil {
			return err
		}
		tx.As(c.User)
		tx.Emit("session.ended", "", c.User, map[string]string{"app": c.Apps[0]})
		return tx.DeleteCredential(c.Hash)
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// errNothing ends a transaction that has nothing to do.
var errNothing = errors.New("nothing to do")
