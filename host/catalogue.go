package host

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/registry"
)

// Apps lists every app. The marketplace is open to all who are signed in.
func (h *Host) Apps(ctx context.Context) ([]web.App, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var shown []web.App
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		apps, err := tx.Apps()
		if err != nil {
			return err
		}
		waiting, err := openRequests(tx)
		if err != nil {
			return err
		}
		for _, app := range apps {
			shown = append(shown, h.showApp(app, waiting[app.Name]))
		}
		return nil
	})
	return shown, err
}

// App reads one app.
func (h *Host) App(ctx context.Context, name string) (web.App, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return web.App{}, err
	}
	var shown web.App
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		waiting, err := openRequests(tx)
		shown = h.showApp(app, waiting[name])
		return err
	})
	return shown, err
}

func openRequests(tx approvals.Tx) (map[string]int, error) {
	requests, err := tx.Requests()
	open := map[string]int{}
	for _, q := range requests {
		if q.Status == approvals.StatusOpen {
			open[q.App]++
		}
	}
	return open, err
}

func (h *Host) showApp(app registry.App, waiting int) web.App {
	shown := web.App{App: app, URL: h.origins.appURL(app.Name), TierURLs: map[abi.Tier]string{}, Waiting: waiting}
	if tier, n, ok := app.Serving(); ok {
		shown.Tier, shown.Serving = tier, n
	}
	for tier, n := range app.Active {
		if n > 0 {
			shown.TierURLs[tier] = h.origins.appURL(string(tier) + "--" + app.Name)
		}
	}
	return shown
}

// Releases lists an app's releases, newest first.
func (h *Host) Releases(ctx context.Context, name string) ([]web.Release, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var shown []web.Release
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		if _, err := tx.App(name); err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		releases, err := tx.Releases(name)
		if err != nil {
			return err
		}
		kept, err := h.kept(tx, name)
		if err != nil {
			return err
		}
		for _, r := range releases {
			s, err := h.showRelease(tx, r)
			if err != nil {
				return err
			}
			s.Kept = kept[r.Number]
			shown = append(shown, s)
		}
		return nil
	})
	return shown, err
}

// Release reads one release.
func (h *Host) Release(ctx context.Context, name string, number int) (web.Release, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return web.Release{}, err
	}
	var shown web.Release
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		r, err := tx.Release(name, number)
		if err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		if shown, err = h.showRelease(tx, r); err != nil {
			return err
		}
		for _, tier := range abi.Tiers() {
			if _, err := h.approvedFor(tx, name, number, tier); err == nil && !slices.Contains(shown.ActiveIn, tier) && stillTrusted(tx, r) == nil {
				shown.MayServe = append(shown.MayServe, tier)
			}
		}
		kept, err := h.kept(tx, name)
		shown.Kept = kept[number]
		return err
	})
	return shown, err
}

func (h *Host) showRelease(tx *boltstore.Tx, r registry.Release) (web.Release, error) {
	app, err := tx.App(r.App)
	if err != nil {
		return web.Release{}, err
	}
	r.FuelTable = r.CostTable()
	shown := web.Release{Release: r, PreviewURL: h.origins.appURL("r" + strconv.Itoa(r.Number) + "--" + r.App)}
	highest := abi.TierSandbox
	for _, tier := range abi.Tiers() {
		if app.Active[tier] == r.Number {
			shown.ActiveIn = append(shown.ActiveIn, tier)
			highest = tier
		}
	}
	shown.Access, err = h.capabilityStates(tx, r, highest)
	return shown, err
}

// Activate routes a tier to a release.
func (h *Host) Activate(ctx context.Context, name string, number int, tier abi.Tier, reason string) (registry.Activation, error) {
	which := func(*boltstore.Tx) (int, error) { return number, nil }
	return h.reroute(ctx, name, which, func(tx *boltstore.Tx, actor access.Actor, _ registry.App) (registry.Activation, error) {
		r, err := h.approvedFor(tx, name, number, tier)
		if err != nil {
			return registry.Activation{}, err
		}
		return h.activate(tx, actor.User, r, tier, reason, false)
	})
}

// RollBack routes a tier to the release that it served before.
func (h *Host) RollBack(ctx context.Context, name string, tier abi.Tier, reason string) (registry.Activation, error) {
	which := func(tx *boltstore.Tx) (int, error) {
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
		activations, err := tx.Activations(name)
		if err != nil {
			return 0, err
		}
		previous, err := registry.Previous(activations, tier)
		if err != nil {
			return 0, fmt.Errorf("app %q in the %s tier: %w", name, tier, err)
		}
		if _, err := tx.Release(name, previous); err != nil {
			return 0, fmt.Errorf("release %d of app %q, which the %s tier served before, was deleted: %w", previous, name, tier, registry.ErrNoPrevious)
		}
		return previous, nil
	}
	return h.reroute(ctx, name, which, func(tx *boltstore.Tx, actor access.Actor, app registry.App) (registry.Activation, error) {
		previous, err := which(tx)
		if err != nil {
			return registry.Activation{}, err
		}
		// It served before; since then a right or a key may have been taken away.
		r, err := h.approvedFor(tx, name, previous, tier)
		if err != nil {
			return registry.Activation{}, err
		}
		return h.activate(tx, actor.User, r, tier, reason, true)
	})
}

// reroute makes a change of routes. which finds the release that it will lead to, whose signature
// is checked first.
func (h *Host) reroute(ctx context.Context, name string, which func(*boltstore.Tx) (int, error), change func(*boltstore.Tx, access.Actor, registry.App) (registry.Activation, error)) (registry.Activation, error) {
	actor, err := h.allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return registry.Activation{}, err
	}
	own := func(tx *boltstore.Tx) (registry.App, error) {
		app, err := tx.App(name)
		if err != nil {
			return app, fmt.Errorf("app %q: %w", name, err)
		}
		return app, mayChange(actor, name, app.Owner)
	}
	var number int
	err = h.store.View(ctx, func(tx *boltstore.Tx) error {
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
	_, err = h.update(ctx, actor.User, func(tx *boltstore.Tx) error {
		app, err := own(tx)
		if err != nil {
			return err
		}
		done, err = change(tx, actor, app)
		return err
	})
	return done, err
}

// approvedFor returns a release if a tier may be routed to it: the sandbox to
// whatever has its grants, a higher tier to what a reviewer approved for it.
func (h *Host) approvedFor(tx *boltstore.Tx, name string, number int, tier abi.Tier) (registry.Release, error) {
	r, err := tx.Release(name, number)
	if err != nil {
		return r, fmt.Errorf("release %d of app %q: %w", number, name, err)
	}
	if err := h.complete(tx, r, tier); err != nil || tier == abi.TierSandbox {
		return r, err
	}
	requests, err := tx.Requests()
	if err != nil {
		return r, err
	}
	for _, q := range requests {
		if q.Kind == approvals.KindPromotion && q.Status == approvals.StatusApproved && q.App == name && q.Tier == tier &&
			q.Release == number && q.Digest == string(r.Digest) {
			return r, nil
		}
	}
	return r, fmt.Errorf("release %d of %q has no approved promotion to %s: %w", number, name, tier, registry.ErrNotApproved)
}

// complete reports whether a release has all that it needs in a tier, and what it
// lacks.
func (h *Host) complete(tx *boltstore.Tx, r registry.Release, tier abi.Tier) error {
	lacks, err := h.missing(tx, r, tier)
	if err == nil && len(lacks) > 0 {
		err = fmt.Errorf("release %d of %q needs %s, and no grant in the %s tier reaches it: %w", r.Number, r.App, strings.Join(lacks, " and "), tier, registry.ErrNotApproved)
	}
	return err
}

// activate writes the route to a release and its history. No tier is routed to what is not trusted any more.
func (h *Host) activate(tx *boltstore.Tx, by string, r registry.Release, tier abi.Tier, reason string, rollback bool) (registry.Activation, error) {
	if err := stillTrusted(tx, r); err != nil {
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
	if err := stillTrusted(tx, release); err != nil {
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

// Activations is the history of an app's routes, newest first.
func (h *Host) Activations(ctx context.Context, name string) ([]registry.Activation, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	var all []registry.Activation
	err := h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		if _, err = tx.App(name); err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		all, err = tx.Activations(name)
		return err
	})
	return all, err
}
