package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// BreakGlass allows a release a capability that it lacks in a tier, for hours and before the review, which is asked
// for in the same change. It lifts that one review and nothing else: the signature, the promotion and what the rules
// deny stand as they are.
func (s *Lives) BreakGlass(ctx context.Context, name string, e control.Emergency) (made control.BrokenGlass, err error) {
	actor, err := s.desk.Door(ctx, access.GrantEmergency)
	if err != nil {
		return made, err
	}
	if err := control.PlainText("reason", e.Reason, maxReason); err != nil {
		return made, err
	}
	about := func(tx state.Reader) (Question, error) {
		r, err := s.breakable(tx, actor, name, e)
		if err != nil {
			return Question{}, err
		}
		return NewQuestion(tx, actionOf(approvals.KindGrant, e.Tier), actor.User, e.Tier, r)
	}
	if err := s.desk.View(ctx, func(tx state.Reader) error { _, err := about(tx); return err }); err != nil {
		return made, err // before the module is read, which takes a while
	}
	if err := s.service.mustVerify(ctx, name, e.Release); err != nil {
		return made, err
	}
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, of Question, v approvals.Verdict) error {
		made = control.BrokenGlass{}
		q, err := s.service.newRequest(tx, actor, of.Release, approvals.KindGrant, e.Tier)
		if err != nil {
			return err
		}
		q.Capability, q.Params, q.Reason = e.Capability, q.Reviewed.Asks[e.Capability], e.Reason
		q.Findings, q.Requires, q.Stages, q.Policy = v.About(e.Capability), v.Requirements(e.Capability), v.Stages, v.Policy
		var gone []approvals.Request
		if made.Request, made.Grant, gone, err = approvals.BreakGlass(tx, q, e.Hours, s.policy.Life(e.Tier)); err != nil {
			return err
		}
		replaced(tx, gone)
		detail := map[string]string{"kind": string(q.Kind), "tier": string(q.Tier), "capability": q.Capability, "release": strconv.Itoa(q.Release)}
		tx.Emit("request.opened", q.App, made.Request.ID, detail)
		tx.Emit("grant.emergency", q.App, made.Grant.ID, map[string]string{
			"capability": q.Capability, "tier": string(q.Tier), "release": strconv.Itoa(q.Release), "until": day(made.Grant.Expires), "request": made.Request.ID, "reason": e.Reason,
		})
		made.Routed, err = s.routeComplete(tx, actor, of.Release, e.Tier, made.Grant.ID)
		return err
	})
	if err != nil {
		return control.BrokenGlass{}, err
	}
	made.Request, made.Grant.Reaches = s.service.Explain(made.Request, 0), s.service.reached(made.Grant)
	return made, nil
}

// breakable reads the release of an emergency, for an actor who may break the glass.
func (s *Lives) breakable(tx state.Reader, actor access.Actor, name string, e control.Emergency) (r registry.Release, err error) {
	app, err := tx.App(name)
	if err != nil {
		return r, fmt.Errorf("app %q: %w", name, err)
	}
	if err := control.MayApp(actor, access.GrantEmergency, app); err != nil {
		return r, err
	}
	switch {
	case !slices.Contains(abi.Tiers(), e.Tier):
		return r, fmt.Errorf("%w: %q is no tier", approvals.ErrBadRequest, e.Tier)
	case s.policy.Life(e.Tier).EmergencyHours == 0:
		return r, fmt.Errorf("%s, tier %s: %w", name, e.Tier, approvals.ErrEmergencyOff)
	case strings.TrimSpace(e.Reason) == "":
		return r, fmt.Errorf("say what the emergency is; reviewers read it: %w", approvals.ErrReasonMissing)
	}
	if r, err = tx.Release(name, e.Release); err != nil {
		return r, fmt.Errorf("release %d of app %q: %w", e.Release, name, err)
	}
	if err := errors.Join(registry.StillTrusted(tx, r), apps.Promoted(tx, r, e.Tier)); err != nil {
		return r, err
	}
	if _, asks := r.Manifest.Capabilities[e.Capability]; !asks {
		return r, fmt.Errorf("%w: release %d of app %q does not ask for %q", approvals.ErrBadRequest, r.Number, name, e.Capability)
	}
	have, err := s.rights(tx, r, e.Tier)
	if err != nil {
		return r, err
	}
	if right, has := have[e.Capability]; has {
		by := "the rules of the tier"
		if right.Grant != nil {
			by = right.Grant.ID
		}
		return r, fmt.Errorf("release %d of app %q has %s in the %s tier, by %s: %w", r.Number, name, e.Capability, e.Tier, by, approvals.ErrNothingToAsk)
	}
	trusted := func(q approvals.Request) bool { return actor.Has(access.RoleOperator) && q.By != actor.User }
	return r, approvals.MayBreakGlass(tx, name, e.Capability, trusted, s.desk.Now())
}

// routeComplete routes a tier to a release that has all that it needs there now, and reports whether it did. A newer
// release that serves stays.
func (s *Lives) routeComplete(tx state.Tx, actor access.Actor, r registry.Release, tier abi.Tier, why string) (bool, error) {
	app, err := tx.App(r.App)
	if err != nil || r.Number <= app.Active[tier] {
		return false, err
	}
	lacks, err := s.missing(tx, r, tier)
	if err != nil || len(lacks) > 0 {
		return false, err
	}
	_, err = s.service.Route(tx, actor, r, tier, "allowed in an emergency by "+why, false)
	return err == nil, err
}

// endEmergency ends what was allowed before a review that is over now.
func endEmergency(tx state.Tx, q approvals.Request) error {
	g, err := approvals.EndEmergency(tx, q)
	if err != nil || g == nil {
		return err
	}
	if q.Status == approvals.StatusApproved {
		tx.Emit("grant.replaced", g.App, g.ID, map[string]string{"capability": g.Capability, "tier": string(g.Tier), "by": "grant-" + strings.TrimPrefix(q.ID, "req-")})
		return nil
	}
	tx.Emit("grant.revoked", g.App, g.ID, map[string]string{"capability": g.Capability, "reason": g.RevokedFor})
	return nil
}
