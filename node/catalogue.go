package node

import (
	"context"
	"fmt"
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

// Activate routes a tier to a release.
func (h *Node) Activate(ctx context.Context, name string, number int, tier abi.Tier, reason string) (registry.Activation, error) {
	which := func(state.Reader) (int, error) { return number, nil }
	return h.reroute(ctx, name, which, func(tx state.Tx, actor access.Actor, _ registry.App) (registry.Activation, error) {
		r, err := apps.ApprovedFor(tx, h.policy, h.o.Now(), name, number, tier)
		if err != nil {
			return registry.Activation{}, err
		}
		return h.activate(tx, actor.User, r, tier, reason, false)
	})
}

// RollBack routes a tier to the release that it served before.
func (h *Node) RollBack(ctx context.Context, name string, tier abi.Tier, reason string) (registry.Activation, error) {
	which := func(tx state.Reader) (int, error) {
		if strings.TrimSpace(reason) == "" {
			return 0, fmt.Errorf("a rollback is read by others later: %w", approvals.ErrReasonMissing)
		}
		if tier == "" {
			app, err := tx.App(name)
			if err != nil {
				return 0, fmt.Errorf("app %q: %w", name, err)
			}
			tier, _, _ = app.Serving()
		}
		previous, err := registry.Previous(tx.TierActivations(name, tier))
		if err != nil {
			return 0, fmt.Errorf("app %q in the %s tier: %w", name, tier, err)
		}
		if _, err := tx.Release(name, previous); err != nil {
			return 0, fmt.Errorf("release %d of app %q, which the %s tier served before, was deleted: %w", previous, name, tier, registry.ErrNoPrevious)
		}
		return previous, nil
	}
	return h.reroute(ctx, name, which, func(tx state.Tx, actor access.Actor, app registry.App) (registry.Activation, error) {
		previous, err := which(tx)
		if err != nil {
			return registry.Activation{}, err
		}
		// It served before; since then a right or a key may have been taken away.
		r, err := apps.ApprovedFor(tx, h.policy, h.o.Now(), name, previous, tier)
		if err != nil {
			return registry.Activation{}, err
		}
		return h.activate(tx, actor.User, r, tier, reason, true)
	})
}

// reroute makes a change of routes. which finds the release that it will lead to, whose signature
// is checked first.
func (h *Node) reroute(ctx context.Context, name string, which func(state.Reader) (int, error), change func(state.Tx, access.Actor, registry.App) (registry.Activation, error)) (registry.Activation, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return registry.Activation{}, err
	}
	own := func(tx state.Reader) (registry.App, error) {
		app, err := tx.App(name)
		if err != nil {
			return app, fmt.Errorf("app %q: %w", name, err)
		}
		return app, control.MayChange(actor, app)
	}
	var number int
	err = h.store.View(ctx, func(tx state.Reader) error {
		if _, err := own(tx); err != nil {
			return err
		}
		number, err = which(tx)
		return err
	})
	if err == nil {
		err = h.mustVerify(ctx, name, number)
	}
	if err != nil {
		return registry.Activation{}, err
	}
	var done registry.Activation
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		app, err := own(tx)
		if err != nil {
			return err
		}
		done, err = change(tx, actor, app)
		return err
	})
	return done, err
}

// activate writes the route to a release and its history. No tier is routed to what is not trusted any more.
func (h *Node) activate(tx state.Tx, by string, r registry.Release, tier abi.Tier, reason string, rollback bool) (registry.Activation, error) {
	if err := registry.StillTrusted(tx, r); err != nil {
		return registry.Activation{}, err
	}
	name, number := r.App, r.Number
	app, err := tx.App(name)
	if err != nil {
		return registry.Activation{}, err
	}
	release, err := tx.Release(name, number)
	if err != nil {
		return registry.Activation{}, err
	}
	if err := registry.StillTrusted(tx, release); err != nil {
		return registry.Activation{}, err
	}
	done := registry.Activation{
		App: name, Tier: tier, Release: number, Previous: app.Active[tier], Rollback: rollback,
		Reason: reason, By: by, At: h.o.Now().UTC(),
	}
	if app.Active == nil {
		app.Active = map[abi.Tier]int{}
	}
	app.Active[tier] = number
	if err := tx.PutApp(app); err != nil {
		return registry.Activation{}, err
	}
	if err := tx.AddActivation(done); err != nil {
		return registry.Activation{}, err
	}
	kind := "release.activated"
	if rollback {
		kind = "release.rolled_back"
	}
	tx.Emit(kind, name, strconv.Itoa(number), map[string]string{"tier": string(tier), "previous": strconv.Itoa(done.Previous), "reason": reason})
	return done, nil
}
