package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Promote asks for a release to enter a higher tier.
func (s *Service) Promote(ctx context.Context, name string, number int, to abi.Tier, reason string) (request approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.AskReview)
	if err != nil {
		return request, err
	}
	if to.Rank() < abi.TierPilot.Rank() {
		return request, fmt.Errorf("%w: promotions lead to pilot or production, not to %q", approvals.ErrBadRequest, to)
	}
	about := func(tx state.Reader) (Question, error) {
		r, err := ownRelease(tx, actor, name, number)
		if err == nil {
			err = mends(tx, name, reason)
		}
		if err != nil {
			return Question{}, err
		}
		return NewQuestion(tx, ToPromote, actor.User, to, r)
	}
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, q Question, v approvals.Verdict) error {
		if request, err = s.newRequest(tx, actor, q.Release, approvals.KindPromotion, to); err != nil {
			return err
		}
		request.Reason, request.Findings, request.Requires, request.Stages, request.Policy = reason, v.Findings, v.Requires, v.Stages, v.Policy
		if request, err = approvals.Open(tx, request); err != nil {
			return err
		}
		var gone []approvals.Request
		if request, gone, err = approvals.Replace(tx, request, s.desk.Now().UTC()); err != nil {
			return err
		}
		replaced(tx, gone)
		tx.Emit("request.opened", name, request.ID, map[string]string{"kind": string(request.Kind), "tier": string(to), "release": strconv.Itoa(number)})
		return nil
	})
	return s.Explain(request, 0), err
}

// mends requires that the promotion of a release of an app in maintenance says what it mends: nothing new comes.
func mends(tx state.Reader, name, reason string) error {
	app, err := tx.App(name)
	if err == nil && app.Maintenance != nil && strings.TrimSpace(reason) == "" {
		err = fmt.Errorf("app %q is in maintenance and gets nothing new; say what the release mends: %w", name, approvals.ErrReasonMissing)
	}
	return err
}

// ownRelease reads a release that the actor may change.
func ownRelease(tx state.Reader, actor access.Actor, name string, number int) (registry.Release, error) {
	app, err := tx.App(name)
	if err != nil {
		return registry.Release{}, fmt.Errorf("app %q: %w", name, err)
	}
	if err := control.MayApp(actor, access.AskReview, app); err != nil {
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
func (s *Service) newRequest(tx state.Reader, actor access.Actor, r registry.Release, kind approvals.Kind, tier abi.Tier) (approvals.Request, error) {
	app, err := tx.App(r.App)
	if err != nil {
		return approvals.Request{}, err
	}
	q := approvals.Request{
		Kind: kind, App: r.App, Owner: app.Owner, CoOwner: app.CoOwner, Group: app.Group, Release: r.Number, Digest: string(r.Digest), Tier: tier,
		By: actor.User, Behalf: actor.Behalf, Created: s.desk.Now().UTC(), Reviewed: rights.Terms(r), Intent: rights.Intent(r),
	}
	q.Since, q.Changes, err = news(tx, r)
	return q, err
}

// news compares a release with the last before it that a reviewer approved or, if there is none, that was asked
// about; since is 0 if there is none either.
func news(tx state.Reader, r registry.Release) (since int, all []approvals.Change, err error) {
	for _, approved := range []bool{true, false} {
		last, err := tx.AskedBefore(r.App, r.Number, approved)
		if err != nil && !errors.Is(err, approvals.ErrNotFound) {
			return 0, nil, err
		}
		if since = last.Release; since > 0 {
			break
		}
	}
	if since == 0 {
		return 0, nil, nil
	}
	was, err := tx.Release(r.App, since)
	return since, changes(was, r), err
}

// OpenRequests asks a reviewer for every capability that a release lacks in the
// sandbox, and returns what it asked. What waits already is not asked again.
func (s *Service) OpenRequests(tx state.Tx, actor access.Actor, r registry.Release, v approvals.Verdict, reason string) (asked []approvals.Request, err error) {
	lacks, err := s.missing(tx, r, abi.TierSandbox)
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	basis, err := s.newRequest(tx, actor, r, approvals.KindGrant, abi.TierSandbox)
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
		q.Capability, q.Params, q.Reason = word, q.Reviewed.Asks[word], reason
		q.Findings, q.Requires, q.Stages, q.Policy = v.About(word), v.Requirements(word), v.Stages, v.Policy
		if q.Reason == "" && len(q.Requires) > 0 {
			q.Reason = q.Requires[0].Reason
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
func (s *Service) AskAgain(ctx context.Context, name string, number int, reason string) ([]approvals.Request, error) {
	actor, err := s.desk.Door(ctx, access.AskReview)
	if err != nil {
		return nil, err
	}
	return s.AskFor(ctx, actor, name, number, reason)
}

// AskFor is AskAgain for a flow that has let the actor in.
func (s *Service) AskFor(ctx context.Context, actor access.Actor, name string, number int, reason string) (asked []approvals.Request, err error) {
	about := func(tx state.Reader) (Question, error) {
		r, err := ownRelease(tx, actor, name, number)
		if err != nil {
			return Question{}, err
		}
		lacks, err := s.missing(tx, r, abi.TierSandbox)
		if err == nil && len(lacks) == 0 {
			err = fmt.Errorf("release %d of app %q has all that it asks for in the sandbox: %w", number, name, approvals.ErrNothingToAsk)
		}
		if err != nil {
			return Question{}, err
		}
		return NewQuestion(tx, ToPublish, actor.User, abi.TierSandbox, r)
	}
	err = s.Judged(ctx, actor.User, about, func(tx state.Tx, q Question, v approvals.Verdict) (err error) {
		asked, err = s.OpenRequests(tx, actor, q.Release, v, reason)
		return err
	})
	for i := range asked {
		asked[i] = s.Explain(asked[i], 0)
	}
	return asked, err
}

// Withdraw takes a request back: one's own, or one that is approved and has not started.
func (s *Service) Withdraw(ctx context.Context, id, reason string) (approvals.Request, error) {
	actor, err := s.desk.Door(ctx, access.WithdrawRequest)
	if err != nil {
		return approvals.Request{}, err
	}
	if err := control.PlainText("reason", reason, maxReason); err != nil {
		return approvals.Request{}, err
	}
	var request approvals.Request
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		asked, err := tx.Request(id)
		if err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		if asked.Status != approvals.StatusScheduled {
			asked.Status = approvals.StatusOpen // of a closed one its state is the better answer
		}
		if request, err = approvals.Withdraw(tx, id, control.PersonOf(actor), reason, s.desk.Now().UTC()); err != nil {
			return err
		}
		if err := access.May(actor, access.WithdrawRequest, control.OfRequest(asked)); err != nil {
			return err
		}
		tx.Emit("request.withdrawn", request.App, id, map[string]string{"reason": reason})
		return endEmergency(tx, request)
	})
	return request, err
}

// Requests lists requests, newest first.
func (s *Service) Requests(ctx context.Context, f control.RequestFilter, p control.Page) (all control.Items[approvals.Request], err error) {
	actor, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode)
	if err != nil {
		return all, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		all, err = requestsIn(s, tx, actor, f.OfOpen(), p)
		return err
	})
	return all, err
}

// requestsIn is Requests in one state, for a filter that says of which status they are.
func requestsIn(s *Service, tx state.Reader, actor access.Actor, f control.RequestFilter, p control.Page) (control.Items[approvals.Request], error) {
	all, err := control.Sift(p, wanted(actor, f, s.desk.Now()), func(p state.Part) (part []approvals.Request, next []byte, err error) {
		if f.Release != 0 {
			part, next, err = tx.ReleaseRequests(f.App, f.Release, p)
		} else {
			part, next, err = tx.RequestsPart(f.App, f.Status, p)
		}
		for i := 0; err == nil && i < len(part); i++ {
			part[i], err = control.CountVotes(tx, part[i], s.policy.Digest(), s.desk.Now())
		}
		return part, next, err
	})
	return all, errors.Join(err, explainAll(s, tx, all.Items))
}

// wanted reports whether a filter wants a request whose votes are counted.
func wanted(actor access.Actor, f control.RequestFilter, now time.Time) func(approvals.Request) bool {
	return func(q approvals.Request) bool {
		return f.Keeps(q) && (!f.Holds || approvals.Exempts(q, now)) && (!f.Mine || control.WaitsFor(actor, q)) && (!f.Overdue || q.Overdue()) && (f.Concern == "" || control.Awaits(q, f.Concern))
	}
}

// explainAll explains each request of a page.
func explainAll(s *Service, tx state.Reader, all []approvals.Request) error {
	newest := map[string]int{}
	for i, q := range all {
		if _, ok := newest[q.App]; !ok {
			app, err := tx.App(q.App)
			if err != nil {
				return fmt.Errorf("app %q: %w", q.App, err)
			}
			newest[q.App] = app.Releases
		}
		all[i] = s.Explain(q, newest[q.App])
	}
	return nil
}

// Waiting counts the open requests of which it is an actor's turn, of as many as one page lists.
func Waiting(tx state.Reader, actor access.Actor, now time.Time) (n int, err error) {
	if !access.Allowed(actor, access.ReadCatalogue, access.TheNode) {
		return 0, nil
	}
	open, _, err := tx.RequestsPart("", approvals.StatusOpen, state.Part{Limit: control.MaxPageLimit})
	for _, q := range open {
		if q, err = control.CountVotes(tx, q, q.Policy, now); err != nil {
			return 0, err
		}
		if control.WaitsFor(actor, q) {
			n++
		}
	}
	return n, err
}

// Request reads one request.
func (s *Service) Request(ctx context.Context, id string) (approvals.Request, error) {
	actor, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode)
	if err != nil {
		return approvals.Request{}, err
	}
	var q approvals.Request
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		q, err = s.RequestIn(tx, actor, id)
		return err
	})
	return q, err
}

// RequestIn is Request in one state.
func (s *Service) RequestIn(tx state.Reader, actor access.Actor, id string) (approvals.Request, error) {
	if err := access.May(actor, access.ReadCatalogue, access.TheNode); err != nil {
		return approvals.Request{}, err
	}
	q, err := tx.Request(id)
	if err != nil {
		return approvals.Request{}, fmt.Errorf("request %q: %w", id, err)
	}
	app, err := tx.App(q.App)
	if err != nil {
		return q, err
	}
	q, err = control.CountVotes(tx, q, s.policy.Digest(), s.desk.Now())
	return s.Explain(q, app.Releases), err
}

// Explain fills in what a reader of a request is told: which releases a grant would
// reach, and whether a newer release is there than the one that is asked about.
func (s *Service) Explain(q approvals.Request, newest int) approvals.Request {
	if newest > q.Release {
		q.Newer = newest
	}
	q.Turn = q.WaitsFor() // which those from before there were turns do not say
	if q.Staged() {
		q.Progress = q.Tallies()
	}
	if q.Reaches != "" {
		return q // as it was said when it was decided
	}
	if q.Kind == approvals.KindExemption {
		if q.Reaches = fmt.Sprintf("every release in the %s tier", q.Tier); q.Exemption.Bound {
			q.Reaches = fmt.Sprintf("release %d in the %s tier", q.Release, q.Tier)
		}
		return q
	}
	if q.Kind == approvals.KindAudience {
		q.Reaches = fmt.Sprintf("release %d and every later one that serves the %s tier", q.Release, q.Tier)
		return q
	}
	q.Reaches = reaches(approvals.Reach{}, q.Release) // a promotion
	if q.Kind == approvals.KindGrant || len(q.Requires) > 0 {
		q.Reaches = reaches(s.policy.Reach(q.Tier), q.Release)
	}
	return q
}

// reached says which releases a grant reaches.
func (s *Service) reached(g approvals.Grant) string {
	if g.Emergency {
		return reaches(approvals.Reach{}, g.Reviewed.Release)
	}
	return reaches(s.policy.Reach(g.Tier), g.Reviewed.Release)
}

// reaches says which releases a grant reaches that is about one.
func reaches(rule approvals.Reach, release int) string {
	return fmt.Sprintf("release %d%s", release, strings.TrimPrefix(rule.String(), "the reviewed release"))
}
