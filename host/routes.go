package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// routes remembers what host labels led to, until the next change of the app. Only labels that
// lead somewhere are remembered, so that made-up names cannot fill the memory.
type routes struct {
	byLabel sync.Map // of *target; read without the lock

	mu      sync.Mutex          // guards all below, and writing of byLabel
	labels  map[string][]string // by app
	count   int                 // of labels
	clock   uint64              // counts changes
	changed map[string]uint64   // by app, when it was last changed
	reset   uint64              // when all of them were
}

// maxRoutes bounds how many labels are remembered.
const maxRoutes = 10_000

// find returns what a label leads to, or from when on it has to be read: that is for keep.
func (r *routes) find(label string, now time.Time) (t *target, since uint64) {
	if found, ok := r.byLabel.Load(label); ok {
		if t := found.(*target); t.until.IsZero() || now.Before(t.until) {
			return t, 0
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return nil, r.clock
}

// keep remembers a target, unless its app was changed since the state was read for it.
func (r *routes) keep(label string, t *target, since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if max(r.changed[t.app.Name], r.reset) > since {
		return
	}
	if r.count >= maxRoutes || r.labels == nil {
		r.clear()
	}
	if !slices.Contains(r.labels[t.app.Name], label) {
		r.labels[t.app.Name] = append(r.labels[t.app.Name], label)
		r.count++
	}
	r.byLabel.Store(label, t)
}

// number is how many labels are remembered.
func (r *routes) number() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// clear forgets every label; r.mu is held.
func (r *routes) clear() {
	r.byLabel.Clear()
	r.labels, r.count = map[string][]string{}, 0
}

// forgetAll has every address read again: for when what was changed cannot be told.
func (r *routes) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock++
	r.reset, r.changed = r.clock, nil
	r.clear()
}

// forget has the addresses of some apps read again. What leads to others stays.
func (r *routes) forget(apps map[string]bool) {
	if len(apps) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = map[string]uint64{}
	}
	r.clock++
	for app := range apps {
		for _, label := range r.labels[app] {
			r.byLabel.Delete(label)
		}
		r.count -= len(r.labels[app])
		delete(r.labels, app)
		r.changed[app] = r.clock
	}
}

// LeadsTo returns the release and the tier that a route leads to, and the capabilities that it links.
func (t *target) LeadsTo() (release int, tier abi.Tier, capabilities []string) {
	return t.release.Number, t.tier, slices.Sorted(maps.Keys(t.links))
}

// target is one release in one tier, ready to be called.
type target struct {
	host    *Host
	app     registry.App
	release registry.Release
	tier    abi.Tier
	links   map[string]abi.Link // what is granted, bound to the app
	until   time.Time           // when a grant ends; zero: never
	tags    metering.Tags       // whom usage is charged to, but for its trigger
	life    *life               // of the app
	door    *gate.Door          // who is let in at the address; nil for what has none
}

var _ gateway.Router = (*Host)(nil)

// Route finds the release behind a Host header. A label below the apps' domain
// is an app, "<tier>--<app>" for one tier of it, or "r<number>--<app>" for the
// preview of one release. "--" occurs in no app's name. Elsewhere it is a host
// name that an operator gave to an app, and nothing near it.
func (h *Host) Route(ctx context.Context, host string) (gateway.Route, error) {
	label, below := h.o.Addresses.Label(host) // a host elsewhere has a dot, which no label has
	if below && (label == "" || strings.ContainsAny(label, ".:")) {
		return nil, noSuchHost(host)
	}
	t, since := h.routes.find(label, h.o.Now())
	if t != nil {
		return t, nil
	}
	t, err := h.resolve(ctx, host, label, below)
	if err != nil {
		return nil, h.unseen(ctx, err)
	}
	h.routes.keep(label, t, since)
	return t, nil
}

// unseen says of an error of the node's own, while an address is looked up, that it is not known who may open
// the app. What is damaged stays so, and is named.
func (h *Host) unseen(ctx context.Context, err error) error {
	if ctx.Err() != nil || !h.o.Problem(err).Internal || errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", access.ErrUnseen, err)
}

// AppAt returns the app that an address leads to, if the address is written in its one form.
func (h *Host) AppAt(ctx context.Context, host string) (registry.App, error) {
	route, err := h.Route(ctx, host)
	if err != nil {
		return registry.App{}, err
	}
	t := route.(*target)
	if t.door.Host != host {
		return registry.App{}, noSuchHost(host)
	}
	return t.app, nil
}

func noSuchHost(host string) error {
	return fmt.Errorf("host %q is neither an app's address nor the console's: %w", host, registry.ErrNotFound)
}

// resolve reads what a label below the apps' domain leads to, or a host name that
// an operator gave to an app.
func (h *Host) resolve(ctx context.Context, host, label string, below bool) (*target, error) {
	selector, name, split := strings.Cut(label, "--")
	if !split || !below {
		selector, name = serving, label
	}
	var t *target
	err := h.o.State.View(ctx, func(tx state.Reader) error {
		if !below {
			given, err := tx.HostName(label)
			if errors.Is(err, registry.ErrNotFound) {
				return noSuchHost(host)
			}
			if err != nil {
				return err
			}
			name = given.App
		}
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if err := app.Stopped(); err != nil {
			return err
		}
		tier, number, err := selectRelease(app, selector)
		if err != nil {
			return err
		}
		if t, err = h.newTarget(tx, app, tier, number); err != nil {
			return err
		}
		return t.hang(tx, label, below)
	})
	return t, err
}

// hang gives a target the door of its address.
func (t *target) hang(tx state.Reader, label string, below bool) error {
	d := gate.Door{App: t.app, Tier: t.tier, Host: label, Opens: t.opens}
	if below {
		d.Host = t.host.o.Addresses.AppHost(label)
	}
	if asks := t.release.Manifest.Access; asks != nil {
		d.Workers, d.Identity = asks.ServiceWorkers, access.Disclosure(asks.Identity)
	}
	d.Reviewed = t.reviewed()
	var err error
	d.Audience, err = access.AudienceOf(tx, t.app.Name, t.tier, t.host.o.Audience)
	t.door = t.host.gate.Door(d)
	return err
}

// serving selects what the highest tier serves. No label can spell it.
const serving = "."

// selectRelease reads a label's selector.
func selectRelease(app registry.App, selector string) (abi.Tier, int, error) {
	if selector == serving {
		if tier, n, ok := app.Serving(); ok {
			return tier, n, nil
		}
		return "", 0, fmt.Errorf("app %q: %w", app.Name, registry.ErrNotActive)
	}
	if tier := abi.Tier(selector); tier.Rank() >= 0 {
		if n := app.Active[tier]; n > 0 {
			return tier, n, nil
		}
		return "", 0, fmt.Errorf("app %q in the %s tier: %w", app.Name, tier, registry.ErrNotActive)
	}
	digits, ok := strings.CutPrefix(selector, "r")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != digits {
		return "", 0, fmt.Errorf("address %q of app %q: %w", selector, app.Name, registry.ErrNotFound)
	}
	return abi.TierSandbox, n, nil
}

func (h *Host) newTarget(tx state.Reader, app registry.App, tier abi.Tier, number int) (*target, error) {
	release, err := tx.Release(app.Name, number)
	if err != nil {
		return nil, fmt.Errorf("release %d of app %q: %w", number, app.Name, err)
	}
	rights, err := h.rights.of(tx, release, tier)
	if err != nil {
		return nil, err
	}
	t := &target{host: h, app: app, release: release, tier: tier, links: map[string]abi.Link{}, life: h.lives.of(app.Name)}
	t.tags = usageTags(h.o.Environment, app, tier, release)
	for _, word := range slices.Sorted(maps.Keys(rights)) {
		t.link(word, rights[word])
	}
	return t, nil
}

// link binds what a release has a right to.
func (t *target) link(word string, right approvals.Right) {
	if g := right.Grant; g != nil && !g.Expires.IsZero() && (t.until.IsZero() || g.Expires.Before(t.until)) {
		t.until = g.Expires
	}
	if bind := t.host.binders[word]; bind != nil {
		t.links[word] = bind(t, right.Params)
		if right.Grant != nil {
			t.links[word] = t.host.holds.guard(word, right.Grant, t.links[word], t.host.o.Now)
		}
	}
}
