package apps

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Addresses are where people find apps. They are known once the node listens.
type Addresses interface {
	// AppURL returns the address that a label below the apps' domain makes.
	AppURL(label string) string
	// Canonical returns the one form of a host, perhaps with a port.
	Canonical(host string) string
	// Reserved reports whether a host is, or may become, another origin of the node.
	Reserved(host string) bool
}

// Uses reads what releases did with their capabilities, up to now.
type Uses interface {
	UsedBy(tx state.Reader, app string, release int) ([]approvals.Used, error)
	UsedByAny(tx state.Reader, app string) ([]approvals.Used, error)
}

// Stock says how much an app keeps. That is in another file than the state: it is read before a
// transaction.
type Stock interface {
	Used(ctx context.Context, app string) (abi.KVQuota, error)
	BlobsUsed(ctx context.Context, app string) (abi.KVQuota, error)
}

// CatalogueOptions are what a Catalogue needs.
type CatalogueOptions struct {
	Desk      *control.Desk
	Rules     approvals.Rules
	Addresses Addresses
	Uses      Uses
	Stock     Stock
	Keep      Retention
	// Engines are the versions of what makes modules of scripts; the last is this node's.
	Engines control.Engines
}

// Catalogue shows apps and releases, and gives apps their host names.
type Catalogue struct {
	desk    *control.Desk
	rules   approvals.Rules
	at      Addresses
	uses    Uses
	stock   Stock
	keep    Retention
	engines control.Engines
	shelf   shelf
	lately  lately
}

// NewCatalogue makes a Catalogue.
func NewCatalogue(o CatalogueOptions) *Catalogue {
	return &Catalogue{desk: o.Desk, rules: o.Rules, at: o.Addresses, uses: o.Uses, stock: o.Stock, keep: o.Keep, engines: o.Engines}
}

// Apps lists apps by title. Everyone without a role sees the public face of those that serve, and
// their own: they are the end users of the marketplace.
func (c *Catalogue) Apps(ctx context.Context, search registry.Search, p control.Page) (apps control.Items[control.App], err error) {
	actor, err := c.desk.Door(ctx, access.FindApp)
	if err == nil && (search.Orphaned || search.OldEngine) {
		err = access.May(actor, access.ReadCatalogue, access.TheNode)
	}
	if err != nil {
		return apps, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) error {
		all, err := c.shelf.look(tx)
		if err != nil {
			return err
		}
		found, err := c.matching(tx, actor, search, all)
		if err != nil {
			return err
		}
		page, err := control.Cut(p, found, (*registry.Listing).Place)
		if err != nil {
			return err
		}
		apps, err = control.Shown(page, func(l *registry.Listing) (control.App, error) {
			shown, err := c.showApp(tx, actor, l.App)
			if l.Engine != "" && access.Allowed(actor, access.ReadApp, control.OfApp(l.App)) {
				shown.Engine = c.judge(l.Engine)
			}
			return shown, err
		})
		return err
	})
	return apps, err
}

// matching returns the listings that a search finds among those that an actor may find.
func (c *Catalogue) matching(tx state.Reader, actor access.Actor, search registry.Search, all []*registry.Listing) (found []*registry.Listing, err error) {
	var groups []string
	if search.Owner != "" {
		if groups, err = tx.GroupsOf(search.Owner); err != nil {
			return nil, err
		}
	}
	matches := search.Matcher(groups)
	for _, l := range all {
		if l.App.Removal != nil || !matches(l) || !access.Allowed(actor, access.FindApp, control.OfApp(l.App)) {
			continue
		}
		if search.OldEngine && (l.Engine == "" || !c.judge(l.Engine).TooOld()) {
			continue
		}
		if search.Orphaned {
			if orphaned, _, err := control.Orphaned(tx, l.App); err != nil || !orphaned {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		found = append(found, l)
	}
	return found, nil
}

// publicFace leaves of an app what its callers may know.
func publicFace(a control.App) control.App {
	face := control.App{
		App:   registry.App{Name: a.Name, Title: a.Title, Description: a.Description, Owner: a.Owner, Team: a.Team, Active: map[abi.Tier]int{}},
		State: a.State, URL: a.URL, Tier: a.Tier, TierURLs: map[abi.Tier]string{},
	}
	if m := a.Maintenance; m != nil {
		face.Maintenance = &registry.Maintenance{Until: m.Until, Successor: m.Successor}
	}
	return face
}

// App reads one app.
func (c *Catalogue) App(ctx context.Context, name string) (shown control.App, err error) {
	actor, err := c.desk.Door(ctx, access.FindApp)
	if err != nil {
		return shown, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) error {
		shown, err = c.AppIn(tx, actor, name)
		return err
	})
	return shown, err
}

// AppIn is App in one state.
func (c *Catalogue) AppIn(tx state.Reader, actor access.Actor, name string) (control.App, error) {
	app, err := findable(tx, actor, name)
	if err != nil {
		return control.App{}, err
	}
	return c.showOne(tx, actor, app)
}

// findable reads an app of the actor's catalogue. Of another one it is not told that it is there.
func findable(tx state.Reader, actor access.Actor, name string) (registry.App, error) {
	app, err := find(tx, name)
	if err == nil && !access.Allowed(actor, access.FindApp, control.OfApp(app)) {
		err = fmt.Errorf("app %q: %w", name, registry.ErrNotFound)
	}
	return app, err
}

// showOne returns an app as it is shown where one is: with what the actor may do to it, and with what
// rolling it back leads to.
func (c *Catalogue) showOne(tx state.Reader, actor access.Actor, app registry.App) (control.App, error) {
	shown, err := c.showApp(tx, actor, app)
	if err != nil || !access.Allowed(actor, access.ReadApp, control.OfApp(app)) {
		return shown, err
	}
	shown.May = lifeActs(actor, app)
	if shown.Engine, shown.Findings, err = c.enginesOf(tx, app); err != nil {
		return shown, err
	}
	shown.Previous = map[abi.Tier]int{}
	for _, tier := range abi.Tiers() {
		n, err := registry.Previous(tx.TierActivations(app.Name, tier))
		if err == nil {
			shown.Previous[tier] = n
		} else if !errors.Is(err, registry.ErrNoPrevious) {
			return shown, err
		}
	}
	return shown, nil
}

// showApp returns an app as the actor may see it.
func (c *Catalogue) showApp(tx state.Reader, actor access.Actor, app registry.App) (control.App, error) {
	waiting, err := tx.CountOpen(app.Name)
	shown := control.App{App: app, State: app.State(), URL: c.at.AppURL(app.Name), TierURLs: map[abi.Tier]string{}, Waiting: waiting}
	if tier, n, ok := app.Serving(); ok {
		shown.Tier, shown.Serving = tier, n
	}
	for tier, n := range app.Active {
		if n > 0 {
			shown.TierURLs[tier] = c.at.AppURL(string(tier) + "--" + app.Name)
		}
	}
	if !access.Allowed(actor, access.ReadApp, control.OfApp(app)) {
		return publicFace(shown), err
	}
	if app.Group != "" && err == nil {
		var g access.Group
		g, err = tx.Group(app.Group)
		shown.GroupName = g.Name
	}
	if err == nil {
		shown.Orphaned, shown.Successor, err = control.Orphaned(tx, app)
	}
	return shown, err
}

// Releases lists an app's releases, newest first.
func (c *Catalogue) Releases(ctx context.Context, name string, p control.Page) (releases control.Items[control.Release], err error) {
	if _, err := c.desk.Door(ctx, access.ReadReleases); err != nil {
		return releases, err
	}
	stored, err := c.Stored(ctx, name)
	if err != nil {
		return releases, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) error {
		app, err := find(tx, name)
		if err != nil {
			return err
		}
		v, err := c.showing(tx, app, stored)
		if err != nil {
			return err
		}
		releases, err = v.part(p, v.show)
		return err
	})
	return releases, err
}

// part returns a part of the app's releases, newest first, each as show returns it.
func (v *showing) part(p control.Page, show func(registry.Release) (control.Release, error)) (none control.Items[control.Release], err error) {
	found, err := control.Part(p, func(p state.Part) ([]registry.Release, []byte, error) { return v.tx.ReleasesPart(v.app.Name, p) })
	if err != nil {
		return none, err
	}
	return control.Shown(found, show)
}

// Release reads one release.
func (c *Catalogue) Release(ctx context.Context, name string, number int) (shown control.Release, err error) {
	if _, err := c.desk.Door(ctx, access.ReadReleases); err != nil {
		return shown, err
	}
	stored, err := c.Stored(ctx, name)
	if err != nil {
		return shown, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return noRelease(name, number, err)
		}
		v, err := c.showing(tx, app, stored)
		if err == nil {
			shown, err = v.one(number)
		}
		return err
	})
	return shown, err
}

// one returns a release of the app as it is shown where one is.
func (v *showing) one(number int) (control.Release, error) {
	r, err := v.tx.Release(v.app.Name, number)
	if err != nil {
		return control.Release{}, noRelease(v.app.Name, number, err)
	}
	shown, err := v.show(r)
	if err == nil {
		shown.MayServe, err = v.mayServe(shown)
	}
	return shown, err
}

func noRelease(app string, number int, err error) error {
	return fmt.Errorf("release %d of app %q: %w", number, app, err)
}

// mayServe lists the tiers that could be routed to a release now and are not.
func (v *showing) mayServe(r control.Release) (tiers []abi.Tier, err error) {
	if registry.StillTrusted(v.tx, r.Release) != nil {
		return nil, nil
	}
	requests, _, err := v.tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	for _, tier := range abi.Tiers() {
		lacks := rights.Lacks(r.Release, v.rights(r.Release, tier))
		if len(lacks) == 0 && promoted(r.Release, tier, requests) && !slices.Contains(r.ActiveIn, tier) {
			tiers = append(tiers, tier)
		}
	}
	return tiers, nil
}

// Activations lists the history of an app's routes, newest first.
func (c *Catalogue) Activations(ctx context.Context, name string, p control.Page) (all control.Items[registry.Activation], err error) {
	if _, err := c.desk.Door(ctx, access.ReadReleases); err != nil {
		return all, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) (err error) {
		if _, err = find(tx, name); err != nil {
			return err
		}
		all, err = activations(tx, name, p)
		return err
	})
	return all, err
}

func activations(tx state.Reader, app string, p control.Page) (control.Items[registry.Activation], error) {
	return control.Part(p, func(p state.Part) ([]registry.Activation, []byte, error) { return tx.ActivationsPart(app, p) })
}
