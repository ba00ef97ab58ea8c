package rights

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// Reader is what rights are read from.
type Reader interface {
	registry.Reader
	approvals.Reader
}

// Terms returns all that a review of a release relies on.
func Terms(r registry.Release) approvals.Terms {
	m := r.Manifest
	t := approvals.Terms{
		Release: r.Number, Digest: string(r.Digest), Signer: r.Signer.Identity, Classification: m.Classification,
		KeepState: m.KeepState, Identity: m.Identity(), Limits: limits(m.Limits), Triggers: triggers(m.Triggers),
		Asks: map[string]abi.Params{}, Requires: r.Requires,
	}
	for word, ask := range m.Capabilities {
		t.Asks[word] = ask.Params()
	}
	return t
}

// Intent returns what a release says that its app is for; nil if it says nothing.
func Intent(r registry.Release) *approvals.Intent {
	m := r.Manifest
	if m.Description == "" && m.ExpectedUsers == 0 && m.MonthlyCents == 0 && len(m.Answers) == 0 {
		return nil
	}
	return &approvals.Intent{Description: m.Description, ExpectedUsers: int64(m.ExpectedUsers), MonthlyCents: int64(m.MonthlyCents), Answers: m.Answers}
}

func limits(l registry.Limits) approvals.SubjectLimits {
	return approvals.SubjectLimits{
		Fuel: l.Fuel, Memory: int64(l.Memory), TimeoutMS: l.Timeout.Milliseconds(),
		Request: int64(l.RequestBody), Response: int64(l.ResponseBody), Concurrency: l.Concurrency,
	}
}

func triggers(t registry.Triggers) approvals.SubjectTriggers {
	s := approvals.SubjectTriggers{Webhooks: len(t.Webhook), Events: len(t.Event)}
	for _, c := range t.Cron {
		if when, err := c.When(); err == nil { // the manifest was checked when it was read
			s.Crons = append(s.Crons, approvals.SubjectCron{Name: c.Name, Schedule: c.Schedule, IntervalS: int64(when.LeastInterval().Seconds())})
		}
	}
	return s
}

// Grants returns an app's grants that are not revoked. Those that were made before grants said what
// was reviewed learn it from their requests.
func Grants(tx Reader, app string) ([]approvals.Grant, error) {
	grants, err := tx.Grants(app)
	if err != nil {
		return nil, err
	}
	for i := range grants {
		if err := FillReviewed(tx, &grants[i]); err != nil {
			return nil, err
		}
	}
	return grants, nil
}

// FillReviewed has a grant say what was reviewed, if it is from before grants did.
func FillReviewed(tx Reader, g *approvals.Grant) error {
	if g.Reviewed.Release > 0 {
		return nil
	}
	q, err := tx.Request(g.Request)
	if err != nil {
		return fmt.Errorf("grant %s: request %q: %w", g.ID, g.Request, err)
	}
	r, err := tx.Release(q.App, q.Release)
	if errors.Is(err, registry.ErrNotFound) { // it is gone, so nothing can be compared with it
		g.Reviewed = approvals.Terms{Release: q.Release, Digest: q.Digest}
		return nil
	}
	g.Reviewed = Terms(r)
	return err
}

// Of returns what a release has in a tier, by capability.
func Of(tx Reader, rules approvals.Rules, r registry.Release, tier abi.Tier, now time.Time) (map[string]approvals.Right, error) {
	grants, err := Grants(tx, r.App)
	if err != nil {
		return nil, err
	}
	app, err := tx.App(r.App)
	if err != nil && !errors.Is(err, registry.ErrNotFound) { // the app of a first upload is not there yet
		return nil, err
	}
	return approvals.Rights(RulesFor(rules, app, r), Terms(r), tier, grants, now), nil
}

// RulesFor returns the rules as they hold for one release: what was taken from its app, or refused to
// its bytes, the rules alone do not give back.
func RulesFor(rules approvals.Rules, app registry.App, r registry.Release) approvals.Rules {
	if words := app.ClosedTo(r.Number, r.Digest); len(words) > 0 {
		return closed{rules, words}
	}
	return rules
}

type closed struct {
	approvals.Rules
	words []string
}

func (c closed) Allowance(tier abi.Tier) approvals.Allowance {
	return c.Rules.Allowance(tier).Without(c.words)
}

// Allowed returns the capabilities that a tier allows a release within bounds, without a reviewer,
// sorted.
func Allowed(rules approvals.Rules, app registry.App, r registry.Release, tier abi.Tier) (words []string) {
	allowance := RulesFor(rules, app, r).Allowance(tier)
	for word, ask := range r.Manifest.Capabilities {
		if allowance[word] != nil && allowance.Allows(word, ask.Params()) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return words
}

// Missing returns the capabilities that a release needs in a tier and has no right to, sorted.
func Missing(tx Reader, rules approvals.Rules, r registry.Release, tier abi.Tier, now time.Time) ([]string, error) {
	have, err := Of(tx, rules, r, tier, now)
	return Lacks(r, have), err
}

// Lacks returns the capabilities that a release needs and does not have, sorted.
func Lacks(r registry.Release, have map[string]approvals.Right) []string {
	return slices.DeleteFunc(slices.Clone(r.Capabilities), func(word string) bool {
		_, ok := have[word]
		return ok
	})
}
