package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// maxParts bounds how many requests are decided in one transaction.
const maxParts = 100

// part is one request of those that are decided together, and the verdict about it.
type part struct {
	asked   approvals.Request
	tag     string // of the request that the reviewer looked at, "" for whichever it is
	verdict control.Verdict
}

// Together casts votes about several requests of one release in one transaction.
type Together struct {
	*Judge
	service *Service // whose requests they are
}

// NewTogether makes a Together of a service.
func NewTogether(s *Service) *Together { return &Together{s.Judge, s} }

// DecideRelease is Decide about several requests of one release, in one transaction: all of them are
// decided, or none. Each keeps its own votes, stages and events, as if it had been decided by itself, one
// after the other in their order. The rules judge all of them as things are before the first.
func (s *Together) DecideRelease(ctx context.Context, name string, number int, d control.ReleaseVerdict) (decided []approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.DecideRequest)
	if err != nil {
		return nil, err
	}
	if err := checkParts(d); err != nil {
		return nil, err
	}
	choose := func(tx state.Reader) ([]part, error) { return s.parts(tx, actor, name, number, d) }
	if decided, err = s.decideParts(ctx, actor, choose); err != nil {
		return nil, fmt.Errorf("nothing that release %d of app %q asks for was decided: %w", number, name, err)
	}
	return decided, nil
}

func checkParts(d control.ReleaseVerdict) error {
	if len(d.Parts) > maxParts {
		return fmt.Errorf("%w: at most %d requests are decided at once, and you sent %d", approvals.ErrBadRequest, maxParts, len(d.Parts))
	}
	err := checkTexts(d.Verdict)
	seen := map[string]bool{}
	for _, p := range d.Parts {
		if seen[p.ID] {
			return fmt.Errorf("%w: %q is there twice, and is decided once", approvals.ErrBadRequest, p.ID)
		}
		if p.Approve == nil && (p.Reason != "" || p.Remedy != "") {
			return fmt.Errorf("%w: %q has a reason of its own and no verdict; say approve with it", approvals.ErrBadRequest, p.ID)
		}
		seen[p.ID] = true
		err = errors.Join(err, checkTexts(d.About(p)))
	}
	return err
}

// parts are the requests that a verdict is about, in the order in which they are decided: that of the
// verdict, or else the oldest first.
func (s *Together) parts(tx state.Reader, actor access.Actor, app string, release int, d control.ReleaseVerdict) (all []part, err error) {
	if _, err := tx.Release(app, release); err != nil {
		return nil, fmt.Errorf("release %d of app %q: %w", release, app, err)
	}
	for _, p := range d.Parts {
		q, err := approvals.Undecided(tx, p.ID)
		if err != nil {
			return nil, err
		}
		if q.App != app || q.Release != release {
			return nil, fmt.Errorf("%w: %s is about release %d of app %q", approvals.ErrBadRequest, q.ID, q.Release, q.App)
		}
		if q.Kind == approvals.KindExemption {
			return nil, fmt.Errorf("%w: %s asks for an exemption, which is decided by itself", approvals.ErrBadRequest, q.ID)
		}
		all = append(all, part{q, p.Tag, d.About(p)})
	}
	if len(all) > 0 {
		return all, nil
	}
	known, _, err := tx.ReleaseRequests(app, release, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	slices.Reverse(known)
	var mine []part
	for _, q := range known {
		if q.Status != approvals.StatusOpen || q.Kind == approvals.KindExemption {
			continue
		}
		one := part{asked: q, verdict: d.Verdict}
		may, err := s.decidable(tx, actor, q, d.Approve)
		if err != nil {
			return nil, err
		}
		if all = append(all, one); may {
			mine = append(mine, one)
		}
	}
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("no request about it is open: %w", approvals.ErrAlreadyDecided)
	case len(mine) == 0:
		return all[:1], nil // deciding about it says why not
	case len(mine) > maxParts:
		return nil, fmt.Errorf("%w: %d requests are open, and at most %d are decided at once; name which", approvals.ErrBadRequest, len(mine), maxParts)
	}
	return mine, nil
}

// decidable reports whether an actor may approve, or reject, an open request now.
func (s *Together) decidable(tx state.Reader, actor access.Actor, q approvals.Request, approve bool) (bool, error) {
	policy := s.countedBy(q, approve)
	if mayVote(tx, s.desk.Now(), actor, q, policy, access.DecideRequest) != nil {
		return false, nil
	}
	q, err := control.CountVotes(tx, q, policy, s.desk.Now())
	return !approve || control.Approvable(actor, q), err
}

func (s *Together) decideParts(ctx context.Context, actor access.Actor, choose func(state.Reader) ([]part, error)) (decided []approvals.Request, err error) {
	if err := s.verifyParts(ctx, choose); err != nil {
		return nil, err
	}
	about := func(tx state.Reader) (all []Question, err error) {
		parts, err := choose(tx)
		for _, p := range parts {
			if !p.verdict.Approve {
				continue
			}
			q, err := asked(tx, p.asked.ID)
			if err != nil {
				return nil, err
			}
			all = append(all, q)
		}
		return all, err
	}
	var changed error // of requests that are others now, which is what is stored instead of any vote
	err = s.JudgedAll(ctx, actor.User, about, func(tx state.Tx, of []Question, v []approvals.Verdict) error {
		decided, changed = nil, nil // the transaction may run more than once
		parts, err := choose(tx)
		if err != nil {
			return err
		}
		if err := s.asSeen(tx, actor, parts); err != nil {
			return err
		}
		if !slices.ContainsFunc(parts, func(p part) bool { return p.verdict.Starts.IsZero() || p.asked.Kind == approvals.KindPromotion }) {
			return fmt.Errorf("%w: none of them is a promotion, which alone can start later; leave the time out", approvals.ErrBadRequest)
		}
		if changed, err = s.renewParts(tx, actor, parts, of, v); err != nil || changed != nil {
			return err
		}
		for _, p := range parts {
			if len(p.asked.Grants()) == 0 {
				p.verdict.Until = time.Time{} // of the parts that grant something
			}
			if p.asked.Kind != approvals.KindPromotion {
				p.verdict.Starts = time.Time{} // likewise
			}
			q, err := s.service.decide(tx, actor, p.asked.ID, p.verdict)
			if err != nil {
				return fmt.Errorf("%s: %w", p.asked.ID, err)
			}
			decided = append(decided, q)
		}
		return nil
	})
	if err == nil {
		err = changed
	}
	return decided, err
}

// verifyParts verifies each release once more of which a promotion is to be approved.
func (s *Together) verifyParts(ctx context.Context, choose func(state.Reader) ([]part, error)) error {
	var all []part
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		all, err = choose(tx)
		return err
	})
	if err != nil {
		return err
	}
	type release struct {
		app    string
		number int
	}
	verified := map[release]bool{}
	for _, p := range all {
		of := release{p.asked.App, p.asked.Release}
		if !p.verdict.Approve || p.asked.Kind != approvals.KindPromotion || verified[of] {
			continue
		}
		if err := s.service.mustVerify(ctx, of.app, of.number); err != nil {
			return fmt.Errorf("%s: %w", p.asked.ID, err)
		}
		verified[of] = true
	}
	return nil
}

// asSeen returns ErrChanged unless each part is as its reviewer saw it.
func (s *Together) asSeen(tx state.Reader, actor access.Actor, parts []part) error {
	for _, p := range parts {
		if p.tag == "" {
			continue
		}
		q, err := s.service.RequestIn(tx, actor, p.asked.ID)
		if err != nil {
			return err
		}
		if control.Tag(q) != p.tag {
			return fmt.Errorf("%s is not what it was when you looked; look at it again: %w", q.ID, approvals.ErrChanged)
		}
	}
	return nil
}

// renewParts renews every request that is to be approved. If approving one would grant more than its page
// said, all are stored as they are now, and changed says which to look at again.
func (s *Together) renewParts(tx state.Tx, actor access.Actor, parts []part, of []Question, v []approvals.Verdict) (changed, err error) {
	i := 0
	for _, p := range parts {
		if !p.verdict.Approve {
			continue
		}
		more, err := s.service.renew(tx, p.asked.ID, of[i].Release, v[i])
		if err != nil {
			return nil, err
		}
		if i++; more == nil {
			continue
		}
		if err := mayVote(tx, s.desk.Now(), actor, p.asked, p.asked.Policy, access.DecideRequest); err != nil {
			return nil, err
		}
		changed = errors.Join(changed, more)
	}
	return changed, nil
}
