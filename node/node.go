package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/identity"
	"github.com/agora-host/agora/approvals/rego"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/provisioning"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/control/revisions"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/engine/turns"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/filestore"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
)

// Node is one node.
type Node struct {
	People          *people.Service
	Provisioning    *provisioning.Service
	SignIns         *people.SignIns
	Sessions        *people.Sessions
	Logins          *people.Logins
	Workloads       *people.Workloads
	Groups          *people.Groups
	SignOn          *people.SignOn
	Inbox           *inbox.Service
	Access          *people.Explainer
	ServiceAccounts *people.ServiceAccounts
	Delegations     *people.Delegations
	Catalogue       *apps.Catalogue
	Quotas          *apps.Quotas
	Lifecycle       *apps.Lifecycle
	Keeper          *apps.Keeper
	Observer        *apps.Observer
	Automation      *apps.Automation
	Pages           *apps.Pages
	Vault           *apps.Vault
	Governance      *governance.Service
	Threads         *governance.Threads
	Together        *governance.Together
	Lives           *governance.Lives
	Briefings       *governance.Briefings
	Clocks          *governance.Clocks
	Exemptions      *governance.Exemptions
	Audiences       *governance.Audiences
	Publishing      *publishing.Service
	Calls           *Calls
	Checkup         *Checkup
	Upkeep          *Upkeep
	plane

	o       Options
	log     *slog.Logger
	started time.Time
	origins origins

	desk      *control.Desk
	sums      *sums
	bounds    *bounds
	attempts  *control.Attempts
	revisions *revisions.Service
	store     state.Store
	stores
	blobs     *blobstore.Store
	logs      *logstore.Store
	samples   *samplestore.Store
	authority *sigstore.Authority
	verifier  verifier
	policy    *rego.Policy
	builder   *builder
	meter     *metering.Meter

	egress  []netip.Prefix // networks that apps may reach although they are not public
	models  *llm.Config    // that apps may be granted; nil: none
	signIn  *signIn
	outlets outlets

	files *filestore.Store
	ring  *secrets.Ring // keys of the apps' secrets

	identity *identity.Keys // by which apps learn who calls them

	reserve *reserve

	followers *state.Followers // of the store's feed: all effects of changes

	beforeChange func() // for tests: runs between a verdict and its transaction

	door      *door.Door
	plainDoor *door.Door // sends people on to HTTPS; nil: there is none
	tls       *security
	front     *front
	handler   http.Handler // of the front, which the door serves
	metrics   *metrics

	watch     *calm.Watch
	budgets   *budgets
	dueStarts *governance.Starts // promotions that were approved for a later time
	starts    *startRecord

	background sync.WaitGroup
	cancel     context.CancelFunc
	cleanups   []cleanup
	stopOnce   sync.Once
	stopErr    error
}

type cleanup struct {
	name string
	run  func(context.Context) error
}

// New opens everything and listens, but does not serve before Start. When it
// fails, what was opened is closed again.
func New(ctx context.Context, o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	log := o.Logger.With("component", "host")
	watch := calm.New(log)
	watch.Inject(o.inject)
	n := &Node{o: o, log: log, watch: watch, started: o.Now(), budgets: &budgets{}, reserve: newReserve(o)}
	if err := watch.Do("open", func() error { return n.open(ctx) }); err != nil {
		return nil, errors.Join(err, n.Stop(ctx))
	}
	return n, nil
}

// open builds in dependency order; each step leaves its cleanup.
func (n *Node) open(ctx context.Context) error {
	var err error
	if n.egress, err = networks("--egress-allow", n.o.EgressAllow); err != nil {
		return err
	}
	if n.models, err = n.o.openModels(); err != nil {
		return err
	}
	if n.signIn, err = openSignIn(n.o, n.log); err != nil {
		return err
	}
	if n.outlets, err = n.o.openOutlets(n.egress); err != nil {
		return err
	}
	if n.policy, err = rego.New(ctx, rego.Options{Dir: n.o.PolicyDir}); err != nil {
		return fmt.Errorf("load the policy: %w", err)
	}
	if err := n.openData(ctx); err != nil {
		return err
	}
	n.engine, err = engine.New(engine.Options{
		CacheDir: filepath.Join(n.o.DataDir, "cache"), Worker: n.o.worker("compile-worker"), Logger: n.log, Watch: n.watch, Turns: turns.New(guestProcessors()),
		Memory:   n.budgets.add("guest-memory", "bytes of memory that guests hold or have reserved", n.o.Memory/2),
		Mappings: n.budgets.add("guest-mappings", "mappings of the kernel's that guests' memory takes", mappingsLimit()),
	})
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	n.onStop("engine", n.engine.Close)
	if err := errors.Join(n.openTLS(), n.bounds.keep(ctx)); err != nil { // before anything can be called
		return err
	}
	if err := n.openHost(ctx); err != nil {
		return err
	}
	if _, err := n.SignIns.ApplyRules(ctx); err != nil {
		return fmt.Errorf("give the roles of the rules: %w", err)
	}
	if err := n.Sessions.Shorten(ctx); err != nil {
		return fmt.Errorf("hold sessions to how long they last: %w", err)
	}
	return n.listen(ctx)
}

// openData opens all that outlives the process, and recovers what the last one
// left. It is long because one list reads better than ten.
func (n *Node) openData(ctx context.Context) error {
	dir := n.o.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := errors.Join(complete(dir), forgetAside(dir)); err != nil {
		return err
	}
	var err error
	if n.kv, err = boltstore.OpenKV(filepath.Join(dir, kvFile), n.o.Now, n.watch); err != nil {
		return fmt.Errorf("open the apps' data: %w", err)
	}
	n.onStop("apps' data", func(context.Context) error { return n.kv.Close() })
	n.starts = noteStart(dir, n.o.Now(), n.log) // no other process has the directory
	n.onStop("record of starts", n.starts.end)
	if n.queue, err = boltstore.OpenQueue(filepath.Join(dir, queueFile), n.watch); err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	n.onStop("queue", func(context.Context) error { return n.queue.Close() })
	if n.files, err = filestore.Open(filepath.Join(dir, filesDir), n.kv, n.o.Now); err != nil {
		return fmt.Errorf("open the apps' files: %w", err)
	}
	if n.ring, err = secrets.OpenRing(filepath.Join(dir, secretsFile)); err != nil {
		return fmt.Errorf("open the keys of the apps' secrets: %w", err)
	}
	if n.identity, err = identity.Open(filepath.Join(dir, identityFile)); err != nil {
		return fmt.Errorf("open the keys of people's identities: %w", err)
	}
	if n.blobs, err = blobstore.Open(filepath.Join(dir, "blobs")); err != nil {
		return fmt.Errorf("open the modules: %w", err)
	}
	if n.logs, err = logstore.Open(filepath.Join(dir, "logs"), n.o.Now); err != nil {
		return fmt.Errorf("open the apps' logs: %w", err)
	}
	n.onStop("apps' logs", func(context.Context) error { return n.logs.Close() })
	if n.samples, err = samplestore.Open(filepath.Join(dir, samplesDir), n.o.Now); err != nil {
		return fmt.Errorf("open the samples of calls: %w", err)
	}
	if n.authority, err = sigstore.OpenAuthority(filepath.Join(dir, "trust"), n.o.Now); err != nil {
		return fmt.Errorf("open the trust root: %w", err)
	}
	// The process that made it may have been killed before its name was durable.
	if err := durable.SyncNames(dir, filepath.Join(dir, filepath.FromSlash(trustFile))); err != nil {
		return fmt.Errorf("open the trust root: %w", err)
	}
	// The store is made last: where it is, the rest has to be, too; see complete.
	if n.file, err = boltstore.Open(filepath.Join(dir, stateFile), n.o.Now); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	n.onStop("store", func(context.Context) error { return n.file.Close() })
	n.store = persons.Over(n.o.wrapped(n.file))
	if err := n.openFollowers(ctx); err != nil {
		return err
	}
	root, err := n.authority.TrustedRootJSON()
	if err != nil {
		return fmt.Errorf("read the trust root: %w", err)
	}
	trusted, err := sigstore.NewVerifier(root)
	if err != nil {
		return fmt.Errorf("prepare the verifier: %w", err)
	}
	n.verifier = verifier{trusted, n.store, n.blobs}
	if n.meter, err = openMeter(ctx, n.o, n.file, n.log, n.watch); err != nil {
		return fmt.Errorf("open the meter: %w", err)
	}
	n.onStop("meter", n.meter.Close)
	if n.builder, err = newBuilder(n.o.worker("build-worker"), n.o.engines); err != nil {
		return err
	}
	n.openServices()
	n.onStop("record of tokens' use", n.People.StoreUses)
	if err := n.Keeper.MarkLeft(ctx); err != nil {
		return fmt.Errorf("look for modules that no release names: %w", err)
	}
	return nil
}

// ListenError is an address that is taken, or is none that the node may have.
type ListenError struct {
	Flag, Address string
	Err           error
}

func (e *ListenError) Error() string {
	err := e.Err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // it names the address again
	}
	return fmt.Sprintf("the node cannot listen on %s: %v", e.Address, err)
}

func (e *ListenError) Unwrap() error { return e.Err }

func (n *Node) listen(ctx context.Context) error {
	o, err := doorOptions(n.o, n.budgets, n.log)
	if err != nil {
		return err
	}
	o.Watch, o.TLS = n.watch, n.tls.config()
	if n.door, err = door.Listen(ctx, n.o.Listen, o); err != nil {
		return &ListenError{"--listen", n.o.Listen, err}
	}
	n.tls.doors = append(n.tls.doors, n.door)
	if err := n.listenHTTP(ctx, o); err != nil {
		return err
	}
	if n.origins, err = n.o.origins(n.door.Addr()); err != nil {
		return err
	}
	n.front = &front{origins: n.origins, maxModule: n.o.MaxModule, log: n.log, watch: n.watch, meter: n.meter, host: n.Host, metrics: n.metrics}
	handler, err := n.front.handler(n)
	if err != nil {
		return err
	}
	if len(n.o.TrustedProxies) > 0 {
		handler = n.tls.forwarded(handler)
	}
	n.handler = n.front.calmly(handler)
	if value := cmp.Or(n.o.HSTS, defaultHSTS); n.o.speaksTLS() && value != noHSTS {
		n.handler = strict(n.handler, value)
	}
	return nil
}

// Start serves until Stop. Each part of it goes on after a panic of its own, and the others do
// meanwhile.
func (n *Node) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	loops := map[string]func(context.Context){
		"meter": n.meter.Run,
		"snapshot": func(ctx context.Context) {
			n.regularly(ctx, snapshotEvery, "no snapshot was made, and the earlier ones are kept", n.Upkeep.snapshot)
		},
		"samples": func(ctx context.Context) {
			n.samples.Run(ctx.Done(), func(err error) { n.log.Warn("samples of calls are not written", "err", err) })
		},
		"dispatcher": n.Host.Triggers.Run,
		"followers":  n.followers.Run,
		"used": func(ctx context.Context) {
			n.regularly(ctx, storeUsed, "what apps used could not be stored", n.flushUsed)
		},
		"sums": func(ctx context.Context) {
			n.regularly(ctx, sumsEvery, "what was measured of apps is not compared with the quotas", n.sums.compare)
		},
		"bounds": func(ctx context.Context) {
			n.regularly(ctx, boundsEvery, "the quotas of calls and of their memory are those of a while ago", n.bounds.keep)
		},
		"visits": func(ctx context.Context) {
			n.regularly(ctx, endVisitsEvery, "what runs for sessions that have ended goes on", n.Host.EndVisits)
		},
		"kept":      n.Host.Standing.BillKept,
		"starts":    n.starts.outlive,
		"memory":    pressure{n.o.Memory, n.log, &n.plane}.watch,
		"tidy":      n.tidyRegularly,
		"remove":    n.Keeper.RemoveRegularly,
		"inbox":     n.Inbox.Run,
		"scheduled": n.dueStarts.Run,
		"server":    func(context.Context) { n.serve(n.door, n.handler) },
		"sweep":     n.door.Sweep,

		"sign-in":      func(ctx context.Context) { n.signIn.run(ctx, n) },
		"certificates": n.tls.reload,
		"orders":       n.tls.issue,
	}
	if n.plainDoor != nil {
		loops["redirect"] = func(context.Context) { n.serve(n.plainDoor, n.front.calmly(n.tls.plain())) }
		loops["redirect-sweep"] = n.plainDoor.Sweep
	}
	for where, run := range loops {
		n.watch.Loop(ctx, &n.background, where, run)
	}
	if n.o.PauseTriggers {
		n.log.Warn("triggers are paused: nothing is delivered", "waiting", n.Host.Triggers.Waiting(),
			"remedy", "pause what does harm with agora triggers pause APP KIND NAME, and restart the node without --pause-triggers")
	}
}

func (n *Node) serve(d *door.Door, handler http.Handler) {
	if err := d.Serve(handler); err != nil {
		n.log.Error("the front door closed by itself", "err", err)
	}
}

// tidyRegularly tidies now, for what the last process left, and from then on.
func (n *Node) tidyRegularly(ctx context.Context) {
	const trouble = "what is not needed any more could not be removed"
	tidy := func(ctx context.Context) error {
		return errors.Join(n.Keeper.Tidy(ctx), n.Inbox.Tidy(ctx), n.Clocks.Sweep(ctx), n.Lifecycle.TellEnds(ctx), n.Exemptions.Sweep(ctx))
	}
	if err := tidy(ctx); err != nil && ctx.Err() == nil {
		n.log.Error(trouble, "err", err)
	}
	n.regularly(ctx, tidyEvery, trouble, tidy)
}

// tidyEvery is how often what time alone makes superfluous is looked for.
const tidyEvery = time.Hour

// regularly runs something until ctx ends. What goes wrong is told, and tried again
// at the next turn.
func (n *Node) regularly(ctx context.Context, every time.Duration, trouble string, run func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := run(ctx); err != nil && ctx.Err() == nil {
			n.log.Error(trouble, "err", err)
		}
	}
}

// Addr is the address that is listened on.
func (n *Node) Addr() net.Addr { return n.door.Addr() }

// ConsoleURL is where people find the console.
func (n *Node) ConsoleURL() string { return n.origins.consoleURL }

// AppURL is where people find an app.
func (n *Node) AppURL(app string) string { return n.origins.appURL(app) }

// Stop finishes running requests within the context's deadline, breaks off those that are left,
// and closes everything, last opened first. It may be called at any time, and again.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() { n.stopErr = n.stop(ctx) })
	return n.stopErr
}

// stop takes every step, whatever becomes of the others: one that panics is an error of Stop.
func (n *Node) stop(ctx context.Context) error {
	var errs []error
	step := func(doing string, run func() error) {
		if err := n.watch.Do("stop", run); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", doing, err))
		}
	}
	for _, d := range []*door.Door{n.plainDoor, n.door} {
		if d == nil {
			continue
		}
		failed := len(errs)
		step("finish running requests", func() error { return letOut(ctx, d, n.log) })
		if len(errs) > failed {
			step("end running requests", d.Close)
		}
	}
	if n.Host != nil {
		step("finish running deliveries", func() error { return n.Host.Triggers.Stop(ctx) })
	}
	if n.cancel != nil {
		n.cancel()
	}
	n.background.Wait()
	for i := len(n.cleanups) - 1; i >= 0; i-- {
		c := n.cleanups[i]
		step("close the "+c.name, func() error { return c.run(ctx) })
	}
	return errors.Join(errs...)
}

func (n *Node) onStop(name string, run func(context.Context) error) {
	n.cleanups = append(n.cleanups, cleanup{name, run})
}

// Run starts the node and stops it, with a grace of ten seconds, when ctx ends.
func (n *Node) Run(ctx context.Context) error {
	n.Start()
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return n.Stop(grace)
}

// Info describes the node, with what waits for the reader.
func (n *Node) Info(ctx context.Context) control.Info {
	info := n.Bare(ctx)
	err := n.store.View(ctx, func(tx state.Reader) (err error) {
		info.Waiting, err = governance.Waiting(tx, access.ActorFrom(ctx), n.o.Now())
		return err
	})
	n.notShown(ctx, "count the requests that wait for the reader", err)
	return info
}

// Bare is Info without the requests that wait for the reader.
func (n *Node) Bare(ctx context.Context) control.Info {
	rev, err := n.store.Rev(ctx)
	n.notShown(ctx, "read the revision", err)
	var unread int
	err = n.store.View(ctx, func(tx state.Reader) (err error) {
		unread, err = n.Inbox.Unread(tx, access.ActorFrom(ctx))
		return err
	})
	n.notShown(ctx, "count what the reader has not read", err)
	return control.Info{
		Version: n.o.Version, Started: n.started, ConsoleURL: n.origins.consoleURL,
		AppsDomain: n.origins.appsDomain, Rev: rev, Unread: unread, Demo: n.o.Demo, TriggersPaused: n.o.PauseTriggers,
	}
}

// notShown logs why a page lacks something, unless its reader has left.
func (n *Node) notShown(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		n.log.ErrorContext(ctx, what, "err", err)
	}
}

// openDesk makes what every flow works at.
func (n *Node) openDesk() {
	n.sums = &sums{meter: n.meter, kept: n.kv, now: n.o.Now}
	n.bounds = &bounds{engine: func() *engine.Engine { return n.engine }, calls: rate.NewTable(n.o.Now), now: n.o.Now}
	n.desk = &control.Desk{
		Store: n.store, Now: n.o.Now, Logger: n.log, Quotas: n.o.Quotas, Sums: n.sums.of, Uses: n.bounds.uses,
		Low:    func() error { return n.reserve.low(0) },
		Follow: n.followers.CatchUp,
	}
	n.sums.desk, n.bounds.desk = n.desk, n.desk
}
