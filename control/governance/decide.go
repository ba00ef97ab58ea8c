package governance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Decide is a reviewer's verdict with all that follows from it, in one
// transaction: the grants it allows and the route it opens. An approval is judged
// by the rules once more: what was fine when it was asked may not be any more.
func (s *Service) Decide(ctx context.Context, id string, d control.Verdict) (request approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.DecideRequest)
	if err != nil {
		return request, err
	}
	if err := checkTexts(d); err != nil {
		return request, err
	}
	exempts, err := s.isExemption(ctx, id)
	if err != nil {
		return request, err
	}
	if !d.Approve || exempts { // the rules refuse what is exempted from them
		_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
			request, err = s.decide(tx, actor, id, d)
			return err
		})
		return request, err
	}
	if err := s.verifyAsked(ctx, id); err != nil {
		return request, err
	}
	about := func(tx state.Reader) (Question, error) { return asked(tx, id) }
	var changed error // of a request that is another one now, which is what is stored instead of the vote
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, of Question, v approvals.Verdict) (err error) {
		if changed, err = s.renew(tx, id, of.Release, v); err != nil || changed != nil {
			return err
		}
		request, err = s.decide(tx, actor, id, d)
		return err
	})
	if err == nil {
		err = changed
	}
	return request, err
}

// maxReason bounds the texts of a vote, in bytes.
const maxReason = 4000

func checkTexts(d control.Verdict) error {
	return errors.Join(control.PlainText("reason", d.Reason, maxReason), control.PlainText("remedy", d.Remedy, maxReason))
}

// renew has a request ask for what the policy wants decided now, and voids the votes that relied on
// something else. changed is not nil if approving it would grant more than its page said: whoever votes
// looks at it again.
func (s *Service) renew(tx state.Tx, id string, r registry.Release, v approvals.Verdict) (changed, err error) {
	was, err := approvals.Undecided(tx, id)
	if err != nil {
		return nil, err
	}
	q := was
	more := q.Renew(v, rights.Terms(r))
	if q, err = control.CountVotes(tx, q, v.Policy, s.desk.Now()); err != nil {
		return nil, err
	}
	void := 0
	for i, vote := range q.Votes {
		if vote.Void != was.Votes[i].Void {
			void++
		}
	}
	if err := tx.PutRequest(q); err != nil {
		return nil, err
	}
	if void > 0 || len(more) > 0 {
		tx.Emit("request.changed", q.App, id, map[string]string{"capability": strings.Join(more, " "), "void": strconv.Itoa(void), "release": strconv.Itoa(q.Release)})
	}
	if len(more) == 0 {
		return nil, nil
	}
	return fmt.Errorf("release %d of app %q needs a grant of %s in the %s tier since %s was asked, and %s asks for it now; look at it again: %w", q.Release, q.App, strings.Join(more, " and "), q.Tier, id, id, approvals.ErrChanged), nil
}

// verifyAsked verifies the release that a promotion is about, before it is approved.
func (s *Service) verifyAsked(ctx context.Context, id string) error {
	var q approvals.Request
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		q, err = approvals.Undecided(tx, id)
		return err
	})
	if err != nil || q.Kind != approvals.KindPromotion {
		return err
	}
	return s.mustVerify(ctx, q.App, q.Release)
}

// asked is what the rules are asked about a request that is to be approved.
func asked(tx state.Reader, id string) (Question, error) {
	q, err := approvals.Undecided(tx, id)
	if err != nil {
		return Question{}, err
	}
	return questionOf(tx, q)
}

// questionOf is what the rules are asked about a request that is to take effect.
func questionOf(tx state.Reader, q approvals.Request) (Question, error) {
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return Question{}, fmt.Errorf("release %d of app %q: %w", q.Release, q.App, err)
	}
	if q.Digest != string(r.Digest) {
		return Question{}, fmt.Errorf("request %s was made for %s: %w", q.ID, q.Digest, registry.ErrNotApproved)
	}
	about, err := NewQuestion(tx, actionOf(q.Kind, q.Tier), q.By, q.Tier, r)
	about.Public = about.Public || q.Kind == approvals.KindAudience
	return about, err
}

// actionOf is what the rules are asked about a release that a request is about.
func actionOf(kind approvals.Kind, tier abi.Tier) string {
	if kind == approvals.KindPromotion || kind == approvals.KindAudience && tier.Rank() >= abi.TierPilot.Rank() {
		return ToPromote
	}
	return ToPublish
}

// countedBy is the policy by which the votes about an open request count for another: the one that holds, as its page
// shows. An approval has renewed the request by that one before; an exemption is never renewed.
func (j *Judge) countedBy(q approvals.Request, approve bool) approvals.Digest {
	if approve || q.Kind == approvals.KindExemption {
		return q.Policy
	}
	return j.policy.Digest()
}

// mayVote returns an error unless an actor, with the credential that was shown, may vote about a request
// as it is, or ask for changes of it. Whoever approved may still do that or reject it, whichever stage waits.
func mayVote(tx state.Reader, now time.Time, actor access.Actor, q approvals.Request, policy approvals.Digest, act access.Act) error {
	q, err := control.CountVotes(tx, q, policy, now)
	if err != nil {
		return err
	}
	if actor.For, err = access.DecidesFor(tx, actor, now); err != nil { // it may have ended since they were let in
		return err
	}
	on := control.OfRequest(q)
	if v, voted := q.VoteOf(actor.User); voted && q.Staged() {
		on.Stages = []access.Concern{access.Concern(v.Concern)}
	}
	return access.May(actor, act, on)
}

// decide casts a vote, and does what follows from the last one.
func (s *Service) decide(tx state.Tx, actor access.Actor, id string, d control.Verdict) (none approvals.Request, err error) {
	was, err := approvals.Undecided(tx, id)
	if err != nil {
		return none, err
	}
	policy := s.countedBy(was, d.Approve)
	q, grant, err := approvals.Decide(tx, id, approvals.Ballot{
		Policy: policy, Approve: d.Approve, Reason: d.Reason, Remedy: d.Remedy, Digest: d.Digest, Concern: d.Concern, By: actor.User, At: s.desk.Now().UTC(),
		Until: d.Until.UTC(), Starts: d.Starts.UTC(), Life: s.policy.Life(was.Tier),
	}, control.VotersOf(tx, was, s.desk.Now()))
	if may := mayVote(tx, s.desk.Now(), actor, was, policy, access.DecideRequest); may != nil && (err == nil || errors.Is(err, approvals.ErrNoVote)) {
		err = may // which says whose the stage is
	}
	if err != nil {
		return none, err
	}
	if err := settleLane(tx, q); err != nil {
		return approvals.Request{}, err
	}
	app, err := tx.App(q.App)
	if err == nil && d.Approve && app.Quarantine != nil {
		err = app.Free()
	}
	if err != nil {
		return approvals.Request{}, err
	}
	if q.Status == approvals.StatusOpen {
		cast := q.Votes[len(q.Votes)-1]
		tx.Emit("request.voted", q.App, id, inPlaceOf(cast, map[string]string{"kind": string(q.Kind), "concern": cast.Concern, "reason": d.Reason, "release": strconv.Itoa(q.Release), "digest": q.Digest}))
		return s.Explain(q, app.Releases), nil
	}
	// What the reviewer was told is kept.
	q.Reaches = s.Explain(q, 0).Reaches
	if err := tx.PutRequest(q); err != nil {
		return approvals.Request{}, err
	}
	detail := map[string]string{"kind": string(q.Kind), "reason": d.Reason, "release": strconv.Itoa(q.Release), "digest": q.Digest}
	if d.Remedy != "" && !d.Approve {
		detail["remedy"] = d.Remedy
	}
	inPlaceOf(q.Votes[len(q.Votes)-1], detail)
	if q.Status == approvals.StatusScheduled {
		detail["starts"] = day(q.Starts)
	}
	tx.Emit("request."+string(q.Status), q.App, id, detail)
	if grant != nil {
		emitGrant(tx, *grant)
	}
	if err := endEmergency(tx, q); err != nil {
		return approvals.Request{}, err
	}
	switch {
	case !d.Approve || q.Status == approvals.StatusScheduled: // whose time is to come
	case q.Kind == approvals.KindPromotion:
		err = s.EnterTier(tx, actor, q)
	case q.Kind == approvals.KindExemption:
		err = s.exempt(tx, app, q)
	case q.Kind == approvals.KindAudience:
		err = s.openToAll(tx, actor, app, q)
	default:
		err = s.activateReviewed(tx, actor, app, q)
	}
	return s.Explain(q, app.Releases), err
}

// inPlaceOf notes in what is told of a vote in whose place it was cast.
func inPlaceOf(v approvals.Vote, detail map[string]string) map[string]string {
	if v.For != "" {
		detail["for"] = v.For
	}
	return detail
}

func emitGrant(tx state.Tx, g approvals.Grant) {
	tx.Emit("grant.added", g.App, g.ID, map[string]string{"capability": g.Capability, "tier": string(g.Tier), "release": strconv.Itoa(g.Reviewed.Release)})
}

// EnterTier grants what a promoted release needs in its new tier, as the reviewer
// saw it, and routes the tier to it.
func (s *Service) EnterTier(tx state.Tx, actor access.Actor, q approvals.Request) error {
	grants, err := approvals.Granted(tx, q, s.policy.Life(q.Tier))
	if err != nil {
		return err
	}
	for _, g := range grants {
		emitGrant(tx, g)
	}
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return err
	}
	if err := apps.Complete(tx, s.policy, s.desk.Now(), r, q.Tier); err != nil {
		return err
	}
	_, err = s.Route(tx, actor, r, q.Tier, "approved in "+q.ID, false)
	return err
}

// activateReviewed routes the sandbox to the release that a request names, once it
// has all it needs. It goes forward alone: a newer release that serves stays.
func (s *Service) activateReviewed(tx state.Tx, actor access.Actor, app registry.App, q approvals.Request) error {
	if q.Tier != abi.TierSandbox || q.Release <= app.Active[abi.TierSandbox] {
		return nil
	}
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return err
	}
	lacks, err := s.missing(tx, r, abi.TierSandbox)
	if err != nil || len(lacks) > 0 {
		return err
	}
	_, err = s.Route(tx, actor, r, abi.TierSandbox, "approved in "+q.ID, false)
	return err
}
