package node

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
	"github.com/agora-host/agora/state/rights"
)

// Promote asks for a release to enter a higher tier.
func (h *Node) Promote(ctx context.Context, name string, number int, to abi.Tier, reason string) (request approvals.Request, err error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper)
	if err != nil {
		return request, err
	}
	if to.Rank() < abi.TierPilot.Rank() {
		return request, fmt.Errorf("%w: promotions lead to pilot or production, not to %q", approvals.ErrBadRequest, to)
	}
	about := func(tx state.Reader) (question, error) {
		r, err := ownRelease(tx, actor, name, number)
		return question{"promote", actor.User, to, r}, err
	}
	err = h.judged(ctx, actor.User, about, func(tx state.Tx, q question, v approvals.Verdict) error {
		if request, err = h.newRequest(tx, actor, q.release, approvals.KindPromotion, to); err != nil {
			return err
		}
		request.Reason, request.Findings, request.Requires = reason, v.Findings, v.Requires
		if request, err = approvals.Open(tx, request); err != nil {
			return err
		}
		tx.Emit("request.opened", name, request.ID, map[string]string{"kind": string(request.Kind), "tier": string(to), "release": strconv.Itoa(number)})
		return nil
	})
	return h.explain(request, 0), err
}

// ownRelease reads a release that the actor may change.
func ownRelease(tx state.Reader, actor access.Actor, name string, number int) (registry.Release, error) {
	app, err := tx.App(name)
	if err != nil {
		return registry.Release{}, fmt.Errorf("app %q: %w", name, err)
	}
	if err := control.MayChange(actor, app); err != nil {
		return registry.Release{}, err
	}
	r, err := tx.Release(name, number)
	if err != nil {
		return r, fmt.Errorf("release %d of app %q: %w", number, name, err)
	}
	return r, registry.StillTrusted(tx, r)
}

// newRequest is a request about a release, with what changed since the last one
// that a reviewer approved or, if there is none, that was asked about.
func (h *Node) newRequest(tx state.Reader, actor access.Actor, r registry.Release, kind approvals.Kind, tier abi.Tier) (approvals.Request, error) {
	app, err := tx.App(r.App)
	if err != nil {
		return approvals.Request{}, err
	}
	q := approvals.Request{
		Kind: kind, App: r.App, Owner: app.Owner, Release: r.Number, Digest: string(r.Digest), Tier: tier,
		By: actor.User, Created: h.o.Now().UTC(), Reviewed: rights.Terms(r),
	}
	for _, approved := range []bool{true, false} {
		last, err := tx.AskedBefore(r.App, r.Number, approved)
		if err != nil && !errors.Is(err, approvals.ErrNotFound) {
			return q, err
		}
		if q.Since = last.Release; q.Since > 0 {
			break
		}
	}
	if q.Since == 0 {
		return q, nil
	}
	was, err := tx.Release(r.App, q.Since)
	q.Changes = changes(was, r)
	return q, err
}

// openRequests asks a reviewer for every capability that a release lacks in the
// sandbox, and returns what it asked. What waits already is not asked again.
func (h *Node) openRequests(tx state.Tx, actor access.Actor, r registry.Release, v approvals.Verdict, reason string) (asked []approvals.Request, err error) {
	lacks, err := h.missing(tx, r, abi.TierSandbox)
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	basis, err := h.newRequest(tx, actor, r, approvals.KindGrant, abi.TierSandbox)
	if err != nil {
		return nil, err
	}
	known, _, err := tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	waits := 0
	for _, word := range lacks {
		q := basis
		q.Capability, q.Params, q.Findings, q.Reason = word, q.Reviewed.Asks[word], v.About(word), reason
		if q.Reason == "" && len(q.Findings) > 0 {
			q.Reason = q.Findings[0].Message
		}
		if i := slices.IndexFunc(known, func(k approvals.Request) bool {
			return k.Tier == q.Tier && k.Capability == word
		}); i >= 0 {
			q.Replaces = known[i].ID
		}
		q, err = approvals.Open(tx, q)
		if errors.Is(err, approvals.ErrAlreadyRequested) {
			waits++
			continue
		}
		if err != nil {
			return nil, err
		}
		tx.Emit("request.opened", r.App, q.ID, map[string]string{"kind": string(q.Kind), "capability": word, "release": strconv.Itoa(r.Number)})
		asked = append(asked, q)
	}
	if waits == len(lacks) {
		return nil, fmt.Errorf("release %d of app %q waits for %s: %w", r.Number, r.App, strings.Join(lacks, " and "), approvals.ErrAlreadyRequested)
	}
	return asked, nil
}

// AskAgain asks for what a release lacks in the sandbox and nothing waits for:
// because it was rejected, withdrawn or revoked, or because a rule has changed.
func (h *Node) AskAgain(ctx context.Context, name string, number int, reason string) ([]approvals.Request, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	return h.askFor(ctx, actor, name, number, reason)
}

func (h *Node) askFor(ctx context.Context, actor access.Actor, name string, number int, reason string) (asked []approvals.Request, err error) {
	about := func(tx state.Reader) (question, error) {
		r, err := ownRelease(tx, actor, name, number)
		if err != nil {
			return question{}, err
		}
		lacks, err := h.missing(tx, r, abi.TierSandbox)
		if err == nil && len(lacks) == 0 {
			err = fmt.Errorf("release %d of app %q has all that it asks for in the sandbox: %w", number, name, approvals.ErrNothingToAsk)
		}
		return question{"publish", actor.User, abi.TierSandbox, r}, err
	}
	err = h.judged(ctx, actor.User, about, func(tx state.Tx, q question, v approvals.Verdict) (err error) {
		asked, err = h.openRequests(tx, actor, q.release, v, reason)
		return err
	})
	for i := range asked {
		asked[i] = h.explain(asked[i], 0)
	}
	return asked, err
}

// Decide is a reviewer's verdict with all that follows from it, in one
// transaction: the grants it allows and the route it opens. An approval is judged
// by the rules once more: what was fine when it was asked may not be any more.
func (h *Node) Decide(ctx context.Context, id string, d control.Verdict) (request approvals.Request, err error) {
	actor, err := h.desk.Allow(ctx, access.RoleReviewer)
	if err != nil {
		return request, err
	}
	if !d.Approve {
		_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
			request, err = h.decide(tx, actor, id, d, approvals.Verdict{})
			return err
		})
		return request, err
	}
	if err := h.verifyAsked(ctx, id); err != nil {
		return request, err
	}
	about := func(tx state.Reader) (question, error) { return asked(tx, id) }
	err = h.judged(ctx, actor.User, about, func(tx state.Tx, _ question, v approvals.Verdict) (err error) {
		request, err = h.decide(tx, actor, id, d, v)
		return err
	})
	return request, err
}

// verifyAsked verifies the release that a promotion is about, before it is approved.
func (h *Node) verifyAsked(ctx context.Context, id string) error {
	var q approvals.Request
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		q, err = approvals.Undecided(tx, id)
		return err
	})
	if err != nil || q.Kind != approvals.KindPromotion {
		return err
	}
	return h.mustVerify(ctx, q.App, q.Release)
}

// asked is what the rules are asked about a request that is to be approved.
func asked(tx state.Reader, id string) (question, error) {
	q, err := approvals.Undecided(tx, id)
	if err != nil {
		return question{}, err
	}
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return question{}, fmt.Errorf("release %d of app %q: %w", q.Release, q.App, err)
	}
	if q.Digest != string(r.Digest) {
		return question{}, fmt.Errorf("request %s was made for %s: %w", id, q.Digest, registry.ErrNotApproved)
	}
	action := "publish"
	if q.Kind == approvals.KindPromotion {
		action = "promote"
	}
	return question{action, q.By, q.Tier, r}, nil
}

func (h *Node) decide(tx state.Tx, actor access.Actor, id string, d control.Verdict, v approvals.Verdict) (approvals.Request, error) {
	if d.Approve {
		if err := completed(tx, id); err != nil {
			return approvals.Request{}, err
		}
	}
	q, grant, err := approvals.Decide(tx, id, approvals.Decision{Approve: d.Approve, Reason: d.Reason, Digest: d.Digest, By: actor.User, At: h.o.Now().UTC()})
	if err != nil {
		return approvals.Request{}, err
	}
	app, err := tx.App(q.App)
	if err != nil {
		return approvals.Request{}, err
	}
	// What the reviewer was told is kept.
	q.Reaches = h.explain(q, 0).Reaches
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
		err = h.enterTier(tx, actor, q, v)
	default:
		err = h.activateReviewed(tx, actor, app, q)
	}
	return h.explain(q, app.Releases), err
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

// enterTier grants what a promoted release needs in its new tier, as the reviewer
// saw it, and routes the tier to it.
func (h *Node) enterTier(tx state.Tx, actor access.Actor, q approvals.Request, v approvals.Verdict) error {
	for _, word := range v.Requires {
		if !slices.Contains(q.Requires, word) {
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
	if err := apps.Complete(tx, h.policy, h.o.Now(), r, q.Tier); err != nil {
		return err
	}
	_, err = h.activate(tx, actor.User, r, q.Tier, "approved in "+q.ID, false)
	return err
}

// activateReviewed routes the sandbox to the release that a request names, once it
// has all it needs. It goes forward alone: a newer release that serves stays.
func (h *Node) activateReviewed(tx state.Tx, actor access.Actor, app registry.App, q approvals.Request) error {
	if q.Release <= app.Active[abi.TierSandbox] {
		return nil
	}
	r, err := tx.Release(q.App, q.Release)
	if err != nil {
		return err
	}
	lacks, err := h.missing(tx, r, abi.TierSandbox)
	if err != nil || len(lacks) > 0 {
		return err
	}
	_, err = h.activate(tx, actor.User, r, abi.TierSandbox, "approved in "+q.ID, false)
	return err
}

// Withdraw takes one's own request back.
func (h *Node) Withdraw(ctx context.Context, id string) (approvals.Request, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper)
	if err != nil {
		return approvals.Request{}, err
	}
	var request approvals.Request
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if request, err = approvals.Withdraw(tx, id, actor.User, h.o.Now().UTC()); err != nil {
			return err
		}
		tx.Emit("request.withdrawn", request.App, id, nil)
		return nil
	})
	return request, err
}

// RevokeGrant ends a grant at once, or with all every grant of the same capability
// of its app. The owner may give a right back; a reviewer may take it. It says what
// still allows the capability.
func (h *Node) RevokeGrant(ctx context.Context, id, reason string, all bool) (done control.Revoked, err error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return done, err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		done = control.Revoked{}
		grant, err := h.ownGrant(tx, actor, id)
		if err != nil {
			return err
		}
		if done.Grant, err = h.revoke(tx, actor, grant, reason); err != nil {
			return err
		}
		others, err := rights.Grants(tx, grant.App)
		if err != nil {
			return err
		}
		for _, g := range others {
			if g.Capability != grant.Capability || !g.Live(h.o.Now()) {
				continue
			}
			if !all {
				g.Reaches = reaches(h.policy.Reach(g.Tier), g.Reviewed.Release)
				done.Still = append(done.Still, g)
				continue
			}
			if _, err := h.revoke(tx, actor, g, reason); err != nil {
				return err
			}
			done.Also = append(done.Also, g.ID)
		}
		for _, tier := range abi.Tiers() {
			if slices.Contains(h.policy.DefaultCapabilities(tier), grant.Capability) {
				done.Default = append(done.Default, tier)
			}
		}
		return nil
	})
	return done, err
}

func (h *Node) revoke(tx state.Tx, actor access.Actor, g approvals.Grant, reason string) (approvals.Grant, error) {
	was := g.Revoked
	g, err := approvals.Revoke(tx, g.ID, actor.User, reason, h.o.Now().UTC())
	if err == nil && was.IsZero() {
		tx.Emit("grant.revoked", g.App, g.ID, map[string]string{"capability": g.Capability, "reason": reason})
	}
	return g, err
}

// Requests lists requests, newest first.
func (h *Node) Requests(ctx context.Context, f control.RequestFilter, p control.Page) (all control.Items[approvals.Request], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return all, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		all, err = control.Part(p, func(p state.Part) ([]approvals.Request, []byte, error) {
			if f.Release != 0 {
				return tx.ReleaseRequests(f.App, f.Release, p)
			}
			return tx.RequestsPart(f.App, f.Status, p)
		})
		if err != nil {
			return err
		}
		newest := map[string]int{}
		for i, q := range all.Items {
			if _, ok := newest[q.App]; !ok {
				app, err := tx.App(q.App)
				if err != nil {
					return fmt.Errorf("app %q: %w", q.App, err)
				}
				newest[q.App] = app.Releases
			}
			all.Items[i] = h.explain(q, newest[q.App])
		}
		return nil
	})
	return all, err
}

// decidable counts the open requests that an actor may decide, up to as many as one page lists.
func decidable(tx state.Reader, actor access.Actor) (n int, err error) {
	if !actor.Has(access.RoleReviewer) {
		return 0, nil
	}
	open, _, err := tx.RequestsPart("", approvals.StatusOpen, state.Part{Limit: control.MaxPageLimit})
	for _, q := range open {
		if q.DecidableBy(actor.User) {
			n++
		}
	}
	return n, err
}

// Request reads one request.
func (h *Node) Request(ctx context.Context, id string) (approvals.Request, error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return approvals.Request{}, err
	}
	var q approvals.Request
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		if q, err = tx.Request(id); err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		app, err := tx.App(q.App)
		q = h.explain(q, app.Releases)
		return err
	})
	return q, err
}

// explain fills in what a reader of a request is told: which releases a grant would
// reach, and whether a newer release is there than the one that is asked about.
func (h *Node) explain(q approvals.Request, newest int) approvals.Request {
	if newest > q.Release {
		q.Newer = newest
	}
	if q.Reaches != "" {
		return q // as it was said when it was decided
	}
	q.Reaches = reaches(approvals.Reach{}, q.Release) // a promotion
	if q.Kind == approvals.KindGrant || len(q.Requires) > 0 {
		q.Reaches = reaches(h.policy.Reach(q.Tier), q.Release)
	}
	return q
}

// reaches says which releases a grant reaches that is about one.
func reaches(rule approvals.Reach, release int) string {
	return fmt.Sprintf("release %d%s", release, strings.TrimPrefix(rule.String(), "the reviewed release"))
}

// Grants lists grants, of one app or of all, newest first.
func (h *Node) Grants(ctx context.Context, name string, p control.Page) (grants control.Items[approvals.Grant], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return grants, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		grants, err = control.Part(p, func(p state.Part) ([]approvals.Grant, []byte, error) { return tx.GrantsPart(name, p) })
		if err != nil {
			return err
		}
		serving := map[string][]approvals.Serving{} // by grant
		seen := map[string]bool{}
		for i := range grants.Items {
			g := &grants.Items[i]
			if err := errors.Join(rights.FillReviewed(tx, g), ctx.Err()); err != nil {
				return err
			}
			if !seen[g.App] {
				seen[g.App] = true
				if err := h.serving(tx, g.App, serving); err != nil {
					return err
				}
			}
			g.Reaches = reaches(h.policy.Reach(g.Tier), g.Reviewed.Release)
		}
		for i, g := range grants.Items {
			grants.Items[i].Serving = serving[g.ID]
		}
		return nil
	})
	return grants, err
}

// serving notes, by grant, which releases of an app serve with it.
func (h *Node) serving(tx state.Reader, name string, by map[string][]approvals.Serving) error {
	app, err := tx.App(name)
	if err != nil {
		return fmt.Errorf("app %q: %w", name, err)
	}
	for _, tier := range abi.Tiers() {
		n := app.Active[tier]
		if n == 0 {
			continue
		}
		r, err := tx.Release(name, n)
		if err != nil {
			return err
		}
		rights, err := h.rights(tx, r, tier)
		if err != nil {
			return err
		}
		for _, right := range rights {
			if right.Grant != nil {
				by[right.Grant.ID] = append(by[right.Grant.ID], approvals.Serving{Tier: tier, Release: n, How: right.How})
			}
		}
	}
	return nil
}
