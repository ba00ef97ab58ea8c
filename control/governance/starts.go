package governance

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// startsEvery is how often what is to start is looked for, besides at the times that were set.
const startsEvery = 5 * time.Second

// Starts has promotions that were approved for a later time take effect.
type Starts struct {
	*Judge
	service *Service // whose requests they are
}

// NewStarts makes a Starts of a service.
func NewStarts(s *Service) *Starts { return &Starts{s.Judge, s} }

// Run starts what is due, and sleeps until the next is, until ctx ends.
func (s *Starts) Run(ctx context.Context) {
	for {
		next, err := s.Sweep(ctx)
		wait := startsEvery
		if err != nil && ctx.Err() == nil {
			s.desk.Logger.ErrorContext(ctx, "a promotion whose time has come could not be started, and is tried again", "err", err)
			wait = time.Minute
		} else if left := next.Sub(s.desk.Now()); !next.IsZero() && left < wait {
			wait = max(left, time.Millisecond)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// Sweep starts each promotion whose time has come, or notes why it does not start, and returns when the next is due;
// zero: none is known. That one has started is noted in the change that starts it: so it does once, whichever node
// looks, and however the clock jumps.
func (s *Starts) Sweep(ctx context.Context) (next time.Time, err error) {
	var due []approvals.Request
	err = s.desk.View(ctx, func(tx state.Reader) error {
		due, next = nil, time.Time{}
		all, _, err := tx.RequestsPart("", approvals.StatusScheduled, state.Part{Limit: -1})
		for _, q := range all {
			if approvals.Startable(q, s.desk.Now()) {
				due = append(due, q)
			} else if next.IsZero() || q.Starts.Before(next) {
				next = q.Starts
			}
		}
		return err
	})
	slices.SortStableFunc(due, func(a, b approvals.Request) int { return a.Starts.Compare(b.Starts) }) // the last one serves
	for _, q := range due {
		err = errors.Join(err, s.start(ctx, q.ID))
	}
	return next, err
}

// errNotDue ends a change about a promotion that another node has started, or that was taken back.
var errNotDue = errors.New("it is not due any more")

// start has one promotion take effect, or notes why it does not.
func (s *Starts) start(ctx context.Context, id string) error {
	err := s.apply(ctx, id)
	why, stays := refusal(err)
	if !stays {
		return err
	}
	_, err = s.desk.Update(ctx, "node", func(tx state.Tx) error {
		q, err := s.due(tx, id)
		if err != nil {
			return err
		}
		tx.Emit("request.not_started", q.App, id, map[string]string{"tier": string(q.Tier), "release": strconv.Itoa(q.Release), "reason": why})
		return tx.PutRequest(approvals.NotStart(q, why, s.desk.Now().UTC()))
	})
	if errors.Is(err, errNotDue) {
		return nil
	}
	return err
}

// refusal returns why a promotion cannot start, if that is for what it is about; of anything else, such as a disk
// that cannot be read, it is tried again.
func refusal(err error) (why string, stays bool) {
	var refused *control.Refusal
	var stopped *registry.StoppedError
	var unmet *approvals.NotStartedError
	if errors.As(err, &unmet) {
		return unmet.Error(), true
	}
	if errors.As(err, &refused) || errors.As(err, &stopped) {
		return err.Error(), true
	}
	for _, known := range []error{
		approvals.ErrChanged, registry.ErrNotFound, registry.ErrNotApproved, registry.ErrUntrusted, registry.ErrBadSignature,
		registry.ErrUnsigned, registry.ErrState,
	} {
		if errors.Is(err, known) {
			return err.Error(), true
		}
	}
	return "", false
}

// due reads a promotion that is to start now.
func (s *Starts) due(tx state.Reader, id string) (approvals.Request, error) {
	q, err := tx.Request(id)
	if err == nil && !approvals.Startable(q, s.desk.Now()) {
		err = errNotDue
	}
	return q, err
}

// apply starts a promotion in one change, after all that its last vote was checked for was checked again: the
// signature, the rules, the votes and the state of the app.
func (s *Starts) apply(ctx context.Context, id string) error {
	var q approvals.Request
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		q, err = s.due(tx, id)
		return err
	})
	if err == nil {
		err = s.service.mustVerify(ctx, q.App, q.Release)
	}
	if err == nil {
		about := func(tx state.Reader) (Question, error) {
			q, err := s.due(tx, id)
			if err != nil {
				return Question{}, err
			}
			return questionOf(tx, q)
		}
		err = s.Judged(ctx, "node", about, func(tx state.Tx, of Question, v approvals.Verdict) error { return s.begin(tx, id, of.Release, v) })
	}
	if errors.Is(err, errNotDue) {
		return nil
	}
	return err
}

// begin is what the last vote would have done if it had been to start at once.
func (s *Starts) begin(tx state.Tx, id string, r registry.Release, v approvals.Verdict) error {
	q, err := s.due(tx, id)
	if err != nil {
		return err
	}
	app, err := tx.App(q.App)
	if err == nil {
		err = app.Free()
	}
	if err == nil {
		err = app.Stopped() // suspended
	}
	if err != nil {
		return err
	}
	now := s.desk.Now().UTC()
	if q, err = approvals.Start(q, v, rights.Terms(r), control.VotersOf(tx, q, now), now); err != nil {
		return err
	}
	if err := settleLane(tx, q); err != nil {
		return err
	}
	if err := tx.PutRequest(q); err != nil {
		return err
	}
	tx.Emit("request.started", q.App, id, map[string]string{"tier": string(q.Tier), "release": strconv.Itoa(q.Release)})
	return s.service.EnterTier(tx, access.Actor{User: q.Decision.By}, q)
}
