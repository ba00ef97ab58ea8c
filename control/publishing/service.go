package publishing

import (
	"context"
	"io"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
)

// Compiler makes sure that a release can run.
type Compiler interface {
	// CostTable is the newest table that instructions are counted by.
	CostTable() int
	// Compile compiles a module and lets the app start and serve one request. stage is told each
	// step as it begins. An error is about the node, or says that the module is none that it runs.
	// What it costs is noted in the recorder of ctx.
	Compile(ctx context.Context, r registry.Release, module []byte, stage func(string)) (Trial, error)
	// Bill charges what that cost to the release that it was for; to its app if none came of it, and
	// it has no number.
	Bill(r registry.Release, did *abi.Recorder)
}

// Blobs keep modules and signatures, by digest.
type Blobs interface {
	// Stage writes to the disk what is no blob yet.
	Stage(ctx context.Context, r io.Reader) (control.Module, error)
	Put(ctx context.Context, b []byte) (registry.Digest, error)
	Get(ctx context.Context, d registry.Digest) ([]byte, error)
}

// Authority signs for people whom the node knows, and says when.
type Authority interface {
	// SignAs signs a module for an identity with a key that exists for this signature only.
	SignAs(ctx context.Context, module []byte, identity string) (bundle []byte, err error)
	// Certify returns a short-lived certificate for an identity and the key of a PKCS #10 request.
	Certify(csr []byte, identity string) (chainPEM []byte, err error)
	// Timestamp returns the response to an RFC 3161 request.
	Timestamp(request []byte) ([]byte, error)
	// TrustedRootJSON is the sigstore trusted root that all of it is verified by.
	TrustedRootJSON() ([]byte, error)
}

// Verifier checks signatures.
type Verifier interface {
	// Verify returns who signed a module, by a bundle that signs exactly these bytes.
	Verify(ctx context.Context, module, bundle []byte) (registry.Signer, error)
}

// Policy shows the rules in force: file name to source.
type Policy interface {
	Rules() map[string]string
	// Tiers are what the rules say about each tier, from the lowest.
	Tiers() []approvals.TierRules
}

// Options are what a Service needs.
type Options struct {
	Desk       *control.Desk
	Apps       *apps.Catalogue
	Keeper     *apps.Keeper
	Governance *governance.Service
	Intake     *Intake
	Policy     Policy
	Compiler   Compiler
	Builder    Builder
	Blobs      Blobs
	Authority  Authority
	Verifier   Verifier
	AppURL     func(app string) string // where people find an app
}

// Service takes uploads in.
type Service struct {
	*Intake
	desk       *control.Desk
	apps       *apps.Catalogue
	keeper     *apps.Keeper
	governance *governance.Service
	policy     Policy
	compiler   Compiler
	builder    Builder
	blobs      Blobs
	authority  Authority
	verifier   Verifier
	appURL     func(app string) string
}

// New makes a Service.
func New(o Options) *Service {
	return &Service{
		Intake: o.Intake, desk: o.Desk, apps: o.Apps, keeper: o.Keeper, governance: o.Governance, policy: o.Policy,
		compiler: o.Compiler, builder: o.Builder, blobs: o.Blobs, authority: o.Authority, verifier: o.Verifier, appURL: o.AppURL,
	}
}
