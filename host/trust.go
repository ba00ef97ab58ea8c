package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
)

// Certify gives who acts a certificate for their own identity. What identity
// the request names plays no part.
func (h *Host) Certify(ctx context.Context, csr []byte) ([]byte, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	return h.authority.Certify(csr, actor.User)
}

// Timestamp proves that something existed now.
func (h *Host) Timestamp(_ context.Context, request []byte) ([]byte, error) {
	return h.authority.Timestamp(request)
}

// SignAsActor signs for a signed-in browser, which has no key of its own.
func (h *Host) SignAsActor(ctx context.Context, module []byte) ([]byte, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	return h.authority.SignAs(ctx, module, actor.User)
}

// TrustRoot is public: everybody may verify.
func (h *Host) TrustRoot(context.Context) ([]byte, error) { return h.authority.TrustedRootJSON() }

// Keys lists the public keys that sign for an identity.
func (h *Host) Keys(ctx context.Context) ([]registry.Key, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var keys []registry.Key
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		keys, err = tx.Keys()
		return err
	})
	return keys, err
}

// AddKey lets a public key sign for an identity: for one's own, or, for an
// operator, for anybody's.
func (h *Host) AddKey(ctx context.Context, pem []byte, identity string) (registry.Key, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return registry.Key{}, err
	}
	if identity == "" {
		identity = actor.User
	}
	if identity != actor.User && !actor.Has(access.RoleOperator) {
		return registry.Key{}, fmt.Errorf("a key for %s can be added by %s or by an operator: %w", identity, identity, access.ErrForbidden)
	}
	hint, err := sigstore.ParsePublicKey(pem)
	if err != nil {
		return registry.Key{}, err
	}
	key := registry.Key{Hint: hint, PEM: string(pem), Identity: identity, AddedBy: actor.User, Added: h.o.Now().UTC()}
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
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

// DeleteKey ends the trust in a key. Programs that were loaded are dropped, so
// that releases which only this key signed no longer load.
func (h *Host) DeleteKey(ctx context.Context, hint string) error {
	actor, err := h.allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return err
	}
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
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
		h.programs.drop()
		h.sites.drop()
	}
	return err
}

// Inspect reads a module for somebody who wonders what it is.
func (h *Host) Inspect(ctx context.Context, module []byte) (registry.Inspection, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return registry.Inspection{}, err
	}
	return registry.Inspect(module)
}

// CheckPolicy asks the rules ahead of an upload, as if the actor had signed.
func (h *Host) CheckPolicy(ctx context.Context, manifest, module []byte, tier abi.Tier) ([]abi.Finding, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(manifest)
	if err != nil {
		return nil, err
	}
	r := registry.Release{App: m.Name, Manifest: m, Signer: registry.Signer{Identity: actor.User, Method: "identity", Trust: "local"}}
	if module != nil {
		inspection, err := registry.Inspect(module)
		if err != nil {
			return nil, err
		}
		r.Digest, r.Size, r.Interface, r.Capabilities = inspection.Digest, inspection.Size, inspection.Interface, r.Manifest.Needs(inspection.Capabilities)
	} else {
		// Without a module, take the manifest at its word.
		r.Interface = abi.InterfaceV1
		r.Capabilities = slices.Sorted(maps.Keys(r.Manifest.Capabilities))
	}
	if tier == "" {
		tier = abi.TierSandbox
	}
	action := "publish"
	if tier != abi.TierSandbox {
		action = "promote"
	}
	return h.judge(ctx, action, actor.User, tier, r)
}

// Rules shows the policy in force.
func (h *Host) Rules(ctx context.Context) (map[string]string, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	return h.policy.Rules(), nil
}
