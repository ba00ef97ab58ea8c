package governance

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

// route is a release that a tier of an app may be routed to.
type route struct {
	app    string
	tier   abi.Tier
	number int
}

// Activate routes a tier to a release.
func (s *Service) Activate(ctx context.Context, name string, number int, tier abi.Tier, reason string) (registry.Activation, error) {
	where := func(state.Reader, registry.App) (route, error) { return route{name, tier, number}, nil }
	return s.reroute(ctx, name, where, reason, false)
}

// RollBack routes a tier, "" for the highest that serves, to the release that it served before.
func (s *Service) RollBack(ctx context.Context, name string, tier abi.Tier, reason string) (registry.Activation, error) {
	where := func(tx state.Reader, app registry.App) (route, error) {
		if strings.TrimSpace(reason) == "" {
			return route{}, fmt.Errorf("a rollback is read by others later: %w", approvals.ErrReasonMissing)
		}
		to := route{app: name, tier: tier}
		if tier == "" {
			to.tier, _, _ = app.Serving()
		}
		var err error
		if to.number, err = registry.Previous(tx.TierActivations(name, to.tier)); err != nil {
			return to, fmt.Errorf("app %q in the %s tier: %w", name, to.tier, err)
		}
		if _, err := tx.Release(name, to.number); err != nil {
			return to, fmt.Errorf("release %d of app %q, which the %s tier served before, was deleted: %w", to.number, name, to.tier, registry.ErrNoPrevious)
		}
		return to, nil
	}
	return s.reroute(ctx, name, where, reason, true)
}

// reroute makes a change of routes. where finds the release that it will lead to, whose signature is
// checked before the transaction. The transaction makes the change only if it would lead to the same
// release: another one is checked first.
func (s *Service) reroute(ctx context.Context, name string, where func(state.Reader, registry.App) (route, error), reason string, rollback bool) (done registry.Activation, err error) {
	actor, err := s.desk.Door(ctx, access.Route)
	if err != nil {
		return done, err
	}
	find := func(tx state.Reader) (route, error) {
		app, err := tx.App(name)
		if err != nil {
			return route{}, fmt.Errorf("app %q: %w", name, err)
		}
		if err := control.MayApp(actor, access.Route, app); err != nil {
			return route{}, err
		}
		return where(tx, app)
	}
	err = again(func() error {
		var was route
		err := s.desk.View(ctx, func(tx state.Reader) (err error) {
			was, err = find(tx)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.mustVerify(ctx, name, was.number); err != nil {
			return err
		}
		s.beforeChange()
		_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
			is, err := find(tx)
			if err != nil {
				return err
			}
			if is != was {
				return errStale
			}
			// It may have served before; since then a right or a key may have been taken away.
			r, err := apps.ApprovedFor(tx, s.policy, s.desk.Now(), name, is.number, is.tier)
			if err != nil {
				return err
			}
			done, err = s.Route(tx, actor, r, is.tier, reason, rollback)
			return err
		})
		return err
	})
	return done, err
}

// Route writes the route of a tier to a release and its history, as a part of a change whose caller
// knows that the release has all that it needs there. No tier is routed to what is not trusted any
// more.
func (s *Service) Route(tx state.Tx, by access.Actor, r registry.Release, tier abi.Tier, reason string, rollback bool) (none registry.Activation, err error) {
	if err := registry.StillTrusted(tx, r); err != nil {
		return none, err
	}
	app, err := tx.App(r.App)
	if err != nil {
		return none, err
	}
	if app.Quarantine != nil {
		return none, app.Free()
	}
	public, err := opened(tx, r.App, tier)
	if err != nil {
		return none, err
	}
	if public && !s.policy.OpenToAll(r.Manifest.Classification) {
		return none, closed(r, tier)
	}
	done := registry.Activation{
		App: r.App, Tier: tier, Release: r.Number, Previous: app.Active[tier], Rollback: rollback,
		Reason: reason, By: by.User, Behalf: by.Behalf, At: s.desk.Now().UTC(),
	}
	if app.Active == nil {
		app.Active = map[abi.Tier]int{}
	}
	app.Active[tier] = r.Number
	if err := tx.PutApp(app); err != nil {
		return none, err
	}
	if err := tx.AddActivation(done); err != nil {
		return none, err
	}
	kind := "release.activated"
	if rollback {
		kind = "release.rolled_back"
	}
	tx.Emit(kind, r.App, strconv.Itoa(r.Number), map[string]string{"tier": string(tier), "previous": strconv.Itoa(done.Previous), "reason": reason})
	return done, nil
}

// mustVerify checks a release's module and signature before something is routed to it, so that
// what cannot run is refused to whoever asks, and not to the app's users.
func (s *Service) mustVerify(ctx context.Context, name string, number int) error {
	var r registry.Release
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		if r, err = tx.Release(name, number); err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		return registry.StillTrusted(tx, r)
	})
	if err != nil {
		return err
	}
	return s.verifier.VerifyRelease(ctx, r)
}

// closed refuses to have a tier that is open to everybody, or is to be, serve data that is not for everybody.
func closed(r registry.Release, tier abi.Tier) error {
	return &control.Refusal{Findings: []abi.Finding{{
		Code: "audience.classification", Severity: abi.SeverityDeny, Path: "data_classification",
		Message: fmt.Sprintf("What the %s tier of %s serves would be open to everybody, and release %d works on data that is %s.", tier, r.App, r.Number, r.Manifest.Classification),
		Remedy:  abi.Remedy{Summary: "Keep the tier to the people who need it.", Commands: []string{fmt.Sprintf("agora audience set %s organisation --tier %s", r.App, tier)}},
	}}}
}
