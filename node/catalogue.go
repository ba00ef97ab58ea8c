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
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Apps lists apps by title. Whoever has no role sees the public face of those that serve, and
// their own: they are the end users of the marketplace.
func (h *Node) Apps(ctx context.Context, search registry.Search, p control.Page) (apps control.Items[control.App], err error) {
	actor, err := h.desk.Allow(ctx, access.SignedIn)
	if err != nil {
		return apps, err
	}
	err = h.store.View(ctx, func(tx state.Reader) error {
		all, err := h.shelf.look(tx)
		if err != nil {
			return err
		}
		matches := search.Matcher()
		var found []*registry.Listing
		for _, l := range all {
			if l.App.Removal == nil && matches(l) && mayFind(actor, l.App) {
				found = append(found, l)
			}
		}
		page, err := control.Cut(p, found, (*registry.Listing).Place)
		if err != nil {
			return err
		}
		apps, err = control.Shown(page, func(l *registry.Listing) (control.App, error) { return h.showApp(tx, actor, l.App) })
		return err
	})
	return apps, err
}

// mayFind reports whether an app is in the actor's catalogue.
func mayFind(actor access.Actor, app registry.App) bool {
	_, _, serves := app.Serving()
	return serves || actor.Has(access.RoleViewer) || actor.User == app.Owner
}

// publicFace leaves of an app what whoever may call it may know.
func publicFace(a control.App) control.App {
	return control.App{
		App:   registry.App{Name: a.Name, Title: a.Title, Description: a.Description, Owner: a.Owner, Team: a.Team, Active: map[abi.Tier]int{}},
		State: a.State, URL: a.URL, Tier: a.Tier, TierURLs: map[abi.Tier]string{},
	}
}

// App reads one app.
func (h *Node) App(ctx context.Context, name string) (shown control.App, err error) {
	actor, err := h.desk.Allow(ctx, access.SignedIn)
	if err != nil {
		return shown, err
	}
	err = h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err == nil && !mayFind(actor, app) {
			err = registry.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if shown, err = h.showApp(tx, actor, app); err != nil || !seesWhole(actor, app) {
			return err
		}
		if actor.Has(access.RoleDeveloper) || actor.Has(access.RoleReviewer) || actor.Has(access.RoleOperator) {
			shown.May = acts(personOf(actor, app), app)
		}
		shown.Previous = map[abi.Tier]int{}
		for _, tier := range abi.Tiers() {
			n, err := registry.Previous(tx.TierActivations(name, tier))
			if err == nil {
				shown.Previous[tier] = n
			} else if !errors.Is(err, registry.ErrNoPrevious) {
				return err
			}
		}
		return nil
	})
	return shown, err
}

// seesWhole reports whether more of an app is for the actor than its public face.
func seesWhole(actor access.Actor, app registry.App) bool {
	return actor.Has(access.RoleViewer) || actor.User == app.Owner
}

// showApp is an app as the actor may see it.
func (h *Node) showApp(tx state.Reader, actor access.Actor, app registry.App) (control.App, error) {
	waiting, err := tx.CountOpen(app.Name)
	shown := control.App{App: app, State: app.State(), URL: h.origins.appURL(app.Name), TierURLs: map[abi.Tier]string{}, Waiting: waiting}
	if tier, n, ok := app.Serving(); ok {
		shown.Tier, shown.Serving = tier, n
	}
	for tier, n := range app.Active {
		if n > 0 {
			shown.TierURLs[tier] = h.origins.appURL(string(tier) + "--" + app.Name)
		}
	}
	if !seesWhole(actor, app) {
		shown = publicFace(shown)
	}
	return shown, err
}

// Releases lists an app's releases, newest first.
func (h *Node) Releases(ctx context.Context, name string, p control.Page) (releases control.Items[control.Release], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return releases, err
	}
	err = h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		found, err := control.Part(p, func(p state.Part) ([]registry.Release, []byte, error) { return tx.ReleasesPart(name, p) })
		if err != nil {
			return err
		}
		with, err := h.showing(ctx, tx, app)
		if err != nil {
			return err
		}
		kept, err := h.kept(tx, name)
		if err != nil {
			return err
		}
		releases, err = control.Shown(found, func(r registry.Release) (control.Release, error) {
			s, err := with.show(r)
			s.Kept = kept[r.Number]
			return s, err
		})
		return err
	})
	return releases, err
}

// Release reads one release.
func (h *Node) Release(ctx context.Context, name string, number int) (control.Release, error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return control.Release{}, err
	}
	var shown control.Release
	err := h.store.View(ctx, func(tx state.Reader) error {
		r, err := tx.Release(name, number)
		if err != nil {
			return fmt.Errorf("release %d of app %q: %w", number, name, err)
		}
		if shown, err = h.showRelease(ctx, tx, r); err != nil {
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

func (h *Node) showRelease(ctx context.Context, tx state.Reader, r registry.Release) (control.Release, error) {
	app, err := tx.App(r.App)
	if err != nil {
		return control.Release{}, err
	}
	with, err := h.showing(ctx, tx, app)
	if err != nil {
		return control.Release{}, err
	}
	return with.show(r)
}

// Activate routes a tier to a release.
func (h *Node) Activate(ctx context.Context, name string, number int, tier abi.Tier, reason string) (registry.Activation, error) {
	which := func(state.Reader) (int, error) { return number, nil }
	return h.reroute(ctx, name, which, func(tx state.Tx, actor access.Actor, _ registry.App) (registry.Activation, error) {
		r, err := h.approvedFor(tx, name, number, tier)
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
		r, err := h.approvedFor(tx, name, previous, tier)
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

// approvedFor returns a release if a tier may be routed to it: the sandbox to
// whatever has its grants, a higher tier to what a reviewer approved for it.
func (h *Node) approvedFor(tx state.Reader, name string, number int, tier abi.Tier) (registry.Release, error) {
	r, err := tx.Release(name, number)
	if err != nil {
		return r, fmt.Errorf("release %d of app %q: %w", number, name, err)
	}
	if err := h.complete(tx, r, tier); err != nil || tier == abi.TierSandbox {
		return r, err
	}
	requests, _, err := tx.ReleaseRequests(name, number, state.Part{Limit: -1})
	if err != nil {
		return r, err
	}
	for _, q := range requests {
		if q.Kind == approvals.KindPromotion && q.Status == approvals.StatusApproved && q.Tier == tier && q.Digest == string(r.Digest) {
			return r, nil
		}
	}
	return r, fmt.Errorf("release %d of %q has no approved promotion to %s: %w", number, name, tier, registry.ErrNotApproved)
}

// complete reports whether a release has all that it needs in a tier, and what it
// lacks.
func (h *Node) complete(tx state.Reader, r registry.Release, tier abi.Tier) error {
	lacks, err := h.missing(tx, r, tier)
	if err == nil && len(lacks) > 0 {
		err = fmt.Errorf("release %d of %q needs %s, and no grant in the %s tier reaches it: %w", r.Number, r.App, strings.Join(lacks, " and "), tier, registry.ErrNotApproved)
	}
	return err
}

// activate writes the route to a release and its history. No tier is routed to what is not trusted any more.
func (h *Node) activate(tx state.Tx, by string, r registry.Release, tier abi.Tier, reason string, rollback bool) (registry.Activation, error) {
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
func (h *Node) Activations(ctx context.Context, name string, p control.Page) (all control.Items[registry.Activation], err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return all, err
	}
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		if _, err = tx.App(name); err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		all, err = control.Part(p, func(p state.Part) ([]registry.Activation, []byte, error) { return tx.ActivationsPart(name, p) })
		return err
	})
	return all, err
}
