package governance

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Judge asks the policy about releases, and makes changes that rely on its verdicts.
type Judge struct {
	desk         *control.Desk
	policy       Policy
	models       map[string][]string
	beforeChange func()
}

// What a release is about to do when the policy is asked about it.
const (
	ToPublish = "publish"
	ToPromote = "promote"
)

// Question is what the policy is asked about a release.
type Question struct {
	Action     string // ToPublish or ToPromote
	Actor      string
	Tier       abi.Tier
	Release    registry.Release
	SignerOwns bool // whoever signed the release is one of the app's owners
	Shared     bool // the app has owners beside its owner
	Public     bool // the tier was opened to everybody, or is about to be
}

// Refusal is the error for a release that findings refuse.
func (q Question) Refusal(findings []abi.Finding) *control.Refusal {
	r := &control.Refusal{Findings: findings, Tier: q.Tier}
	if q.Release.Made != nil {
		r.Script = q.Release.Made.Entry
	}
	return r
}

// NewQuestion is a question about a release of an app that may be there already.
func NewQuestion(tx state.Reader, action, actor string, tier abi.Tier, r registry.Release) (Question, error) {
	q := Question{Action: action, Actor: actor, Tier: tier, Release: r}
	app, err := tx.App(r.App)
	if errors.Is(err, registry.ErrNotFound) {
		app, err = registry.App{Owner: r.Manifest.Owner}, nil
	}
	if q.Shared = app.CoOwner != "" || app.Group != ""; err == nil {
		q.SignerOwns, err = control.Owns(tx, app, r.Signer.Identity)
	}
	if err == nil {
		q.Public, err = opened(tx, r.App, tier)
	}
	return q, err
}

// opened reports whether a tier of an app was opened to everybody. What a node is started with for all apps
// does not count: it says how the apps of this node are reached.
func opened(tx state.Reader, app string, tier abi.Tier) (bool, error) {
	a, err := tx.Audience(app, tier)
	if errors.Is(err, access.ErrNotFound) {
		return false, nil
	}
	return a.Kind == access.AudiencePublic, err
}

// About reads what a change is about. It runs more than once, and refuses what may not be changed.
type About func(state.Reader) (Question, error)

// rights returns what a release has in a tier.
func (j *Judge) rights(tx state.Reader, r registry.Release, tier abi.Tier) (map[string]approvals.Right, error) {
	return rights.Of(tx, j.policy, r, tier, j.desk.Now())
}

// missing returns the capabilities that a release needs and has no right to, sorted.
func (j *Judge) missing(tx state.Reader, r registry.Release, tier abi.Tier) ([]string, error) {
	return rights.Missing(tx, j.policy, r, tier, j.desk.Now())
}

// ask builds what the policy judges: the release, with the grants that reach it.
func (j *Judge) ask(tx state.Reader, q Question) (approvals.Subject, error) {
	have, err := j.rights(tx, q.Release, q.Tier)
	if err != nil {
		return approvals.Subject{}, err
	}
	s := Subject(q, have)
	s.Models = j.models
	app, err := tx.App(q.Release.App)
	if errors.Is(err, registry.ErrNotFound) {
		if why, reserved := registry.ReservedName(q.Release.App); reserved && !j.policy.AllowsName(q.Release.App) {
			s.App.Reserved = why
		}
		err = nil
	}
	s.App.Closed = app.ClosedTo(q.Release.Number, q.Release.Digest)
	live, failed := exemptionsOf(tx, app)
	err = errors.Join(err, failed)
	s.Exemptions = approvals.Reaching(live, q.Tier, string(q.Release.Digest), j.desk.Now())
	s.Allowed = rights.Allowed(j.policy, app, q.Release, q.Tier)
	return s, err
}

// evaluate asks the policy, and refuses names that are reserved whatever it says.
func (j *Judge) evaluate(ctx context.Context, s approvals.Subject) (approvals.Verdict, error) {
	verdict, err := j.policy.Evaluate(ctx, s)
	verdict = verdict.Except(s.Exemptions)
	if err == nil && s.App.Reserved != "" {
		verdict.Findings = append([]abi.Finding{reservedName(s.App.Name, s.App.Reserved)}, verdict.Findings...)
	}
	return verdict, err
}

// Verdict asks the policy about a release as things are.
func (j *Judge) Verdict(ctx context.Context, q Question) (approvals.Verdict, error) {
	var s approvals.Subject
	err := j.desk.View(ctx, func(tx state.Reader) (err error) {
		s, err = j.ask(tx, q)
		return err
	})
	if err != nil {
		return approvals.Verdict{}, err
	}
	return j.evaluate(ctx, s)
}

// errStale ends a transaction that does not find what was looked at before it.
var errStale = errors.New("what the change relies on is not what it was")

// tries bounds how often a change begins again because the state keeps changing.
const tries = 8

// again runs a change anew as long as it is stale.
func again(change func() error) error {
	for range tries {
		if err := change(); !errors.Is(err, errStale) {
			return err
		}
	}
	return fmt.Errorf("the app keeps changing: %w", approvals.ErrChanged)
}

// Judged makes a change that relies on a verdict of the policy. The policy is not asked within a
// transaction, so what it judges is read twice: the transaction must find what was judged, or the
// policy is asked again. A subject that is refused changes nothing.
func (j *Judge) Judged(ctx context.Context, by string, about About, change func(state.Tx, Question, approvals.Verdict) error) error {
	all := func(tx state.Reader) ([]Question, error) {
		q, err := about(tx)
		return []Question{q}, err
	}
	return j.JudgedAll(ctx, by, all, func(tx state.Tx, q []Question, v []approvals.Verdict) error { return change(tx, q[0], v[0]) })
}

// JudgedAll is Judged for a change that relies on any number of verdicts, all about one state. One
// subject that is refused, and nothing is changed.
func (j *Judge) JudgedAll(ctx context.Context, by string, about func(state.Reader) ([]Question, error), change func(state.Tx, []Question, []approvals.Verdict) error) error {
	read := func(tx state.Reader) (all []Question, subjects []approvals.Subject, err error) {
		if all, err = about(tx); err != nil {
			return nil, nil, err
		}
		for _, q := range all {
			s, err := j.ask(tx, q)
			if err != nil {
				return nil, nil, err
			}
			subjects = append(subjects, s)
		}
		return all, subjects, nil
	}
	return again(func() error {
		var asked []Question
		var was []approvals.Subject
		err := j.desk.View(ctx, func(tx state.Reader) (err error) {
			asked, was, err = read(tx)
			return err
		})
		if err != nil {
			return err
		}
		verdicts, err := j.evaluateAll(ctx, asked, was)
		if err != nil {
			return err
		}
		j.beforeChange()
		_, err = j.desk.Update(ctx, by, func(tx state.Tx) error {
			all, is, err := read(tx)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(was, is) {
				return errStale
			}
			return change(tx, all, verdicts)
		})
		return err
	})
}

// evaluateAll asks the policy about each of some subjects, which questions are about. It returns a Refusal with the findings of the
// first that is refused.
func (j *Judge) evaluateAll(ctx context.Context, asked []Question, all []approvals.Subject) (verdicts []approvals.Verdict, err error) {
	for i, s := range all {
		v, err := j.evaluate(ctx, s)
		if err != nil {
			return nil, err
		}
		if v.Refuses() {
			return nil, asked[i].Refusal(v.Findings)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}
