package node

import (
	"context"
	"fmt"
	"io"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/blobstore"
)

// blobs are the stored modules and signatures.
type blobs struct{ *blobstore.Store }

func (b blobs) Stage(ctx context.Context, r io.Reader) (control.Module, error) {
	staged, err := b.Store.Stage(ctx, r)
	if err != nil {
		return nil, err // not a nil *Staged, which is no nil Module
	}
	return staged, nil
}

// compiler is the engine, and the meter that bills its work for an upload.
type compiler struct{ *plane }

func (compiler) CostTable() int { return int(fuel.Newest) }

func (c compiler) Compile(ctx context.Context, r registry.Release, module []byte, stage func(string)) (none publishing.Trial, err error) {
	stage("compiling")
	code, err := host.Program(module)
	if err != nil {
		return none, fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	if err := c.engine.Compile(ctx, code, host.EngineLimits(r)); err != nil {
		return none, fmt.Errorf("compile the module: %w", err)
	}
	stage("trying the app")
	t, err := c.engine.Try(ctx, code, r.Interface, host.EngineLimits(r))
	return publishing.Trial(t), err
}

func (c compiler) Bill(r registry.Release, did *abi.Recorder) { c.Host.Standing.BillCompiling(r, did) }

// verifier checks signatures against the trust root and the keys that are registered.
type verifier struct {
	root  *sigstore.Verifier
	state interface {
		View(ctx context.Context, read func(state.Reader) error) error
	}
	blobs *blobstore.Store
}

func (v verifier) Verify(ctx context.Context, module, bundle []byte) (registry.Signer, error) {
	return v.root.Verify(module, bundle, func(hint string) (key registry.Key, err error) {
		err = v.state.View(ctx, func(tx state.Reader) error {
			key, err = tx.Key(hint)
			return err
		})
		return key, err
	})
}

func (v verifier) VerifyRelease(ctx context.Context, r registry.Release) error {
	_, err := v.verified(ctx, r)
	return err
}

// verified reads a release's module and checks it against its signature once more.
func (v verifier) verified(ctx context.Context, r registry.Release) (module []byte, err error) {
	if module, err = v.blobs.Get(ctx, r.Digest); err != nil {
		return nil, fmt.Errorf("read the module of %s release %d: %w", r.App, r.Number, err)
	}
	bundle, err := v.blobs.Get(ctx, r.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read the signature of %s release %d: %w", r.App, r.Number, err)
	}
	signer, err := v.Verify(ctx, module, bundle)
	if err != nil {
		return nil, fmt.Errorf("check the signature of %s release %d: %w", r.App, r.Number, err)
	}
	if signer.Identity != r.Signer.Certified() {
		return nil, fmt.Errorf("release %d of %s was signed by %s and now verifies as %s: %w", r.Number, r.App, r.Signer.Certified(), signer.Identity, registry.ErrUntrusted)
	}
	return module, nil
}
