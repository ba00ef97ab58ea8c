package governance

import (
	"context"
	"fmt"
	"strconv"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Lives carries grants beyond their first end, and makes those that come before their review.
type Lives struct {
	*Judge
	service *Service // whose grants they are
}

// NewLives makes a Lives of a service.
func NewLives(s *Service) *Lives { return &Lives{s.Judge, s} }

// RenewGrant asks for a grant anew, before its end or after it: in its tier, for the release that serves there. Once
// that is approved the new grant allows what the old one did, without a gap between the two.
func (s *Lives) RenewGrant(ctx context.Context, id, reason string) (request approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.AskReview)
	if err != nil {
		return request, err
	}
	if err := control.PlainText("reason", reason, maxReason); err != nil {
		return request, err
	}
	var grant approvals.Grant
	about := func(tx state.Reader) (q Question, err error) {
		var r registry.Release
		if grant, r, err = s.renewable(tx, actor, id); err != nil {
			return q, err
		}
		return NewQuestion(tx, actionOf(approvals.KindGrant, grant.Tier), actor.User, grant.Tier, r)
	}
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, of Question, v approvals.Verdict) error {
		q, err := s.service.newRequest(tx, actor, of.Release, approvals.KindGrant, grant.Tier)
		if err != nil {
			return err
		}
		word := grant.Capability
		q.Capability, q.Params, q.Reason, q.Renews = word, q.Reviewed.Asks[word], reason, grant.ID
		q.Findings, q.Requires, q.Stages, q.Policy = v.About(word), v.Requirements(word), v.Stages, v.Policy
		if request, err = approvals.Open(tx, q); err != nil {
			return err
		}
		tx.Emit("request.opened", q.App, request.ID, map[string]string{"kind": string(q.Kind), "tier": string(q.Tier), "capability": word, "release": strconv.Itoa(q.Release)})
		return nil
	})
	return s.service.Explain(request, 0), err
}

// renewable reads a grant that can be asked for anew, and the release that would have it.
func (s *Lives) renewable(tx state.Reader, actor access.Actor, id string) (g approvals.Grant, r registry.Release, err error) {
	if g, err = tx.Grant(id); err != nil {
		return g, r, fmt.Errorf("grant %q: %w", id, err)
	}
	app, err := tx.App(g.App)
	if err != nil {
		return g, r, err
	}
	number := app.Active[g.Tier]
	if number == 0 {
		number = g.Reviewed.Release
	}
	if r, err = ownRelease(tx, actor, g.App, number); err != nil {
		return g, r, err
	}
	if _, asks := r.Manifest.Capabilities[g.Capability]; !asks {
		return g, r, fmt.Errorf("release %d of app %q, which the grant would be for, does not ask for %s: %w", number, g.App, g.Capability, approvals.ErrNothingToAsk)
	}
	if g.Live(s.desk.Now()) && g.Expires.IsZero() {
		return g, r, fmt.Errorf("grant %s has no end: %w", id, approvals.ErrNothingToAsk)
	}
	others, err := tx.Grants(g.App)
	for _, o := range others {
		if o.Outlives(g, s.desk.Now()) {
			return g, r, fmt.Errorf("%s allows it already, and longer than %s: %w", o.ID, id, approvals.ErrNothingToAsk)
		}
	}
	return g, r, err
}

// CertifyGrant is a reviewer's word that a grant is still needed, with which it lives on for as long as the rules
// of its tier let it before the next.
func (s *Lives) CertifyGrant(ctx context.Context, id, reason string) (grant approvals.Grant, err error) {
	actor, err := s.desk.Door(ctx, access.CertifyGrant)
	if err != nil {
		return grant, err
	}
	if err := control.PlainText("reason", reason, maxReason); err != nil {
		return grant, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		g, err := tx.Grant(id)
		if err != nil {
			return fmt.Errorf("grant %q: %w", id, err)
		}
		app, err := tx.App(g.App)
		if err != nil {
			return err
		}
		q, err := tx.Request(g.Request)
		if err != nil {
			return err
		}
		if err := access.May(actor, access.CertifyGrant, control.OfGrant(g, q, app)); err != nil {
			return err
		}
		if grant, err = approvals.Certify(tx, id, actor.User, reason, s.policy.Life(g.Tier), s.desk.Now().UTC()); err != nil {
			return err
		}
		detail := map[string]string{"capability": grant.Capability, "tier": string(grant.Tier), "reason": reason}
		if !grant.Expires.IsZero() {
			detail["until"] = day(grant.Expires)
		}
		grant.Reaches = s.service.reached(grant)
		tx.Emit("grant.certified", grant.App, id, detail)
		return nil
	})
	return grant, err
}
