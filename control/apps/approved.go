package apps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// ApprovedFor returns a release if a tier may be routed to it: the sandbox to
// whatever has its grants, a higher tier to what a reviewer approved for it.
func ApprovedFor(tx state.Reader, rules approvals.Rules, now time.Time, name string, number int, tier abi.Tier) (registry.Release, error) {
	r, err := tx.Release(name, number)
	if err != nil {
		return r, fmt.Errorf("release %d of app %q: %w", number, name, err)
	}
	if err := Complete(tx, rules, now, r, tier); err != nil || tier == abi.TierSandbox {
		return r, err
	}
	return r, Promoted(tx, r, tier)
}

// Promoted returns an error unless a reviewer let a release into a tier, whatever it lacks there. The sandbox asks
// for none.
func Promoted(tx state.Reader, r registry.Release, tier abi.Tier) error {
	requests, _, err := tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err == nil && !promoted(r, tier, requests) {
		err = fmt.Errorf("release %d of %q has no approved promotion to %s: %w", r.Number, r.App, tier, registry.ErrNotApproved)
	}
	return err
}

// promoted reports whether a reviewer let a release into a tier. The sandbox asks for none.
func promoted(r registry.Release, tier abi.Tier, requests []approvals.Request) bool {
	return tier == abi.TierSandbox || slices.ContainsFunc(requests, func(q approvals.Request) bool {
		return q.Kind == approvals.KindPromotion && q.Status == approvals.StatusApproved && q.Tier == tier && q.Digest == string(r.Digest)
	})
}

// Complete reports whether a release has all that it needs in a tier, and what it
// lacks.
func Complete(tx state.Reader, rules approvals.Rules, now time.Time, r registry.Release, tier abi.Tier) error {
	lacks, err := rights.Missing(tx, rules, r, tier, now)
	if err == nil && len(lacks) > 0 {
		err = fmt.Errorf("release %d of %q needs %s, and no grant in the %s tier reaches it: %w", r.Number, r.App, strings.Join(lacks, " and "), tier, registry.ErrNotApproved)
	}
	return err
}
