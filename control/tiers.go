package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/internal/humanize"
)

// Tier is what the policy says about one tier, and the same in words.
type Tier struct {
	approvals.TierRules
	// Says is what it allows without a reviewer, a capability each.
	Says []string `json:"says"`
}

// TierOf says a tier's rules in words.
func TierOf(rules approvals.TierRules) Tier {
	t := Tier{TierRules: rules, Says: slices.Clone(rules.Capabilities)}
	for _, word := range slices.Sorted(maps.Keys(rules.Allow)) {
		t.Says = append(t.Says, word+withBounds(rules.Allow[word]))
	}
	return t
}

func withBounds(bounds approvals.Bounds) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		switch b := bounds[name]; {
		case b.Any:
			parts = append(parts, "any "+name)
		case b.Words != nil:
			parts = append(parts, name+" "+words(b.Words))
		default:
			parts = append(parts, fmt.Sprintf("%s up to %s", name, humanize.Param(name, fmt.Sprint(b.Number))))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
