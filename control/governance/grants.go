package governance

import (
	"context"
	"errors"
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// RevokeGrant ends a grant at once, or with all every grant of the same capability
// of its app. The owner may give a right back; a reviewer may take it. It says what
// still allows the capability.
func (s *Service) RevokeGrant(ctx context.Context, id, reason string, all bool) (done control.Revoked, err error) {
	actor, err := s.desk.Door(ctx, access.ReduceGrant)
	if err != nil {
		return done, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		done = control.Revoked{}
		grant, err := ownGrant(tx, actor, id)
		if err != nil {
			return err
		}
		if done.Grant, err = s.revoke(tx, actor, grant, reason); err != nil {
			return err
		}
		others, err := rights.Grants(tx, grant.App)
		if err != nil {
			return err
		}
		for _, g := range others {
			if g.Capability != grant.Capability || !g.Live(s.desk.Now()) {
				continue
			}
			if !all {
				g.Reaches = s.reached(g)
				done.Still = append(done.Still, g)
				continue
			}
			if _, err := s.revoke(tx, actor, g, reason); err != nil {
				return err
			}
			done.Also = append(done.Also, g.ID)
		}
		for _, tier := range abi.Tiers() {
			if bounds, ok := s.policy.Allowance(tier)[grant.Capability]; ok && bounds == nil {
				done.Default = append(done.Default, tier)
			}
		}
		return nil
	})
	return done, err
}

func (s *Service) revoke(tx state.Tx, actor access.Actor, g approvals.Grant, reason string) (approvals.Grant, error) {
	was := g.Revoked
	g, err := approvals.Revoke(tx, g.ID, actor.User, reason, s.desk.Now().UTC())
	if err == nil && was.IsZero() {
		err = closeLane(tx, g.App, registry.Closure{Capability: g.Capability})
		tx.Emit("grant.revoked", g.App, g.ID, map[string]string{"capability": g.Capability, "reason": reason})
	}
	return g, err
}

// Grants lists grants, of one app or of all, newest first.
func (s *Service) Grants(ctx context.Context, f control.GrantFilter, p control.Page) (grants control.Items[approvals.Grant], err error) {
	if _, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode); err != nil {
		return grants, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		grants, err = control.Sift(p, f.Keeps(s.desk.Now()), func(p state.Part) ([]approvals.Grant, []byte, error) { return tx.GrantsPart(f.App, p) })
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
				if err := s.serving(tx, g.App, serving); err != nil {
					return err
				}
			}
			g.Reaches = s.reached(*g)
		}
		for i, g := range grants.Items {
			grants.Items[i].Serving = serving[g.ID]
		}
		return nil
	})
	return grants, err
}

// Grant reads one grant.
func (s *Service) Grant(ctx context.Context, id string) (g approvals.Grant, err error) {
	actor := access.ActorFrom(ctx)
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		g, err = s.GrantIn(tx, actor, id)
		return err
	})
	return g, err
}

// GrantIn is Grant in one state.
func (s *Service) GrantIn(tx state.Reader, actor access.Actor, id string) (g approvals.Grant, err error) {
	if err := access.May(actor, access.ReadCatalogue, access.TheNode); err != nil {
		return g, err
	}
	if g, err = tx.Grant(id); err != nil {
		return g, fmt.Errorf("grant %q: %w", id, err)
	}
	serving := map[string][]approvals.Serving{}
	if err := errors.Join(rights.FillReviewed(tx, &g), s.serving(tx, g.App, serving)); err != nil {
		return g, err
	}
	g.Reaches, g.Serving = s.reached(g), serving[g.ID]
	return g, nil
}

// serving notes, by grant, which releases of an app serve with it.
func (s *Service) serving(tx state.Reader, name string, by map[string][]approvals.Serving) error {
	app, err := tx.App(name)
	if err != nil {
		return fmt.Errorf("app %q: %w", name, err)
	}
	grants, err := s.apps.LiveGrants(tx, name)
	if err != nil {
		return err
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
		for _, right := range approvals.Rights(s.policy, rights.Terms(r), tier, grants, s.desk.Now()) {
			if right.Grant != nil {
				by[right.Grant.ID] = append(by[right.Grant.ID], approvals.Serving{Tier: tier, Release: n, How: right.How})
			}
		}
	}
	return nil
}

// ShrinkGrant takes off a grant what its app has not used. The owner may give
// away a right, and a reviewer may take it: it needs no review, since nothing is
// added. It comes back through a new request.
func (s *Service) ShrinkGrant(ctx context.Context, id string) (approvals.Grant, error) {
	actor, err := s.desk.Door(ctx, access.ReduceGrant)
	if err != nil {
		return approvals.Grant{}, err
	}
	var grant approvals.Grant
	err = s.desk.View(ctx, func(tx state.Reader) error {
		grant, err = ownGrant(tx, actor, id)
		return err
	})
	if err != nil {
		return grant, err
	}
	keeps, err := s.apps.Stored(ctx, grant.App)
	if err != nil {
		return grant, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		before, err := ownGrant(tx, actor, id)
		if err != nil {
			return err
		}
		to, err := s.apps.Enough(tx, before, keeps)
		if err != nil {
			return err
		}
		if grant, err = approvals.Shrink(tx, id, actor.User, to, s.desk.Now().UTC()); err != nil {
			return err
		}
		if err := closeLane(tx, grant.App, registry.Closure{Capability: grant.Capability}); err != nil {
			return err
		}
		detail := map[string]string{"capability": grant.Capability}
		for name, was := range before.Params {
			if was != grant.Params[name] {
				detail[name] = grant.Params[name]
				detail[name+"_before"] = was
			}
		}
		tx.Emit("grant.shrunk", grant.App, id, detail)
		return nil
	})
	return grant, err
}

// ownGrant reads a grant that the actor may take away from.
func ownGrant(tx state.Reader, actor access.Actor, id string) (approvals.Grant, error) {
	grant, err := tx.Grant(id)
	if err != nil {
		return grant, fmt.Errorf("grant %q: %w", id, err)
	}
	app, err := tx.App(grant.App)
	if err != nil {
		return grant, err
	}
	return grant, control.MayApp(actor, access.ReduceGrant, app)
}
