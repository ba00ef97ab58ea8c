package people

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// maxTTL is the most that a token lives.
const maxTTL = 366 * 24 * time.Hour

// NewToken makes an API token for who acts. A ttl of zero means that it does not expire. One that
// is made with a token ends with that token at the latest, and reaches no further.
func (s *Service) NewToken(ctx context.Context, t control.NewToken) (string, access.Credential, error) {
	actor, err := s.desk.Door(ctx, access.ManageTokens)
	if err != nil {
		return "", access.Credential{}, err
	}
	if err := mayGive(actor, &t, s.desk.Now()); err != nil {
		return "", access.Credential{}, err
	}
	return s.newToken(ctx, actor, t)
}

// mayGive returns an error unless an actor may make a token, and completes it.
func mayGive(actor access.Actor, t *control.NewToken, now time.Time) error {
	if t.TTL < 0 || t.TTL > maxTTL || len(t.Label) > 100 {
		return fmt.Errorf("a token lives at most 366 days and its label has at most 100 bytes: %w", access.ErrBadUser)
	}
	if actor.Automation != "" { // what automation makes is automation's
		t.Automation = actor.Automation
	}
	if t.Automation != "" {
		if err := access.CheckAutomation(t.Automation); err != nil {
			return err
		}
	}
	if len(t.Scopes) == 0 {
		t.Scopes = access.DefaultScopes()
	}
	return access.MayGive(actor, t.Reach, t.TTL, now)
}

func (s *Service) newToken(ctx context.Context, actor access.Actor, t control.NewToken) (string, access.Credential, error) {
	return newTokenOf(ctx, s, actor, t, func(tx state.Tx) (string, error) { return actor.User, nil })
}

// newTokenOf makes a token, whose is found in the transaction that stores it.
func newTokenOf(ctx context.Context, s *Service, actor access.Actor, t control.NewToken, whose func(state.Tx) (user string, err error)) (string, access.Credential, error) {
	secret, hash := access.NewSecret(access.KindToken)
	c := s.credential(access.KindToken, hash, "", t.Label, t.TTL).Within(actor.Parent, actor.Until)
	c.Reach, c.Automation = t.Reach, t.Automation
	_, err := s.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
		if c.User, err = whose(tx); err != nil {
			return err
		}
		detail := map[string]string{"label": t.Label, "scopes": words(t.Scopes)}
		for key, value := range map[string]string{"apps": strings.Join(t.Apps, " "), "automation": t.Automation} {
			if value != "" {
				detail[key] = value
			}
		}
		if c.User != actor.User {
			detail["person"] = c.User
		}
		for _, app := range t.Apps {
			if _, err := tx.App(app); err != nil {
				return fmt.Errorf("app %q, which the token would be bound to: %w", app, err)
			}
		}
		tx.Emit("token.created", "", c.ID, detail)
		return access.AddCredential(tx, c, s.desk.Now())
	})
	return secret, c, err
}

func words[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, w := range list {
		all[i] = string(w)
	}
	return strings.Join(all, " ")
}

// Tokens lists the actor's own tokens, oldest first.
func (s *Service) Tokens(ctx context.Context, p control.Page) (tokens control.Items[access.Credential], err error) {
	actor, err := s.desk.Door(ctx, access.ManageTokens)
	if err != nil {
		return tokens, err
	}
	return tokensOf(ctx, s, p, func(state.Reader) (string, error) { return actor.User, nil })
}

// tokensOf lists the tokens of a user who is found in the state that is read.
func tokensOf(ctx context.Context, s *Service, p control.Page, whose func(state.Reader) (string, error)) (tokens control.Items[access.Credential], err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		user, err := whose(tx)
		if err != nil {
			return err
		}
		tokens, err = control.Part(p, func(p state.Part) ([]access.Credential, []byte, error) {
			return tx.CredentialsPart(user, access.KindToken, p)
		})
		return err
	})
	for i := range tokens.Items {
		t := &tokens.Items[i]
		s.used.newest(t)
		if len(t.Scopes) == 0 {
			t.Scopes = []access.Scope{access.ScopeAll} // it was made before there were scopes
		}
		t.Hash = "" // of no use outside
	}
	return tokens, err
}

// RevokeToken ends one of the actor's tokens, and all that was made with it.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	actor, err := s.desk.Door(ctx, access.ManageTokens)
	if err != nil {
		return err
	}
	return revokeToken(ctx, s, actor, id, func(state.Tx) (string, error) { return actor.User, nil })
}

func revokeToken(ctx context.Context, s *Service, actor access.Actor, id string, whose func(state.Tx) (string, error)) error {
	_, err := s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		user, err := whose(tx)
		if err != nil {
			return err
		}
		tokens, _, err := tx.CredentialsPart(user, access.KindToken, state.Part{Limit: -1})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tokens, func(c access.Credential) bool { return c.ID == id })
		if i < 0 {
			return fmt.Errorf("token %q: %w", id, access.ErrNoToken)
		}
		var detail map[string]string
		if user != actor.User {
			detail = map[string]string{"person": user}
		}
		tx.Emit("token.revoked", "", id, detail)
		return access.Revoke(tx, tokens[i])
	})
	return err
}
