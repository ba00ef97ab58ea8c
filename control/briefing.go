package control

import (
	"fmt"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// Briefing is what a reviewer has to know of a release before a decision about it.
type Briefing struct {
	App     string   `json:"app"`
	Title   string   `json:"title"`
	Owner   string   `json:"owner"`
	Release int      `json:"release"`
	Digest  string   `json:"digest"`
	Tier    abi.Tier `json:"tier"` // that it is about to enter, or that it asks for capabilities in
	// Summary says in words what it is, for whom, and what is new.
	Summary        string            `json:"summary"`
	Intent         *approvals.Intent `json:"intent,omitempty"`
	Classification string            `json:"classification"`
	Audiences      []BriefedAudience `json:"audiences"` // of that tier, and of those below
	// Since is the release that Changes compare with, the last that was approved; 0: there is none.
	Since   int                `json:"since,omitempty"`
	Changes []approvals.Change `json:"changes,omitempty"`
	// Access is, of each capability, what is declared, imported, granted and used.
	Access   []CapabilityState `json:"access"`
	Measured Measured          `json:"measured"`
	Findings []abi.Finding     `json:"findings,omitempty"` // of the rules, as things are
	// Recommends is what the policy's advice together speaks for; "": there is none. People decide.
	Recommends approvals.Leaning   `json:"recommends,omitempty"`
	Advice     []approvals.Advice  `json:"advice,omitempty"`
	Requests   []approvals.Request `json:"requests"` // that are open
}

// BriefedAudience is who may open a tier, in words.
type BriefedAudience struct {
	Tier  abi.Tier            `json:"tier"`
	Kind  access.AudienceKind `json:"kind"`
	Words string              `json:"words"`
}

// Measured is what a release did in so many days, in all tiers.
type Measured struct {
	Days         int    `json:"days"`
	Calls        uint64 `json:"calls"`
	Failed       uint64 `json:"failed"`
	Instructions uint64 `json:"instructions"` // of all calls
}

// Each returns how many instructions a call took on average.
func (m Measured) Each() uint64 {
	if m.Calls == 0 {
		return 0
	}
	return m.Instructions / m.Calls
}

// Effect lists the paths of the changes that have an effect.
func (b Briefing) Effect(of approvals.Effect) (paths []string) {
	for _, c := range b.Changes {
		if c.Effect == of {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

// Unused lists the capabilities that the release declares and has never used.
func (b Briefing) Unused() (words []string) {
	for _, s := range b.Access {
		if s.Declared && !s.Default && len(s.Used) == 0 {
			words = append(words, s.Name)
		}
	}
	return words
}

// Same reports whether the module is the one that Changes compare with.
func (b Briefing) Same() bool {
	for _, c := range b.Changes {
		if c.Path == "module" {
			return false
		}
	}
	return b.Since > 0
}

// Say fills in the summary.
func (b *Briefing) Say(m registry.Manifest) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, of %s", b.Title, b.Owner)
	if b.Classification != "" {
		fmt.Fprintf(&text, ", works with %s data", b.Classification)
	}
	if n := len(b.Audiences); n > 0 {
		fmt.Fprintf(&text, ". In the %s tier it is for %s", b.Tier, b.Audiences[n-1].Words)
	}
	if m.ExpectedUsers > 0 {
		fmt.Fprintf(&text, "; %d people are expected", m.ExpectedUsers)
	}
	wider, narrower := len(b.Effect(approvals.EffectWider)), len(b.Effect(approvals.EffectNarrower))
	switch since := fmt.Sprintf("release %d", b.Since); {
	case b.Since == 0:
		text.WriteString(". No release of it was asked about before: all of it is new")
	case len(b.Changes) == 0:
		fmt.Fprintf(&text, ". Nothing differs from release %d", b.Since)
	case wider > 0 && narrower > 0:
		fmt.Fprintf(&text, ". It may do more than %s, in %s, and less in %s", since, values(wider), values(narrower))
	case wider > 0:
		fmt.Fprintf(&text, ". It may do more than %s, in %s", since, values(wider))
	case narrower > 0:
		fmt.Fprintf(&text, ". It may do less than %s, in %s, and nowhere more", since, values(narrower))
	default:
		fmt.Fprintf(&text, ". It may do neither more nor less than %s; %s", since, differs(b.Same()))
	}
	text.WriteString(".")
	b.Summary = text.String()
}

func values(n int) string {
	if n == 1 {
		return "one value"
	}
	return fmt.Sprintf("%d values", n)
}

func differs(same bool) string {
	if same {
		return "its module is the same"
	}
	return "its module is another"
}
