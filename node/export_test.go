package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/approvals/rego"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/store/logstore"
)

// SetProgramBudget changes how much the programs in memory may keep.
func (o *Options) SetProgramBudget(n int64) { o.programs = n }

// LoadedPrograms is how many programs are in memory.
func (h *Node) LoadedPrograms() int { return h.Host.InMemory().Programs }

// EngineLimits is what a release may use.
var EngineLimits = host.EngineLimits

// CheckConfinement makes the line of the doctor about what a system lacks.
var CheckConfinement = checkConfinement

// KeptRoutes is how many labels are remembered.
func (h *Node) KeptRoutes() int {
	return h.Host.InMemory().Routes
}

// AddressesOf are the addresses that a node prints when it listens on a port.
func AddressesOf(o Options, port int) (console, apps string, err error) {
	g, err := o.origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	return g.consoleURL, g.appURL("x"), err
}

// Snapshot makes a snapshot now.
func (h *Node) Snapshot(ctx context.Context) error { return h.Upkeep.snapshot(ctx) }

// SetApp writes an app's own data.
func (h *Node) SetApp(ctx context.Context, app, key, value string) error {
	return h.kv.Write(ctx, app, abi.KVWrite{Key: key, Value: []byte(value)}, abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20})
}

// GetApp reads an app's own data.
func (h *Node) GetApp(ctx context.Context, app, key string) (string, error) {
	value, err := h.kv.Get(ctx, app, key)
	return string(value), err
}

// PutFile writes one of an app's larger values.
func (h *Node) PutFile(ctx context.Context, app, name string, b []byte) error {
	return h.files.Put(ctx, app, name, b, abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20})
}

// GetFile reads one of an app's larger values.
func (h *Node) GetFile(ctx context.Context, app, name string) ([]byte, error) {
	return h.files.Get(ctx, app, name, 0, 1<<30)
}

// StoreFiles are the names of the files that change in place.
func StoreFiles() (names []string) {
	for _, s := range storeFiles {
		names = append(names, s.name)
	}
	return names
}

// Budget returns one of the node's budgets by its name.
func (h *Node) Budget(name string) (s budget.State) {
	for _, b := range h.budgets.all {
		if b.State().Name == name {
			s = b.State()
		}
	}
	return s
}

// SetGrace changes how far clients may fall behind the least rate.
func SetGrace(o *Options, d time.Duration) { o.grace = d }

// Wake makes the node look at the clock.
func (h *Node) Wake() { h.Host.Triggers.Wake() }

// SetPace changes how many times as long as it works a copy rests.
func (h *Node) SetPace(times int) { h.Upkeep.resting = time.Duration(times) }

// NodeID is nodeID.
var NodeID = nodeID

// OpenData opens all that a node keeps, as New does, and nothing more.
func OpenData(ctx context.Context, o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Node{o: o, log: o.Logger, started: o.Now(), budgets: &budgets{}, reserve: newReserve(o)}
	if h.signIn, err = openSignIn(o, h.log); err != nil {
		return nil, err
	}
	if h.policy, err = rego.New(ctx, rego.Options{}); err != nil {
		return nil, err
	}
	if err := h.openData(ctx); err != nil {
		return nil, errors.Join(err, h.Stop(ctx))
	}
	return h, nil
}

// CheckData is Doctor without what opening has just done: reading the stores'
// files.
func (h *Node) CheckData(ctx context.Context) ([]Check, error) {
	d := doctor{dir: h.o.DataDir}
	releases, err := d.releases(ctx, h.store, h.verifier.verified)
	return append(d.reconcile(ctx, h.meter), d.blobs(ctx, h.blobs), releases, d.files(ctx, h.files), d.secrets(ctx, h.store, h.ring), d.certificates(ctx, h.Keeper)), err
}

// BilledCalls is how many calls are billed.
func (h *Node) BilledCalls(ctx context.Context) (uint64, error) {
	now := h.o.Now()
	r, err := h.meter.Report(ctx, metering.Query{From: now.Add(-24 * time.Hour), To: now.Add(24 * time.Hour)})
	return r.Total.Calls, err
}

// FileOf reads an app's file.
func (h *Node) FileOf(ctx context.Context, app, name string) ([]byte, error) {
	return h.files.Get(ctx, app, name, 0, abi.MaxBlob)
}

// SecretOf reads an app's secret.
func (h *Node) SecretOf(ctx context.Context, app, name string) ([]byte, error) {
	var s secrets.Secret
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		s, err = tx.Secret(app, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return h.ring.Open(s)
}

// Serves is the release that an app serves, 0 for none.
func (h *Node) Serves(ctx context.Context, name string) (number int, err error) {
	err = h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err == nil {
			_, number, _ = app.Serving()
		}
		return err
	})
	return number, err
}

// Waiting counts the deliveries that are not done, by the ids of their events.
func (h *Node) Waiting(ctx context.Context) (map[string]int, error) {
	s, err := h.queue.Load(ctx)
	ids := map[string]int{}
	for _, v := range s.Deliveries {
		ids[v.ID]++
	}
	return ids, err
}

// SetDisk changes what the node's disk says of itself.
func (h *Node) SetDisk(free, size int64) {
	h.reserve.mu.Lock()
	defer h.reserve.mu.Unlock()
	h.reserve.at = time.Time{}
	h.reserve.stat = func(string) (int64, int64, error) { return free, size, nil }
}

// Taking is how much of the disk running uploads have set aside.
func (h *Node) Taking() int64 {
	h.reserve.mu.Lock()
	defer h.reserve.mu.Unlock()
	return h.reserve.taking
}

// DefaultReserve is defaultReserve.
var DefaultReserve = defaultReserve

// HoldCopy does what a backup does to others while it is made.
func (h *Node) HoldCopy(ctx context.Context) (release func(), err error) {
	return h.Upkeep.endCopy, h.Upkeep.beginCopy(ctx)
}

// Enter stores a release of the actor's that was admitted, as Publish does: for
// tests that need many and call none.
func (h *Node) Enter(ctx context.Context, manifest, module []byte) (control.Published, error) {
	actor := access.ActorFrom(ctx)
	bundle, err := h.authority.SignAs(ctx, module, actor.User)
	if err != nil {
		return control.Published{}, err
	}
	digest, err := h.blobs.Put(ctx, module)
	if err != nil {
		return control.Published{}, err
	}
	signature, err := h.blobs.Put(ctx, bundle)
	if err != nil {
		return control.Published{}, err
	}
	m, err := registry.ParseManifest(manifest)
	if err != nil {
		return control.Published{}, err
	}
	m = m.WithDefaults()
	var imports []string
	for word := range m.Capabilities {
		imports = append(imports, word)
	}
	r := registry.Release{
		App: m.Name, Version: m.Version, Digest: digest, Manifest: m, Interface: abi.InterfaceV1, Capabilities: m.Needs(imports), Bundle: signature,
		Signer: registry.Signer{Identity: actor.User, Method: "identity", Trust: "local"}, Created: h.o.Now().UTC(), CreatedBy: actor.User,
	}
	return h.Publishing.Enter(ctx, actor, r)
}

// BeforeChange lets something run between a verdict of the rules and the
// transaction that relies on it.
func (h *Node) BeforeChange(f func()) { h.beforeChange = f }

// Links are the release and the tier that an address leads to, and the capabilities
// that are linked there.
func (h *Node) Links(ctx context.Context, label string) (release int, tier abi.Tier, links []string, err error) {
	route, err := h.Host.Route(ctx, label+"."+h.origins.appsDomain)
	if err != nil {
		return 0, "", nil, err
	}
	release, tier, links = route.(interface {
		LeadsTo() (release int, tier abi.Tier, capabilities []string)
	}).LeadsTo()
	return release, tier, links, nil
}

// ForgetReviewed makes grants and requests look as they did before they said what
// was reviewed.
func (h *Node) ForgetReviewed(ctx context.Context) error {
	_, err := h.file.Update(ctx, "", func(tx state.Tx) error {
		grants, _, err := tx.GrantsPart("", state.Part{Limit: -1})
		for _, g := range grants {
			g.Reviewed, g.Except = approvals.Terms{}, nil
			err = errors.Join(err, tx.PutGrant(g))
		}
		requests, _, err2 := tx.RequestsPart("", "", state.Part{Limit: -1})
		err = errors.Join(err, err2)
		for _, q := range requests {
			q.Reviewed = approvals.Terms{}
			err = errors.Join(err, tx.PutRequest(q))
		}
		return err
	})
	return err
}

// Inject has f called wherever a goroutine of the node, or a step that it guards, begins.
func (o *Options) Inject(f func(where string)) { o.inject = f }

// Gather is for how long a mail waits for what happens together.
func (o *Options) Gather(d time.Duration) { o.gather = d }

// Engines says which versions of the JavaScript engine the node knows.
func (o *Options) Engines(known control.Engines) { o.engines = known }

// RunTwice has every change of the node's state run twice, see statetest.Strict.
func (o *Options) RunTwice(t testing.TB) {
	o.wrap = func(s state.Store) state.Store { return statetest.Strict(t, s) }
}

// RunOnce undoes RunTwice, for changes whose second run may be with another key of the ring.
func (o *Options) RunOnce() { o.wrap = nil }

// CountViews counts the Views of the node's state that are read for contexts with a value of a key.
// It goes on top of RunTwice.
func (o *Options) CountViews(key any) *atomic.Int64 {
	var n atomic.Int64
	inner := o.wrap
	o.wrap = func(s state.Store) state.Store { return countedViews{inner(s), key, &n} }
	return &n
}

type countedViews struct {
	state.Store
	key any
	n   *atomic.Int64
}

func (v countedViews) View(ctx context.Context, read func(state.Reader) error) error {
	if ctx.Value(v.key) != nil {
		v.n.Add(1)
	}
	return v.Store.View(ctx, read)
}

// FailChanges is RunTwice with a store whose changes fail, after they have run, while fail returns true.
func (o *Options) FailChanges(t testing.TB, failing *statetest.Failing) {
	o.wrap = func(s state.Store) state.Store {
		failing.Store = s
		return statetest.Strict(t, failing)
	}
}

// Effects writes down all that a change of the state can have an effect on: the state, what waits to be
// delivered, what calls apps, where addresses lead, what is looked for in logs, and stored modules.
func (h *Node) Effects(ctx context.Context, apps ...string) string {
	var b strings.Builder
	err := h.store.View(ctx, func(tx state.Reader) error {
		b.WriteString(lastUse.ReplaceAllString(statetest.Dump(tx), ""))
		return nil
	})
	queued, queueErr := h.queue.Load(ctx)
	fmt.Fprintf(&b, "queue %+v\n", queued.Deliveries)
	for _, app := range apps {
		for _, v := range h.Host.Triggers.Views(app) { // not its status, which the dispatcher stores when it has time
			fmt.Fprintln(&b, v.Ref, v.Path, v.Paused, v.Live, v.Queued, v.Running, v.Dead)
		}
		fmt.Fprintf(&b, "%s redacts %s\n", app, h.Host.Redacted(app, "a secret value"))
		route, routeErr := h.Host.Route(ctx, app+"."+h.origins.appsDomain)
		fmt.Fprintf(&b, "%s leads to %p, %v\n", app, route, routeErr)
	}
	blobs, _ := filepath.Glob(filepath.Join(h.o.DataDir, "blobs", "sha256", "*", "*"))
	fmt.Fprintf(&b, "programs %d, blobs %v, %v\n", h.LoadedPrograms(), blobs, errors.Join(err, queueErr))
	return b.String()
}

// OnItsWay is how many deliveries to an app run or wait.
func (h *Node) OnItsWay(app string) (n int) {
	for _, v := range h.Host.Triggers.Views(app) {
		n += int(v.Queued + v.Running)
	}
	return n
}

// CaughtUp reports whether each change has had all its effects, those that follow in the background too.
func (h *Node) CaughtUp(ctx context.Context) bool {
	rev, err := h.store.Rev(ctx)
	return err == nil && !slices.ContainsFunc(h.followers.State(), func(f state.Following) bool { return f.Rev < rev })
}

// Panics counts the panics that were recovered, by place.
func (h *Node) Panics() map[string]uint64 { return h.watch.Counts() }

// DropPrograms puts all programs out of memory.
func (h *Node) DropPrograms() { h.Host.Distrust() }

// Change changes the state as the node itself, without anybody being asked.
func (h *Node) Change(ctx context.Context, change func(state.Tx) error) (abi.Rev, error) {
	return h.desk.Update(ctx, "node", change)
}

// Flush brings what was counted to the store.
func (h *Node) Flush(ctx context.Context) error { return h.meter.Flush(ctx) }

// Heal begins a new journal, if the last one failed.
func (h *Node) Heal(ctx context.Context) error { return h.meter.Heal(ctx) }

// Billed is all that is billed, whatever the clock was, by trigger.
func (h *Node) Billed(ctx context.Context, trigger string) (metering.Usage, error) {
	now := h.o.Now()
	r, err := h.meter.Report(ctx, metering.Query{From: now.Add(-30 * 24 * time.Hour), To: now.Add(24 * time.Hour), By: []string{"trigger"}})
	for _, row := range r.Rows {
		if row.Group["trigger"] == trigger {
			return row.Usage, err
		}
	}
	return metering.Usage{}, err
}

// ProgramUsers is how many calls hold a program in memory.
func (h *Node) ProgramUsers() int { return h.Host.InMemory().Calls }

// Calmly is what each handler of the node is within.
func (h *Node) Calmly(next http.Handler) http.Handler { return h.front.calmly(next) }

// Fill stores as many releases of an app, requests (every other one decided), grants and
// events, in the likeness of release 1, without uploads and quotas.
func (h *Node) Fill(ctx context.Context, app string, n int) error {
	for from := 2; from <= n; from += 500 {
		_, err := h.store.Update(ctx, "test", func(tx state.Tx) error {
			a, err := tx.App(app)
			if err != nil {
				return err
			}
			r, err := tx.Release(app, 1)
			if err != nil {
				return err
			}
			for i := from; i < from+500 && i <= n; i++ {
				r.Number, a.Releases = i, i
				err = errors.Join(err, tx.AddRelease(r), fillRequest(tx, app, i), tx.AddActivation(registry.Activation{App: app, Tier: abi.TierSandbox, Release: i, Previous: i - 1}))
				tx.Emit("release.published", app, strconv.Itoa(i), nil)
			}
			return errors.Join(err, tx.PutApp(a))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fillRequest(tx state.Tx, app string, n int) error {
	q := approvals.Request{Kind: approvals.KindPromotion, App: app, Release: n, Tier: abi.TierPilot, Status: approvals.StatusOpen, By: "ada@example.com"}
	if n%2 == 0 {
		q.Status, q.Decision = approvals.StatusRejected, &approvals.Decision{Reason: "no", By: "rex@example.com"}
	}
	var err error
	if q.ID, err = tx.NextRequest(); err != nil {
		return err
	}
	g := approvals.Grant{ID: fmt.Sprint("grant-", n), App: app, Capability: "kv", Tier: abi.TierSandbox, Request: q.ID, Reviewed: approvals.Terms{Release: n}, Revoked: time.Unix(1, 0), Created: time.Unix(int64(n), 0)}
	return errors.Join(tx.PutRequest(q), tx.PutGrant(g))
}

// Staging is how many uploads are on the disk and no blobs yet.
func (h *Node) Staging() int {
	parts, _ := filepath.Glob(filepath.Join(h.o.DataDir, "blobs", "sha256", ".part-*"))
	return len(parts)
}

// RunningCalls is how many calls of an app run.
func (h *Node) RunningCalls(app string) int { return h.Host.Running(app) }

// Log writes a line into an app's log.
func (h *Node) Log(app, line string) {
	_ = h.logs.Append(logstore.Line{At: h.o.Now(), App: app, Release: 1, Level: "info", Source: "log", Message: line})
}

// FillApps adds n apps with a release each.
func (h *Node) FillApps(ctx context.Context, n int) error {
	for at := 0; at < n; at += 500 {
		_, err := h.store.Update(ctx, "ada@example.com", func(tx state.Tx) error {
			for i := at; i < min(at+500, n); i++ {
				name := fmt.Sprintf("app-%d", i)
				err := tx.PutApp(registry.App{
					Name: name, Title: fmt.Sprintf("The app of number %d", i*7919%n), Description: "Says how much of what was sold where, and to whom", Owner: "ada@example.com",
					Team: "sales", CostCenter: "CC-1", Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}, Created: h.o.Now(),
				})
				err = errors.Join(err, tx.AddRelease(registry.Release{App: name, Number: 1, Capabilities: []string{"kv", "log"}}))
				if err != nil {
					return err
				}
				tx.Emit("release.published", name, "1", nil)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// FillReviews adds n apps, of which the first so many have a second release and an open request about it, and
// people.
func (h *Node) FillReviews(ctx context.Context, n, asking, people int) error {
	if err := h.FillApps(ctx, n); err != nil {
		return err
	}
	for at := 0; at < people; at += 500 {
		_, err := h.store.Update(ctx, "ops@example.com", func(tx state.Tx) (err error) {
			for i := at; i < min(at+500, people); i++ {
				err = errors.Join(err, tx.PutUser(access.User{Name: fmt.Sprintf("p%d@example.com", i), Roles: []access.Role{access.RoleViewer}, Created: h.o.Now()}))
			}
			tx.Emit("user.added", "", "p@example.com", nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	for at := 0; at < asking; at += 250 {
		_, err := h.store.Update(ctx, "ada@example.com", func(tx state.Tx) (err error) {
			for i := at; i < min(at+250, asking); i++ {
				err = errors.Join(err, askedReview(tx, fmt.Sprintf("app-%d", i), h.o.Now()))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// askedReview adds a second release to an app, which asks for more than its first, and a request about it.
func askedReview(tx state.Tx, name string, now time.Time) error {
	app, err := tx.App(name)
	if err != nil {
		return err
	}
	m := registry.Manifest{
		Name: name, Version: "2", Owner: "ada@example.com", Team: "sales", CostCenter: "CC-1", Classification: "internal", Title: "Sales", Description: "Says what was sold.",
		Capabilities: map[string]registry.CapabilityAsk{"kv": {Quota: 1 << 20}},
	}
	app.Releases = 2
	id, errID := tx.NextRequest()
	r := registry.Release{App: name, Number: 2, Version: "2", Manifest: m, Capabilities: []string{"kv", "log"}, Digest: registry.DigestOf([]byte(name)), Created: now}
	q := approvals.Request{
		ID: id, Kind: approvals.KindGrant, App: name, Owner: app.Owner, Release: 2, Digest: string(r.Digest), Tier: abi.TierSandbox, Capability: "kv", By: app.Owner, Created: now,
		Status: approvals.StatusOpen, Turn: approvals.TurnReviewers, Intent: rights.Intent(r), Reviewed: rights.Terms(r),
		Changes: []approvals.Change{{Path: "capabilities.kv.quota", Now: "1MiB", Effect: approvals.EffectWider}},
	}
	tx.Emit("release.published", name, "2", nil)
	return errors.Join(errID, tx.PutApp(app), tx.AddRelease(r), tx.PutRequest(q))
}

// FillMarket adds n apps, each with a release that has two triggers, a host name and a live grant.
func (h *Node) FillMarket(ctx context.Context, n int) error {
	m := registry.Manifest{Version: "1", Owner: "ada@example.com", Capabilities: map[string]registry.CapabilityAsk{"kv": {Quota: 1 << 20}}}
	m.Triggers.Cron = []registry.CronTrigger{{Name: "tick", Schedule: "@hourly", Path: "/tick"}}
	m.Triggers.Webhook = []registry.WebhookTrigger{{Name: "hook", Path: "/hook"}}
	for at := 0; at < n; at += 500 {
		_, err := h.store.Update(ctx, "ada@example.com", func(tx state.Tx) (err error) {
			for i := at; i < min(at+500, n); i++ {
				m.Name = fmt.Sprintf("app-%d", i)
				r := registry.Release{App: m.Name, Number: 1, Manifest: m, Capabilities: []string{"kv"}}
				err = errors.Join(err,
					tx.PutApp(registry.App{Name: m.Name, Owner: m.Owner, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}, Created: h.o.Now()}), tx.AddRelease(r),
					tx.PutHostName(registry.HostName{Host: m.Name + ".example.org", App: m.Name, By: "ops@example.com", At: h.o.Now()}), fillGrant(tx, r, "kv", h.o.Now()))
				tx.Emit("release.published", m.Name, "1", nil)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fillGrant adds an approved request for a capability of a release, and its grant.
func fillGrant(tx state.Tx, r registry.Release, word string, now time.Time) error {
	id, err := tx.NextRequest()
	if err != nil {
		return err
	}
	asks := r.Manifest.Capabilities[word].Params()
	reviewed := rights.Terms(r)
	q := approvals.Request{
		ID: id, Kind: approvals.KindGrant, App: r.App, Release: r.Number, Tier: abi.TierSandbox, Capability: word, Params: asks, Status: approvals.StatusApproved,
		By: "ada@example.com", Reviewed: reviewed, Decision: &approvals.Decision{Approve: true, By: "rex@example.com", At: now},
	}
	g := approvals.Grant{ID: "grant-" + id, App: r.App, Tier: abi.TierSandbox, Capability: word, Params: asks, Request: id, Reviewed: reviewed, Created: now, By: "rex@example.com"}
	return errors.Join(tx.PutRequest(q), tx.PutGrant(g))
}

// FillApp adds an app with n releases, each of which asks for ten capabilities, has a grant of each,
// and used each in three ways.
func (h *Node) FillApp(ctx context.Context, name string, n int) error {
	m := registry.Manifest{Name: name, Version: "1", Owner: "ada@example.com", Capabilities: map[string]registry.CapabilityAsk{}}
	words := []string{"tenth"}
	for _, c := range abi.Capabilities() {
		words = append(words, c.Name)
	}
	for _, word := range words {
		m.Capabilities[word] = registry.CapabilityAsk{Quota: 1 << 20, Allow: []string{"https://one.example.org", "https://two.example.org"}}
	}
	var used []approvals.ReleaseUsed
	for i := 1; i <= n; i++ {
		r := registry.Release{App: name, Number: i, Version: "1", Manifest: m, Capabilities: words, Digest: registry.DigestOf([]byte(fmt.Sprint(i))), Created: h.o.Now()}
		_, err := h.store.Update(ctx, "ada@example.com", func(tx state.Tx) error {
			err := errors.Join(tx.PutApp(registry.App{Name: name, Owner: m.Owner, Releases: i, Active: map[abi.Tier]int{abi.TierSandbox: i}, Created: h.o.Now()}), tx.AddRelease(r),
				tx.AddActivation(registry.Activation{App: name, Tier: abi.TierSandbox, Release: i, Previous: i - 1, At: h.o.Now()}))
			for _, word := range words {
				err = errors.Join(err, fillGrant(tx, r, word, h.o.Now()))
			}
			tx.Emit("release.published", name, strconv.Itoa(i), nil)
			return err
		})
		if err != nil {
			return err
		}
		u := approvals.ReleaseUsed{App: name, Release: i}
		for _, word := range words {
			for _, meter := range []string{abi.MeterReads, abi.MeterWrites, abi.MeterCalls} {
				u.Used = append(u.Used, approvals.Used{Use: abi.Use{Capability: word, Meter: meter, Subject: "https://one.example.org", N: uint64(i)}, First: h.o.Now(), Last: h.o.Now()})
			}
		}
		used = append(used, u)
	}
	return h.store.AddUsed(ctx, used)
}

// lastUse is when a token was last used, which is noted when there is time.
var lastUse = regexp.MustCompile(`,"used":"[^"]*"`)

// ReloadTLS looks at the certificates' files now.
func (h *Node) ReloadTLS() { h.tls.certs.Reload() }

// LookAtSignInEvery has a node look at its sign-in file that often.
func (o *Options) LookAtSignInEvery(d time.Duration) { o.lookAtSignIn = d }

// LookAtSignIn looks at the sign-in file now.
func (h *Node) LookAtSignIn(ctx context.Context) { h.signIn.look(ctx, h.store, h.SignIns) }

// RedirectAddr is the address that sends people on to HTTPS.
func (h *Node) RedirectAddr() net.Addr { return h.plainDoor.Addr() }

// AskDirectory has the node ask its ACME directory with c.
func AskDirectory(o *Options, c *http.Client) { o.acmeHTTP = c }

// OrderAgain orders what failed, without the pause after a failure, until ctx ends.
func (h *Node) OrderAgain() { h.tls.certs.Again() }
