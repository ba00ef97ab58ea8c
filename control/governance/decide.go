package governance

import (
	"context"
	"fmt"
	"slices"
	"strconv"

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
	if !d.Approve {
		_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
			request, err = s.decide(tx, actor, id, d, approvals.Verdict{})
			return err
		})
		return request, err
	}
	if err := s.verifyAsked(ctx, id); err != nil {
		return request, err
	}
	about := func(tx state.Reader) (Question, error) { return asked(tx, id) }
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, _ Question, v approvals.Verdict) (err error) {
		request, err = s.decide(tx, actor, id, d, v)
		return err
	})
	return request, err
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
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return Question{}, fmt.Errorf("release %d of app %q: %w", q.Release, q.App, err)
	}
	if q.Digest != string(r.Digest) {
		return Question{}, fmt.Errorf("request %s was made for %s: %w", id, q.Digest, registry.ErrNotApproved)
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

func (s *Service) decide(tx state.Tx, actor access.Actor, id string, d control.Verdict, v approvals.Verdict) (approvals.Request, error) {
	if d.Approve {
		if err := completed(tx, id); err != nil {
			return approvals.Request{}, err
		}
	}
	q, grant, err := approvals.Decide(tx, id, approvals.Decision{Approve: d.Approve, Reason: d.Reason, Digest: d.Digest, By: actor.User, At: s.desk.Now().UTC(), Policy: v.Policy}, actor.Groups)
	if err != nil {
		return approvals.Request{}, err
	}
	asked := q
	asked.Status = approvals.StatusOpen
	if err := access.May(actor, access.DecideRequest, control.OfRequest(asked)); err != nil {
		return approvals.Request{}, err
	}
	app, err := tx.App(q.App)
	if err != nil {
		return approvals.Request{}, err
	}
	// What the reviewer was told is kept.
	q.Reaches = s.Explain(q, 0).Reaches
	if err := tx.PutRequest(q); err != nil {
		return approvals.Request{}, err
	}
	tx.Emit("request."+string(q.Status), q.App, id, map[string]string{"kind": string(q.Kind), "reason": d.Reason, "release": strconv.Itoa(q.Release), "digest": q.Digest})
	if grant != nil {
		emitGrant(tx, *grant)
	}
	switch {
	case !d.Approve:
	case q.Kind == approvals.KindPromotion:
		err = s.EnterTier(tx, actor, q, v)
	case q.Kind == approvals.KindAudience:
		err = s.openToAll(tx, actor, app, q)
	default:
		err = s.activateReviewed(tx, actor, app, q)
	}
	return s.Explain(q, app.Releases), err
}

func emitGrant(tx state.Tx, g approvals.Grant) {
	tx.Emit("grant.added", g.App, g.ID, map[string]string{"capability": g.Capability, "tier": string(g.Tier), "release": strconv.Itoa(g.Reviewed.Release)})
}

// completed fills in what a request from before requests carried terms is about.
func completed(tx state.Tx, id string) error {
	q, err := approvals.Undecided(tx, id)
	if err != nil || q.Reviewed.Release > 0 {
		return err
	}
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return err
	}
	q.Reviewed = rights.Terms(r)
	return tx.PutRequest(q)
}

// EnterTier grants what a promoted release needs in its new tier, as the reviewer
// saw it, and routes the tier to it.
func (s *Service) EnterTier(tx state.Tx, actor access.Actor, q approvals.Request, v approvals.Verdict) error {
	asked := q.Grants()
	for _, word := range approvals.Capabilities(v.Requires) {
		if !slices.Contains(asked, word) {
			return fmt.Errorf("release %d of app %q needs a grant of %s in the %s tier since %s was asked, which it does not name; its owner takes it back and asks again: %w", q.Release, q.App, word, q.Tier, q.ID, approvals.ErrChanged)
		}
	}
	grants, err := approvals.Granted(tx, q)
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
	if q.Release <= app.Active[abi.TierSandbox] {
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
