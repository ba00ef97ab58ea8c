package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
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

// mustVerify checks a release's module and signature before something is routed to it, so that
// what cannot run is refused to whoever asks, and not to the app's users.
func (h *Node) mustVerify(ctx context.Context, name string, number int) error {
	var r registry.Release
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		if r, err = tx.Release(name, number); err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		return registry.StillTrusted(tx, r)
	})
	if err == nil {
		_, err = h.verified(ctx, r)
	}
	return err
}

// verified returns a release's module, checked against its signature once more.
func (h *Node) verified(ctx context.Context, r registry.Release) (module []byte, err error) {
	if module, err = h.blobs.Get(ctx, r.Digest); err != nil {
		return nil, fmt.Errorf("read the module of %s release %d: %w", r.App, r.Number, err)
	}
	bundle, err := h.blobs.Get(ctx, r.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read the signature of %s release %d: %w", r.App, r.Number, err)
	}
	signer, err := h.verify(ctx, module, bundle)
	if err != nil {
		return nil, fmt.Errorf("check the signature of %s release %d: %w", r.App, r.Number, err)
	}
	if signer.Identity != r.Signer.Identity {
		return nil, fmt.Errorf("release %d of %s was signed by %s and now verifies as %s: %w", r.Number, r.App, r.Signer.Identity, signer.Identity, registry.ErrUntrusted)
	}
	return module, nil
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
