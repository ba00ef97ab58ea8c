package governance

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// endings tells of grants that are about to end, and of those that have ended. That they have, their calls find out
// by themselves: nothing waits for this. What is told is noted in the grant in the change that tells it, so that it
// is told once, whichever nodes look, and whenever they end.
func (s *Clocks) endings(ctx context.Context) error {
	var due []string
	err := s.desk.View(ctx, func(tx state.Reader) error {
		due = nil
		all, _, err := tx.GrantsPart("", state.Part{Limit: -1})
		for _, g := range all {
			_, changed, failed := s.nears(tx, &g)
			if err = errors.Join(err, failed); changed {
				due = append(due, g.ID)
			}
		}
		return err
	})
	for _, id := range due {
		_, failed := s.desk.Update(ctx, "node", func(tx state.Tx) error { return s.near(tx, id) })
		err = errors.Join(err, failed)
	}
	return err
}

// nears notes how near the end of a grant is, and reports whether there was something to note. step is what to
// tell, if anybody has to be told: what nobody has to be is noted all the same, or it would be told later.
func (s *Clocks) nears(tx state.Reader, g *approvals.Grant) (step int, changed bool, err error) {
	now := s.desk.Now().UTC()
	changed = g.Date(s.policy.Life(g.Tier), now)
	step, near := g.Near(now)
	if step == approvals.StepNone {
		return step, changed || near, nil
	}
	needless, err := s.needless(tx, *g)
	if needless {
		step = approvals.StepNone
	}
	return step, true, err
}

// near notes how near the end of a grant is, and tells it.
func (s *Clocks) near(tx state.Tx, id string) error {
	g, err := tx.Grant(id)
	if err != nil {
		return err
	}
	step, changed, err := s.nears(tx, &g)
	switch {
	case err != nil || !changed:
		return err
	case step != approvals.StepNone:
		tellEnd(tx, g, step)
	default:
		tx.Emit("grant.dated", g.App, g.ID, map[string]string{"capability": g.Capability, "tier": string(g.Tier), "until": day(g.Expires)})
	}
	return tx.PutGrant(g)
}

// needless reports whether nobody has to be told that a grant ends: the app is gone, or has a newer grant that
// allows the same for longer.
func (s *Clocks) needless(tx state.Reader, g approvals.Grant) (bool, error) {
	app, err := tx.App(g.App)
	if errors.Is(err, registry.ErrNotFound) {
		return true, nil
	}
	if err != nil || app.State() == registry.StateRemoved {
		return true, err
	}
	others, err := tx.Grants(g.App)
	return slices.ContainsFunc(others, func(o approvals.Grant) bool { return o.Outlives(g, s.desk.Now()) }), err
}

// tellEnd tells one step of the end of a grant.
func tellEnd(tx state.Tx, g approvals.Grant, step int) {
	detail := map[string]string{"capability": g.Capability, "tier": string(g.Tier), "until": day(g.Expires), "cause": string(g.Cause())}
	switch {
	case step == approvals.StepEnded:
		detail["reason"] = "it was granted until then"
		if g.Cause() == approvals.CauseUncertified {
			detail["reason"] = "no reviewer certified it in time"
		}
		tx.Emit("grant.ended", g.App, g.ID, detail)
	case g.Cause() == approvals.CauseUncertified:
		detail["days"] = strconv.Itoa(approvals.StepDays[step])
		tx.Emit("grant.certification_due", g.App, g.ID, detail)
	default:
		detail["days"] = strconv.Itoa(approvals.StepDays[step])
		tx.Emit("grant.ending", g.App, g.ID, detail)
	}
}

// day is a time as a notice says it.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
