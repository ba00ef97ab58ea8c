package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/state"
)

// Certify gives who acts a certificate for their own identity. What identity
// the request names plays no part.
func (h *Node) Certify(ctx context.Context, csr []byte) ([]byte, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	return h.authority.Certify(csr, actor.User)
}

// Timestamp proves that something existed now.
func (h *Node) Timestamp(_ context.Context, request []byte) ([]byte, error) {
	return h.authority.Timestamp(request)
}

// TrustRoot is public: everybody may verify.
func (h *Node) TrustRoot(context.Context) ([]byte, error) { return h.authority.TrustedRootJSON() }

// Keys lists the public keys that sign for an identity, by hint.
func (h *Node) Keys(ctx context.Context, p control.Page) (keys control.Items[registry.Key], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return keys, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		keys, err = control.Part(p, tx.KeysPart)
		return err
	})
	return keys, err
}

// mayAddKey returns who acts, and the identity that a key is to sign for: one's own, or, for an
// operator, anybody's.
func (h *Node) mayAddKey(ctx context.Context, identity string) (access.Actor, string, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil || identity == "" {
		return actor, actor.User, err
	}
	if identity, err = access.CanonicalName(identity); err != nil {
		return actor, "", err
	}
	if identity != actor.User && !actor.Has(access.RoleOperator) {
		return actor, "", fmt.Errorf("a key for %s can be added by %s or by an operator: %w", identity, identity, access.ErrForbidden)
	}
	return actor, identity, nil
}

// KeyChallenge returns the text that a key has to sign before AddKey takes it.
func (h *Node) KeyChallenge(ctx context.Context, identity string) (string, error) {
	_, identity, err := h.mayAddKey(ctx, identity)
	if err != nil {
		return "", err
	}
	node, err := nodeID(filepath.Join(h.o.DataDir, nodeFile))
	return sigstore.PossessionText(node, identity, h.o.Now()), err
}

// AddKey lets a public key sign for an identity. Whoever has its private half says so, by signing
// a text of KeyChallenge: else the key of somebody else could be taken, by an operator as well.
func (h *Node) AddKey(ctx context.Context, k control.NewKey) (registry.Key, error) {
	actor, identity, err := h.mayAddKey(ctx, k.Identity)
	if err != nil {
		return registry.Key{}, err
	}
	pem := []byte(k.PEM)
	hint, err := sigstore.ParsePublicKey(pem)
	if err != nil {
		return registry.Key{}, err
	}
	if k.Proof == "" {
		return registry.Key{}, fmt.Errorf("%w: a public key alone does not say whose it is; run `agora keys add --key` with the private key, or sign the text of `agora keys challenge`", registry.ErrUnproven)
	}
	node, err := nodeID(filepath.Join(h.o.DataDir, nodeFile))
	if err != nil {
		return registry.Key{}, err
	}
	if err := sigstore.CheckPossession(pem, node, identity, k.Challenge, []byte(k.Proof), h.o.Now()); err != nil {
		return registry.Key{}, err
	}
	key := registry.Key{Hint: hint, PEM: string(pem), Identity: identity, AddedBy: actor.User, Added: h.o.Now().UTC()}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
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

// DeleteKey ends the trust in a key. What it signed and was loaded is dropped, so that it no
// longer loads; what others signed goes on undisturbed.
func (h *Node) DeleteKey(ctx context.Context, hint string) error {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		key, err := tx.Key(hint)
		if err != nil {
			return fmt.Errorf("key %q: %w", hint, err)
		}
		if key.Identity != actor.User && !actor.Has(access.RoleOperator) {
			return fmt.Errorf("this key belongs to %s: %w", key.Identity, access.ErrForbidden)
		}
		tx.Emit("key.deleted", "", hint, map[string]string{"identity": key.Identity})
		return tx.DeleteKey(hint)
	})
	if err == nil {
		signed := func(s registry.Signer) bool { return s.Method == registry.MethodKey && s.KeyHint == hint }
		h.programs.drop(signed)
		h.sites.drop(signed)
	}
	return err
}

// mustVerify checks a release's module and signature before something is routed to it, so that
// what cannot run is refused to whoever asks, and not to the app's users.
func (h *Node) mustVerify(ctx context.Context, name string, number int) error {
	var r registry.Release
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		if r, err = tx.Release(name, number); err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		return stillTrusted(tx, r)
	})
	if err == nil {
		_, err = h.verified(ctx, r)
	}
	return err
}

// stillTrusted is the part of verifying that can change: within a transaction it is asked whether
// the key that signed a release is still registered for its signer.
func stillTrusted(tx registry.Reader, r registry.Release) error {
	if r.Signer.Method != registry.MethodKey {
		return nil
	}
	key, err := tx.Key(r.Signer.KeyHint)
	if err == nil && key.Identity == r.Signer.Identity {
		return nil
	}
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return fmt.Errorf("release %d of %q was signed with the key %s, which does not sign for %s any more: sign the module again and upload it, or choose a release that another key signed: %w",
		r.Number, r.App, r.Signer.KeyHint, r.Signer.Identity, registry.ErrUntrusted)
}

// Inspect reads a module for somebody who wonders what it is.
func (h *Node) Inspect(ctx context.Context, module control.Module) (found registry.Inspection, err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return found, err
	}
	err = h.reading(ctx, module, func(b []byte) (err error) {
		found, err = registry.Inspect(b)
		return err
	})
	return found, err
}

// CheckPolicy asks the rules ahead of an upload, as if the actor had signed.
func (h *Node) CheckPolicy(ctx context.Context, manifest []byte, module control.Module, tier abi.Tier) ([]abi.Finding, error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(manifest)
	if err != nil {
		return nil, err
	}
	r := registry.Release{App: m.Name, Manifest: m, Signer: registry.Signer{Identity: actor.User, Method: registry.MethodIdentity, Trust: "local"}}
	if module != nil {
		inspection, err := h.Inspect(ctx, module)
		if err != nil {
			return nil, err
		}
		if err := m.Fits(inspection); err != nil {
			return nil, err
		}
		r.Digest, r.Size, r.Interface, r.Capabilities = inspection.Digest, inspection.Size, inspection.Interface, r.Manifest.Needs(inspection.Capabilities)
	} else {
		// Without a module, take the manifest at its word.
		r.Interface = abi.InterfaceV1
		r.Capabilities = slices.Sorted(maps.Keys(r.Manifest.Capabilities))
	}
	// It would come after all that there are.
	if err := h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(m.Name)
		r.Number = app.Releases + 1
		if errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		return err
	}); err != nil {
		return nil, err
	}
	if tier == "" {
		tier = abi.TierSandbox
	}
	action := "publish"
	if tier != abi.TierSandbox {
		action = "promote"
	}
	verdict, err := h.judge(ctx, question{action, actor.User, tier, r})
	return verdict.Findings, err
}

// Rules shows the policy in force.
func (h *Node) Rules(ctx context.Context) (map[string]string, error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	return h.policy.Rules(), nil
}
