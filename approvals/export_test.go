package approvals

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Effective returns the grant of a capability that holds in a tier.
func Effective(grants []Grant, tier abi.Tier, capability string, now time.Time) (Grant, bool) {
	var best *Grant
	for i := range grants {
		if g := &grants[i]; g.Capability == capability && g.supersedes(best, tier, now) {
			best = g
		}
	}
	if best == nil {
		return Grant{}, false
	}
	return *best, true
}
