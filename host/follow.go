package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Follow has all that this host remembers of the state follow its feed. Each follower drops or reads
// again what an event names, and nothing else: a sign-in disturbs no app. fs must be older than the
// host, so that no change between is missed.
func (h *Host) Follow(fs *state.Followers) {
	fs.FollowClosely("routes", h.followRoutes)
	fs.FollowClosely("grants", h.holds.follow)
	fs.FollowClosely("sessions", h.gate.Follow)
	fs.Follow("signatures", true, h.followKeys)
	fs.Follow("secrets", true, h.followSecrets)
	fs.Follow("lives", true, ofApps(h.heed))
	fs.Follow("triggers", true, ofApps(h.deliveries.learn))
}

// Distrust has every address read, and every release verified, again: for when the feed cannot be read,
// so that it cannot be told what of them has changed.
func (h *Host) Distrust() {
	h.routes.forgetAll()
	h.gate.Distrust()
	every := func(registry.Signer) bool { return true }
	h.programs.drop(every)
	h.sites.drop(every)
}

// EndVisits ends what runs at apps' addresses for sessions that have ended by themselves.
func (h *Host) EndVisits(ctx context.Context) error { return h.gate.EndVisits(ctx) }

// ofApps calls follow for each app that events name, once.
func ofApps(follow func(ctx context.Context, app string) error) state.Apply {
	return func(ctx context.Context, events []abi.Event) error {
		for app := range named(events) {
			if err := follow(ctx, app); err != nil {
				return err
			}
		}
		return nil
	}
}

func named(events []abi.Event) map[string]bool {
	apps := map[string]bool{}
	for _, e := range events {
		if e.App != "" {
			apps[e.App] = true
		}
	}
	return apps
}

// followRoutes has the addresses of changed apps read again. A route names people, whose apps the event
// of their renaming does not name: all are read again then. Programs of which the owner or the group has
// changed are loaded again, on the new one's account.
func (h *Host) followRoutes(_ context.Context, events []abi.Event) error {
	if slices.ContainsFunc(events, func(e abi.Event) bool { return e.Kind == "user.renamed" }) {
		h.routes.forgetAll()
	}
	h.routes.forget(named(events))
	for _, e := range events {
		switch e.Kind {
		case "user.renamed":
			h.programs.forgetOf(e.Detail["was"])
		case "app.transferred", "app.shared":
			h.programs.forget(e.App)
		}
	}
	return nil
}

// followKeys drops what a key signed that is not trusted any more, so that it no longer loads. What
// others signed goes on undisturbed.
func (h *Host) followKeys(_ context.Context, events []abi.Event) error {
	for _, e := range events {
		if e.Kind != "key.deleted" {
			continue
		}
		signed := func(s registry.Signer) bool { return s.Method == registry.MethodKey && s.KeyHint == e.Subject }
		h.programs.drop(signed)
		h.sites.drop(signed)
	}
	return nil
}

// followSecrets has values that are set looked for in their apps' logs, before an app can read them,
// and forgets those of apps that are removed. What was deleted is looked for still: the app has
// read it.
func (h *Host) followSecrets(ctx context.Context, events []abi.Event) error {
	for _, e := range events {
		switch e.Kind {
		case "secret.set":
			_, err := h.lines.open(ctx, e.App, e.Subject)
			if errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrSealed) {
				continue // it was deleted since, or no app can read it either
			}
			if err != nil {
				return err
			}
		case "app.removed":
			h.lines.forget(e.App)
		}
	}
	return nil
}

// learnAll lets every app be called as the state says, and has its triggers call it.
func (h *Host) learnAll(ctx context.Context) error {
	var apps []registry.App
	err := h.o.State.View(ctx, func(tx state.Reader) (err error) {
		apps, err = tx.Apps()
		return err
	})
	for _, app := range apps {
		err = errors.Join(err, h.heed(ctx, app.Name), h.deliveries.learn(ctx, app.Name))
	}
	return err
}

// heed lets an app be called, or not, as its state says.
func (h *Host) heed(ctx context.Context, name string) error {
	var app registry.App
	err := h.o.State.View(ctx, func(tx state.Reader) (err error) {
		if app, err = tx.App(name); errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the state of app %q: %w", name, err)
	}
	why := app.Stopped()
	h.lives.of(name).set(why)
	if why != nil {
		h.programs.forget(name)
	}
	return nil
}

// rightsAt are what releases have, by the rules and the time.
type rightsAt struct {
	rules approvals.Rules
	now   func() time.Time
}

// of returns what a release has in a tier.
func (r rightsAt) of(tx state.Reader, release registry.Release, tier abi.Tier) (map[string]approvals.Right, error) {
	return rights.Of(tx, r.rules, release, tier, r.now())
}
