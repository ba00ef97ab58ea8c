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

// Keys lists the public keys that sign for an identity, by hint.
func (s *Service) Keys(ctx context.Context, p control.Page) (keys control.Items[registry.Key], err error) {
	if _, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode); err != nil {
		return keys, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		keys, err = control.Part(p, tx.KeysPart)
		return err
	})
	return keys, err
}

// mayAddKey returns who acts, and the identity that a key is to sign for: one's own, or, for an
// operator, anybody's.
func (s *Service) mayAddKey(ctx context.Context, identity string) (access.Actor, string, error) {
	actor, err := s.desk.Door(ctx, access.ManageKeys)
	if err != nil || identity == "" {
		return actor, actor.User, err
	}
	if identity, err = access.CanonicalName(identity); err != nil {
		return actor, "", err
	}
	return actor, identity, access.May(actor, access.ManageKeys, access.Person(identity))
}

// KeyChallenge returns the text that a key has to sign before AddKey takes it.
func (s *Service) KeyChallenge(ctx context.Context, identity string) (string, error) {
	_, identity, err := s.mayAddKey(ctx, identity)
	if err != nil {
		return "", err
	}
	return s.prover.Challenge(identity, s.desk.Now())
}

// AddKey lets a public key sign for an identity. Whoever has its private half says so, by signing
// a text of KeyChallenge: else the key of another person could be taken, by an operator as well.
func (s *Service) AddKey(ctx context.Context, k control.NewKey) (registry.Key, error) {
	actor, identity, err := s.mayAddKey(ctx, k.Identity)
	if err != nil {
		return registry.Key{}, err
	}
	pem := []byte(k.PEM)
	hint, err := s.prover.Hint(pem)
	if err != nil {
		return registry.Key{}, err
	}
	if k.Proof == "" {
		return registry.Key{}, fmt.Errorf("%w: a public key alone does not say whose it is; run `agora keys create --key` with the private key, or sign the text of `agora keys challenge`", registry.ErrUnproven)
	}
	if err := s.prover.Prove(pem, identity, k.Challenge, []byte(k.Proof), s.desk.Now()); err != nil {
		return registry.Key{}, err
	}
	key := registry.Key{Hint: hint, PEM: string(pem), Identity: identity, AddedBy: actor.User, Added: s.desk.Now().UTC()}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := tx.User(identity); err != nil {
			return fmt.Errorf("user %q: %w", identity, err)
		}
		known, err := tx.Key(hint)
		if err == nil && known.Identity != identity {
			return fmt.Errorf("this key signs for another identity already: %w", registry.ErrExists)
		}
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		tx.Emit("key.added", "", hint, map[string]string{"identity": identity})
		return tx.PutKey(key)
	})
	return key, err
}

// DeleteKey ends the trust in a key. What it signed and was loaded is dropped wherever the event is
// followed, so that it no longer loads; what others signed goes on undisturbed.
func (s *Service) DeleteKey(ctx context.Context, hint string) error {
	actor, err := s.desk.Door(ctx, access.ManageKeys)
	if err != nil {
		return err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		key, err := tx.Key(hint)
		if err != nil {
			return fmt.Errorf("key %q: %w", hint, err)
		}
		if err := access.May(actor, access.ManageKeys, access.Person(key.Identity)); err != nil {
			return err
		}
		tx.Emit("key.deleted", "", hint, map[string]string{"identity": key.Identity})
		return tx.DeleteKey(hint)
	})
	return err
}
