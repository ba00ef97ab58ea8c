package governance

import (
	"context"
	"github.com/agora-host/agora/abi"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/registry"
)

// Policy is the rules in force.
type Policy interface {
	approvals.Policy
	// AllowsName reports whether an app may have a name that is reserved otherwise.
	AllowsName(name string) bool
	// OpenToAll reports whether an app with data of a class may be open to everybody.
	OpenToAll(classification string) bool
	// Exemptions are from which rules apps are exempted, and for how long.
	Exemptions() approvals.ExemptionRules
	// Clocks are how long those have whose turn it is in a request about a tier.
	Clocks(tier abi.Tier) approvals.Clocks
	// Life is how long the grants of a tier live.
	Life(tier abi.Tier) approvals.Life
}

// Verifier checks what is stored of a release.
type Verifier interface {
	// VerifyRelease reads a release's module and checks it against its signature once more.
	VerifyRelease(ctx context.Context, r registry.Release) error
}

// Addresses are the hosts of apps.
type Addresses interface {
	AppHost(app string) string
	// KeepsSignIn returns nil if browsers keep a sign-in at a host, and otherwise why they do not.
	KeepsSignIn(host string) error
}

// Options are what a Service needs.
type Options struct {
	Desk     *control.Desk
	Apps     *apps.Catalogue
	Policy   Policy
	Models   map[string][]string // the node's language models, with the classes of data that each may see
	Verifier Verifier
	// Audience is who may open apps for which no audience was set.
	Audience access.AudienceDefaults
	// Addresses are those of the apps.
	Addresses Addresses
	// Uses says what apps do; nil: what the state has.
	Uses Uses
	// BeforeChange, if not nil, is called between what a change relies on and its transaction: a
	// test changes the state there.
	BeforeChange func()
}

// Service carries requests to decisions, decisions to grants, and releases to tiers.
type Service struct {
	*Judge
	apps     *apps.Catalogue
	verifier Verifier
	given    access.AudienceDefaults
	uses     Uses
}

// New makes a Service.
func New(o Options) *Service {
	if o.BeforeChange == nil {
		o.BeforeChange = func() {}
	}
	if o.Uses == nil {
		o.Uses = stored{}
	}
	return &Service{Judge: &Judge{desk: o.Desk, policy: o.Policy, models: o.Models, beforeChange: o.BeforeChange}, apps: o.Apps, verifier: o.Verifier, given: o.Audience, uses: o.Uses}
}
