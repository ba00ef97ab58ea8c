package host

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/registry"
)

// Promote asks for a release to enter a higher tier.
func (h *Host) Promote(ctx context.Context, name string, number int, to abi.Tier, reason string) (approvals.Request, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper)
	if err != nil {
		return approvals.Request{}, err
	}
	if to.Rank() < abi.TierPilot.Rank() {
		return approvals.Request{}, fmt.Errorf("%w: promotions lead to pilot or production, not to %q", approvals.ErrBadRequest, to)
	}
	app, release, err := h.ownRelease(ctx, actor, name, number)
	if err != nil {
		return approvals.Request{}, err
	}
	findings, err := h.judge(ctx, "promote", actor.User, to, release)
	if err != nil {
		return approvals.Request{}, err
	}
	if refused(findings) {
		return approvals.Request{}, &web.Refusal{Findings: findings}
	}
	var request approvals.Request
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		request, err = approvals.Open(tx, approvals.Request{
			Kind: approvals.KindPromotion, App: app.Name, Owner: app.Owner, Release: number, Digest: string(release.Digest),
			Tier: to, Reason: reason, Findings: findings, By: actor.User, Created: h.o.Now().UTC(),
		})
		if err != nil {
			return err
		}
		tx.Emit("request.opened", app.Name, request.ID, map[string]string{"kind": string(request.Kind), "tier": string(to), "release": strconv.Itoa(number)})
		return nil
	})
	return request, err
}

// ownRelease reads a release that the actor may change.
func (h *Host) ownRelease(ctx context.Context, actor access.Actor, name string, number int) (app registry.App, r registry.Release, err error) {
	err = h.store.View(ctx, func(tx *boltstore.Tx) error {
		if app, err = tx.App(name); err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if err := mayChange(actor, name, app.Owner); err != nil {
			return err
		}
		if r, err = tx.Release(name, number); err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		return nil
	})
	return app, r, err
}

// Decide is a reviewer's verdict with all that follows from it, in one
// transaction: the grants it allows and the route it opens.
func (h *Host) Decide(ctx context.Context, id string, approve bool, reason string) (approvals.Request, error) {
	actor, err := h.allow(ctx, access.RoleReviewer)
	if err != nil {
		return approvals.Request{}, err
	}
	if approve {
		if err := h.stillAllowed(ctx, actor, id); err != nil {
			return approvals.Request{}, err
		}
	}
	var request approvals.Request
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		verdict := approvals.Decision{Approve: approve, Reason: reason, By: actor.User, At: h.o.Now().UTC()}
		var grant *approvals.Grant
		if request, grant, err = approvals.Decide(tx, id, verdict); err != nil {
			return err
		}
		tx.Emit("request."+string(request.Status), request.App, id, map[string]string{"kind": string(request.Kind), "reason": reason})
		if grant != nil {
			tx.Emit("grant.added", request.App, grant.ID, map[string]string{"capability": grant.Capability, "tier": string(grant.Tier)})
		}
		if !approve {
			return nil
		}
		if request.Kind == approvals.KindPromotion {
			return h.enterTier(tx, actor, request)
		}
		return h.activateWaiting(tx, actor, request.App)
	})
	return request, err
}

// stillAllowed asks the rules again when a promotion is about to be approved:
// what was fine when it was asked may not be any more.
func (h *Host) stillAllowed(ctx context.Context, actor access.Actor, id string) error {
	var request approvals.Request
	var release registry.Release
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		if request, err = tx.Request(id); err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		release, err = tx.Release(request.App, request.Release)
		return err
	})
	if err != nil || request.Kind != approvals.KindPromotion || request.Status != approvals.StatusOpen {
		return err // what is not open is refused, with its reason, by approvals.Decide
	}
	if request.Digest != string(release.Digest) {
		return fmt.Errorf("request %s was made for %s: %w", id, request.Digest, registry.ErrNotApproved)
	}
	if err := h.mustVerify(ctx, request.App, request.Release); err != nil {
		return err
	}
	findings, err := h.judge(ctx, "promote", request.By, request.Tier, release)
	if err != nil {
		return err
	}
	if refused(findings) {
		return &web.Refusal{Findings: findings}
	}
	return nil
}

// enterTier grants what a promoted release needs in its new tier, as the
// reviewer saw it in the findings, and routes the tier to it.
func (h *Host) enterTier(tx *boltstore.Tx, actor access.Actor, q approvals.Request) error {
	release, err := tx.Release(q.App, q.Release)
	if err != nil {
		return err
	}
	for _, f := range q.Findings {
		if f.Severity != abi.SeverityReview || f.Subject == "" {
			continue
		}
		grant := approvals.Grant{
			ID: q.ID + "-" + f.Subject, App: q.App, Capability: f.Subject, Tier: q.Tier,
			Params:  release.Manifest.Capabilities[f.Subject].Params(),
			Request: q.ID, By: actor.User, Reason: q.Decision.Reason, Created: q.Decision.At,
		}
		if err := tx.PutGrant(grant); err != nil {
			return err
		}
		tx.Emit("grant.added", q.App, grant.ID, map[string]string{"capability": grant.Capability, "tier": string(grant.Tier)})
	}
	_, err = h.activate(tx, actor.User, q.App, q.Release, q.Tier, "approved in "+q.ID, false)
	return err
}

// activateWaiting routes the sandbox to the newest release that waited for a
// grant and now has all it needs.
func (h *Host) activateWaiting(tx *boltstore.Tx, actor access.Actor, name string) error {
	app, err := tx.App(name)
	if err != nil {
		return err
	}
	for n := app.Releases; n > app.Active[abi.TierSandbox]; n-- {
		t, err := h.newTarget(tx, app, abi.TierSandbox, n)
		if err != nil {
			return err
		}
		if len(t.missing()) == 0 {
			_, err = h.activate(tx, actor.User, name, n, abi.TierSandbox, "", false)
			return err
		}
	}
	return nil
}

// missing are the capabilities that the binary imports and the tier does not link.
func (t *target) missing() []string {
	var missing []string
	for _, word := range t.release.Capabilities {
		if _, ok := t.links[word]; !ok {
			missing = append(missing, word)
		}
	}
	return missing
}

// Withdraw takes one's own request back.
func (h *Host) Withdraw(ctx context.Context, id string) (approvals.Request, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper)
	if err != nil {
		return approvals.Request{}, err
	}
	var request approvals.Request
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		if request, err = approvals.Withdraw(tx, id, actor.User, h.o.Now().UTC()); err != nil {
			return err
		}
		tx.Emit("request.withdrawn", request.App, id, nil)
		return nil
	})
	return request, err
}

// RevokeGrant ends a grant at once. The owner may give a right back; a
// reviewer may take it.
func (h *Host) RevokeGrant(ctx context.Context, id, reason string) (approvals.Grant, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return approvals.Grant{}, err
	}
	var grant approvals.Grant
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		if _, err := h.ownGrant(tx, actor, id); err != nil {
			return err
		}
		if grant, err = approvals.Revoke(tx, id, actor.User, reason, h.o.Now().UTC()); err != nil {
			return err
		}
		tx.Emit("grant.revoked", grant.App, id, map[string]string{"capability": grant.Capability, "reason": reason})
		return nil
	})
	return grant, err
}

// Requests lists requests, newest first.
func (h *Host) Requests(ctx context.Context, f web.RequestFilter) ([]approvals.Request, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var all []approvals.Request
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		all, err = tx.Requests()
		return err
	})
	return slices.DeleteFunc(all, func(q approvals.Request) bool {
		return (f.Status != "" && q.Status != f.Status) || (f.App != "" && q.App != f.App)
	}), err
}

// Request reads one request.
func (h *Host) Request(ctx context.Context, id string) (approvals.Request, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return approvals.Request{}, err
	}
	var q approvals.Request
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		if q, err = tx.Request(id); err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		return nil
	})
	return q, err
}

// Grants lists grants, of one app or of all, newest first.
func (h *Host) Grants(ctx context.Context, app string) ([]approvals.Grant, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var grants []approvals.Grant
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		grants, err = tx.Grants(app)
		return err
	})
	return grants, err
}
