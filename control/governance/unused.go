package governance

import (
	"context"
	"errors"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Uses says what apps do with their capabilities.
type Uses interface {
	// UsedByAny returns what the releases of an app did together, up to now.
	UsedByAny(tx state.Reader, app string) ([]approvals.Used, error)
}

// stored are the uses that a state has by itself.
type stored struct{}

func (stored) UsedByAny(tx state.Reader, app string) ([]approvals.Used, error) {
	return tx.UsedByAny(app)
}

// usedOf is how often an app has used a capability, and when last by the clock on the wall, for people to read.
func (s *Clocks) usedOf(tx state.Reader, app, word string) (n uint64, last time.Time, err error) {
	all, err := s.uses.UsedByAny(tx, app)
	for _, u := range all {
		if u.Capability != word || u.Meter == abi.MeterDenied || u.Meter == abi.MeterByteHours {
			continue
		}
		if n += u.N; u.Last.After(last) {
			last = u.Last
		}
	}
	return n, last, err
}

// unused ends grants that nothing has used for as long as the rules of their tiers say, and tells their owners
// before. What counts is how much nodes have run since this node, or one before it, saw the number of uses change:
// not what any clock says. A node that begins anew and has no note of that counts from then on.
func (s *Clocks) unused(ctx context.Context, total int64) error {
	var due []string
	err := s.desk.View(ctx, func(tx state.Reader) error {
		due = nil
		all, _, err := tx.GrantsPart("", state.Part{Limit: -1})
		for _, g := range all {
			_, what, failed := s.looksIdle(tx, &g, total)
			if err = errors.Join(err, failed); what != approvals.IdleNothing {
				due = append(due, g.ID)
			}
		}
		return err
	})
	for _, id := range due {
		_, failed := s.desk.Update(ctx, "node", func(tx state.Tx) error { return s.idle(tx, id, total) })
		err = errors.Join(err, failed)
	}
	return err
}

// looksIdle notes in a grant for how long nothing has used it, and returns what there is to do about that.
func (s *Clocks) looksIdle(tx state.Reader, g *approvals.Grant, total int64) (last time.Time, what approvals.IdleStep, err error) {
	rule := s.policy.Life(g.Tier)
	if rule.UnusedDays == 0 || !g.Live(s.desk.Now()) || !approvals.Measured(g.Capability) {
		return last, approvals.IdleNothing, nil
	}
	app, err := tx.App(g.App)
	if errors.Is(err, registry.ErrNotFound) {
		return last, approvals.IdleNothing, nil
	}
	n, last, failed := s.usedOf(tx, g.App, g.Capability)
	if err = errors.Join(err, failed); err != nil {
		return last, approvals.IdleNothing, err
	}
	seen := s.sawUses(*g, n, total, app.Stopped() != nil)
	return last, g.Rest(rule, seen, total), nil
}

// sawUses is since when the number of uses has been the same, as far as this node knows. What cannot be called is
// not left unused by its owner: the time of a stopped app does not count.
func (s *Clocks) sawUses(g approvals.Grant, n uint64, total int64, stopped bool) approvals.Idle {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seenUses == nil {
		s.seenUses = map[string]approvals.Idle{}
	}
	is, known := s.seenUses[g.ID]
	if !known {
		is = g.Idle
	}
	if is.Since == 0 || is.Uses != n || stopped || is.Since > total { // the last in a state that was restored
		is = approvals.Idle{Uses: n, Since: total}
	}
	if g.Idle.Uses == n { // what is noted is in favour of its owner
		is.Since = max(is.Since, g.Idle.Since)
	}
	s.seenUses[g.ID] = is
	return is
}

// idle does what there is to do about a grant that nothing uses.
func (s *Clocks) idle(tx state.Tx, id string, total int64) error {
	g, err := tx.Grant(id)
	if err != nil {
		return err
	}
	last, what, err := s.looksIdle(tx, &g, total)
	if err != nil || what == approvals.IdleNothing {
		return err
	}
	why := "nothing has ever used it"
	if !last.IsZero() {
		why = "nothing has used it since " + last.UTC().Format(time.DateOnly)
	}
	detail := map[string]string{"capability": g.Capability, "tier": string(g.Tier), "reason": why}
	now := s.desk.Now().UTC()
	switch what {
	case approvals.IdleNoted:
		tx.Emit("grant.unused", g.App, id, detail)
	case approvals.IdleWarned:
		left := max(14*24*time.Hour, time.Duration(s.policy.Life(g.Tier).UnusedDays)*24*time.Hour-time.Duration(total-g.Idle.Since)*time.Second)
		detail["until"] = now.Add(left).Format(time.DateOnly)
		tx.Emit("grant.lapsing", g.App, id, detail)
	case approvals.IdleLapsed:
		g.Revoked, g.RevokedBy, g.RevokedFor = now, "node", why
		detail["cause"], detail["until"] = string(approvals.CauseUnused), day(now)
		tx.Emit("grant.ended", g.App, id, detail)
	}
	return tx.PutGrant(g)
}
