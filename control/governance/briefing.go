package governance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// measuredDays is how far back a briefing counts calls.
const measuredDays = 30

// Advisor is the part of the rules that advises reviewers.
type Advisor interface {
	Advise(ctx context.Context, b approvals.Brief) ([]approvals.Advice, error)
}

// Meter shows what was used.
type Meter interface {
	Usage(ctx context.Context, q metering.Query) (metering.Report, error)
}

// Briefings tells reviewers how much waits, and what they have to know of a release.
type Briefings struct {
	*Judge
	service *Service // whose requests they are about
	advisor Advisor
	meter   Meter
}

// NewBriefings makes a Briefings of a service.
func NewBriefings(s *Service, a Advisor, m Meter) *Briefings { return &Briefings{s.Judge, s, a, m} }

// AwayOf lists who could still vote about a request and is away.
func (s *Briefings) AwayOf(ctx context.Context, id string) ([]control.Absent, error) {
	actor, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode)
	if err != nil {
		return nil, err
	}
	var away map[string][]control.Absent
	err = s.desk.View(ctx, func(tx state.Reader) error {
		q, err := s.service.RequestIn(tx, actor, id)
		if err == nil {
			away, err = s.away(tx, []approvals.Request{q})
		}
		return err
	})
	return append([]control.Absent{}, away[id]...), err
}

// Briefing is what a reviewer has to know of a release, for those who may look into its app. It is about the
// highest tier that an open request names or, if none is open, the lowest that the release does not serve.
func (s *Briefings) Briefing(ctx context.Context, name string, number int) (b control.Briefing, err error) {
	actor, err := s.desk.Door(ctx, access.ReadBriefing)
	if err != nil {
		return b, err
	}
	var app registry.App
	if err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		app, err = s.briefable(tx, actor, name)
		return err
	}); err != nil {
		return b, err
	}
	stored, err := s.service.apps.Stored(ctx, name)
	if err != nil {
		return b, err
	}
	measured, err := s.measured(ctx, app.Name, number)
	if err != nil {
		return b, err
	}
	var asks approvals.Subject
	var manifest registry.Manifest
	err = s.desk.View(ctx, func(tx state.Reader) error {
		if app, err = s.briefable(tx, actor, name); err != nil {
			return err
		}
		r, err := tx.Release(name, number)
		if err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		shown, err := s.service.apps.ShowRelease(tx, r, stored)
		if err != nil {
			return err
		}
		manifest = r.Manifest
		b = control.Briefing{
			App: name, Title: app.Title, Owner: app.Owner, Release: number, Digest: string(r.Digest),
			Intent: rights.Intent(r), Classification: manifest.Classification, Access: shown.Access, Measured: measured,
		}
		if b.Title == "" {
			b.Title = name
		}
		if b.Requests, err = s.open(tx, name, number, app.Releases); err != nil {
			return err
		}
		if b.Since, b.Changes, err = news(tx, r); err != nil {
			return err
		}
		b.Tier = briefedTier(b.Requests, shown.ActiveIn)
		if b.Audiences, err = s.audiences(tx, name, b.Tier); err != nil {
			return err
		}
		action := ToPromote
		if b.Tier == abi.TierSandbox {
			action = ToPublish
		}
		q, err := NewQuestion(tx, action, actor.User, b.Tier, r)
		if err != nil {
			return err
		}
		asks, err = s.ask(tx, q)
		return err
	})
	if err != nil {
		return b, err
	}
	b.Say(manifest)
	return b, s.advise(ctx, &b, asks)
}

// briefable reads an app that the actor may look into.
func (s *Briefings) briefable(tx state.Reader, actor access.Actor, name string) (registry.App, error) {
	app, err := tx.App(name)
	if err != nil {
		return app, fmt.Errorf("app %q: %w", name, err)
	}
	return app, control.MayApp(actor, access.ReadBriefing, app)
}

// open are the open requests about a release, the oldest first.
func (s *Briefings) open(tx state.Reader, app string, release, newest int) (open []approvals.Request, err error) {
	all, _, err := tx.ReleaseRequests(app, release, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	open = []approvals.Request{}
	for _, q := range all {
		if q.Status != approvals.StatusOpen {
			continue
		}
		if q, err = control.CountVotes(tx, q, s.policy.Digest(), s.desk.Now()); err != nil {
			return nil, err
		}
		open = append(open, s.service.Explain(q, newest))
	}
	return open, nil
}

// briefedTier is the tier that a briefing is about.
func briefedTier(open []approvals.Request, active []abi.Tier) abi.Tier {
	highest := abi.Tier("")
	for _, q := range open {
		if q.Tier.Rank() > highest.Rank() {
			highest = q.Tier
		}
	}
	if highest != "" {
		return highest
	}
	for _, tier := range abi.Tiers() {
		if !slices.Contains(active, tier) {
			return tier
		}
	}
	return abi.TierProduction
}

// audiences are who may open a tier, and those below it, from the lowest.
func (s *Briefings) audiences(tx state.Reader, app string, upTo abi.Tier) (all []control.BriefedAudience, err error) {
	for _, tier := range abi.Tiers()[:upTo.Rank()+1] {
		a, err := access.AudienceOf(tx, app, tier, s.service.given)
		if err != nil {
			return nil, err
		}
		all = append(all, control.BriefedAudience{Tier: tier, Kind: a.Kind, Words: audienceWords(a)})
	}
	return all, nil
}

// audienceWords says who that is, after "is for", with how many are named.
func audienceWords(a access.Audience) string {
	if a.Kind != access.AudiencePeople {
		return a.Words()
	}
	words := []string{"its owner"}
	if n := len(a.People); n > 0 {
		words = append(words, humanize.Plural(n, "person", "people"))
	}
	if n := len(a.Groups); n > 0 {
		words = append(words, humanize.Plural(n, "group", "groups"))
	}
	return strings.Join(words, " and ")
}

// measured is what a release did lately.
func (s *Briefings) measured(ctx context.Context, app string, release int) (control.Measured, error) {
	m := control.Measured{Days: measuredDays}
	now := s.desk.Now()
	report, err := s.meter.Usage(ctx, metering.Query{App: app, From: now.Add(-measuredDays * 24 * time.Hour), To: now.Add(time.Hour), By: []string{"release"}})
	if err != nil {
		return m, err
	}
	for _, row := range report.Rows {
		if row.Group["release"] == strconv.Itoa(release) {
			m.Calls, m.Failed, m.Instructions = row.Calls, row.Failed(), row.Instructions
		}
	}
	return m, nil
}

// listOf is a list that is one in JSON, too, if it is empty: rules count what is in it.
func listOf(words []string) []string { return append([]string{}, words...) }

// advise fills in what the rules say of a release, and what they advise.
func (s *Briefings) advise(ctx context.Context, b *control.Briefing, asks approvals.Subject) error {
	verdict, err := s.evaluate(ctx, asks)
	if err != nil {
		return err
	}
	b.Findings = verdict.Findings
	brief := approvals.Brief{Subject: asks, Review: approvals.SubjectReview{
		Since: b.Since, Wider: listOf(b.Effect(approvals.EffectWider)), Narrower: listOf(b.Effect(approvals.EffectNarrower)), Same: b.Same(),
		Days: b.Measured.Days, Calls: b.Measured.Calls, Failed: b.Measured.Failed, Unused: listOf(b.Unused()),
	}}
	if n := len(b.Audiences); n > 0 {
		brief.Review.Audience = string(b.Audiences[n-1].Kind)
	}
	if b.Advice, err = s.advisor.Advise(ctx, brief); err != nil {
		return err
	}
	if verdict.Refuses() {
		b.Advice = append([]approvals.Advice{{Code: "advice.refused", Leans: approvals.LeansReject, Message: "The rules refuse it as things are: an approval would not be carried out."}}, b.Advice...)
	}
	b.Recommends = approvals.Recommend(b.Advice)
	return nil
}
