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
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

// routes remembers what host labels led to, until the next change of state.
// Only labels that lead somewhere are remembered, so that made-up names cannot
// fill the memory.
type routes struct{ table atomic.Pointer[sync.Map] }

func (r *routes) current() *sync.Map {
	if m := r.table.Load(); m != nil {
		return m
	}
	r.table.CompareAndSwap(nil, new(sync.Map))
	return r.table.Load()
}

func (r *routes) reset() { r.table.Store(new(sync.Map)) }

// target is one release in one tier, ready to be called.
type target struct {
	host    *Host
	app     registry.App
	release registry.Release
	tier    abi.Tier
	links   map[string]abi.Link // what is granted, bound to the app
	until   time.Time           // when a grant ends; zero: never
	tags    metering.Tags       // whom usage is charged to, but for its trigger
	stderr  func(line string)   // to the app's log
}

var _ gateway.Router = (*Host)(nil)

// Route finds the release behind a Host header. A label below the apps' domain
// is an app, "<tier>--<app>" for one tier of it, or "r<number>--<app>" for the
// preview of one release. "--" occurs in no app's name. Elsewhere it is a host
// name that an operator gave to an app, and nothing near it.
func (h *Host) Route(ctx context.Context, host string) (gateway.Route, error) {
	name := canonicalHost(host)
	label, below := strings.CutSuffix(name, "."+h.origins.appsDomain)
	if below && (label == "" || strings.ContainsAny(label, ".:")) {
		return nil, noSuchHost(host)
	}
	if !below {
		label = name // it has a dot, which no label below the domain has
	}
	// The table is taken before the state is read: a change in between drops
	// this table, and with it what is about to be stored.
	table := h.routes.current()
	if found, ok := table.Load(label); ok {
		if t := found.(*target); t.until.IsZero() || h.o.Now().Before(t.until) {
			return t, nil
		}
	}
	t, err := h.resolve(ctx, host, label, below)
	if err != nil {
		return nil, err
	}
	table.Store(label, t)
	return t, nil
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
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
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
		tier, number, err := selectRelease(app, selector)
		if err != nil {
			return err
		}
		t, err = h.newTarget(tx, app, tier, number)
		return err
	})
	return t, err
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

func (h *Host) newTarget(tx *boltstore.Tx, app registry.App, tier abi.Tier, number int) (*target, error) {
	release, err := tx.Release(app.Name, number)
	if err != nil {
		return nil, fmt.Errorf("release %d of app %q: %w", number, app.Name, err)
	}
	rights, err := h.rights(tx, release, tier)
	if err != nil {
		return nil, err
	}
	t := &target{host: h, app: app, release: release, tier: tier, links: map[string]abi.Link{}}
	t.tags = h.tags(t)
	t.stderr = func(line string) { h.line(app.Name, number, "info", "stderr", line) }
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
	}
}
