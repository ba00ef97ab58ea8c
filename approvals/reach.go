package approvals

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Terms are what of a release a review relies on, beside its bytes.
type Terms struct {
	Release        int                   `json:"release"`
	Digest         string                `json:"digest"` // of the module
	Signer         string                `json:"signer"`
	Classification string                `json:"data_classification"`
	KeepState      bool                  `json:"keep_state,omitempty"`
	Identity       string                `json:"identity,omitempty"` // what the app is told of who calls it
	Limits         SubjectLimits         `json:"limits"`
	Triggers       SubjectTriggers       `json:"triggers"`
	Asks           map[string]abi.Params `json:"asks,omitempty"`     // by capability
	Requires       []string              `json:"requires,omitempty"` // capabilities that the rules wanted reviewed for this very release
}

// Reach is a tier's rule about which releases its grants reach. The zero value is
// the strict rule: the release that was reviewed, and no other.
type Reach struct {
	// Releases is ReachReviewed (or "") or ReachLater.
	Releases string `json:"reach"`
	// Unless names the changes with which a later release is not reached: see
	// Differences.
	Unless []string `json:"unless,omitempty"`
}

// Which releases a grant reaches beside the one that was reviewed.
const (
	ReachReviewed = "reviewed" // none
	ReachLater    = "later"    // those uploaded after it, but for what Unless says
)

// differences are the changes that a rule can name: how they are said of later
// releases, and whether a release has one.
var differences = map[string]struct {
	say string
	has func(capability string, reviewed, later Terms) bool
}{
	"params":         {"ask for more of it", func(word string, r, l Terms) bool { return !within(l.Asks[word], r.Asks[word]) }},
	"signer":         {"are signed by another person", func(_ string, r, l Terms) bool { return l.Signer != r.Signer }},
	"classification": {"work on data of another class", func(_ string, r, l Terms) bool { return l.Classification != r.Classification }},
	"keep_state":     {"begin to keep state between requests", func(_ string, r, l Terms) bool { return l.KeepState && !r.KeepState }},
	"identity":       {"ask to be told more of who calls them", func(_ string, r, l Terms) bool { return tells(l.Identity) > tells(r.Identity) }},
	"limits":         {"raise a limit", func(_ string, r, l Terms) bool { return l.Limits.exceed(r.Limits) }},
	"triggers":       {"have another trigger", func(_ string, r, l Terms) bool { return l.Triggers.exceed(r.Triggers) }},
}

// Differences are the words that Reach.Unless may have.
func Differences() []string { return slices.Sorted(maps.Keys(differences)) }

// within reports whether asked has nothing that most does not have.
func within(asked, most abi.Params) bool { return maps.Equal(abi.NarrowParams(asked, most), asked) }

// tells orders what apps ask to be told of people, from the least.
func tells(identity string) int { return slices.Index([]string{"", "pseudonym", "person"}, identity) }

func (l SubjectLimits) exceed(o SubjectLimits) bool {
	return l.Fuel > o.Fuel || l.Memory > o.Memory || l.TimeoutMS > o.TimeoutMS || l.Request > o.Request || l.Response > o.Response || l.Concurrency > o.Concurrency
}

func (t SubjectTriggers) exceed(o SubjectTriggers) bool {
	return t.Webhooks > o.Webhooks || t.Events > o.Events ||
		slices.ContainsFunc(t.Crons, func(c SubjectCron) bool { return !slices.Contains(o.Crons, c) })
}

// Check reports what is wrong with a rule.
func (r Reach) Check() error {
	if r.Releases != "" && r.Releases != ReachReviewed && r.Releases != ReachLater {
		return fmt.Errorf("reach is %q or %q, not %q", ReachReviewed, ReachLater, r.Releases)
	}
	for _, word := range r.Unless {
		if _, ok := differences[word]; !ok {
			return fmt.Errorf("unless knows %s, not %q", strings.Join(Differences(), ", "), word)
		}
	}
	return nil
}

// String says the rule of a release that was reviewed.
func (r Reach) String() string {
	if r.Releases != ReachLater {
		return "the reviewed release and no other"
	}
	var unless []string
	for _, word := range r.Unless {
		unless = append(unless, differences[word].say)
	}
	text := "the reviewed release and later ones"
	if n := len(unless); n > 1 {
		text += ", unless they " + strings.Join(unless[:n-1], ", ") + " or " + unless[n-1]
	} else if n == 1 {
		text += ", unless they " + unless[0]
	}
	return text
}

// Covers reports whether the grant reaches a release under the rule of the
// grant's tier, and how: ReachReviewed or ReachLater.
//
// Whatever the rule is, a grant does not reach a release that is older than the
// reviewed one, bytes that a reviewer rejected, or a release of which the rules
// wanted a review of its own.
func (g Grant) Covers(to Terms, rule Reach) (how string, ok bool) { return g.covers(&to, rule) }

func (g *Grant) covers(to *Terms, rule Reach) (how string, ok bool) {
	r := &g.Reviewed
	if r.Release == to.Release && r.Digest == to.Digest && r.Digest != "" {
		return ReachReviewed, true
	}
	if g.Emergency || rule.Releases != ReachLater || r.Release == 0 || to.Release <= r.Release {
		return "", false
	}
	if slices.Contains(g.Except, to.Digest) || slices.Contains(to.Requires, g.Capability) {
		return "", false
	}
	for _, word := range rule.Unless {
		if d, known := differences[word]; !known || d.has(g.Capability, *r, *to) {
			return "", false
		}
	}
	return ReachLater, true
}

// Rules are what the policy gives without a decision about one release.
type Rules interface {
	// Allowance is what a tier allows every app that declares it, without a grant. Callers do not
	// change it.
	Allowance(tier abi.Tier) Allowance
	// Reach is the rule about which releases the grants of a tier reach.
	Reach(tier abi.Tier) Reach
}

// Right is a capability that a release has in a tier.
type Right struct {
	Params abi.Params // what holds of it: what is granted and asked for
	Grant  *Grant     // what gives it; nil if the rules of the tier do, to every app
	How    string     // how the grant reaches the release: ReachReviewed or ReachLater
}

// Rights are what a release has in a tier, by capability: of what it asks for,
// what the newest live grant that reaches it allows, or what the tier allows every
// app, unless the rules wanted a review. The tier allows all that is asked of a
// capability or nothing of it. This is the one place that decides it.
func Rights(rules Rules, of Terms, tier abi.Tier, grants []Grant, now time.Time) map[string]Right {
	newest := map[string]*Grant{} // of those that reach the release and hold in the tier, by capability
	how := map[string]string{}
	for i := range grants {
		g := &grants[i] // an app may have thousands
		if _, asked := of.Asks[g.Capability]; !asked || !g.supersedes(newest[g.Capability], tier, now) {
			continue
		}
		if by, ok := g.covers(&of, rules.Reach(g.Tier)); ok {
			newest[g.Capability], how[g.Capability] = g, by
		}
	}
	rights := map[string]Right{}
	allowance := rules.Allowance(tier)
	for word, asked := range of.Asks {
		g := newest[word]
		if g != nil {
			given := *g
			rights[word] = Right{Params: abi.NarrowParams(g.Params, asked), Grant: &given, How: how[word]}
		}
		if (g == nil || !within(asked, g.Params)) && allowance.Allows(word, asked) && !slices.Contains(of.Requires, word) {
			rights[word] = Right{Params: asked}
		}
	}
	return rights
}
