package node

import (
	"context"
	"errors"
	"fmt"
	"github.com/agora-host/agora/host"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals/rego"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/engine/turns"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/filestore"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
	"github.com/agora-host/agora/triggers/webhook"
	"github.com/agora-host/agora/web/api"
	"github.com/agora-host/agora/web/console"
	"github.com/agora-host/agora/web/problem"
)

// Node is one node.
type Node struct {
	People     *people.Service
	Catalogue  *apps.Catalogue
	Lifecycle  *apps.Lifecycle
	Keeper     *apps.Keeper
	Observer   *apps.Observer
	Automation *apps.Automation
	Pages      *apps.Pages
	Vault      *apps.Vault
	Governance *governance.Service
	Publishing *publishing.Service
	Host       *host.Host

	o       Options
	log     *slog.Logger
	started time.Time
	origins origins

	desk      *control.Desk
	attempts  *control.Attempts
	store     state.Store
	file      *boltstore.Store // that store's file: what is copied, checked, and has the usage
	kv        *boltstore.KV
	blobs     *blobstore.Store
	logs      *logstore.Store
	samples   *samplestore.Store
	authority *sigstore.Authority
	verifier  verifier
	policy    *rego.Policy
	meter     *metering.Meter
	engine    *engine.Engine

	egress []netip.Prefix // networks that apps may reach although they are not public
	models *llm.Config    // that apps may be granted; nil: none

	files *filestore.Store
	ring  *secrets.Ring // keys of the apps' secrets

	reserve *reserve

	followers *state.Followers // of the store's feed: all effects of changes

	beforeChange func() // for tests: runs between a verdict and its transaction

	queue *boltstore.Queue

	door  *door.Door
	front http.Handler // what it serves

	watch   *calm.Watch
	budgets []*budget.Budget // all of the node's; append only before Start

	measures measures
	resting  time.Duration  // see pace: how many times as long as copying works
	copying  chan struct{}  // held while the stores are copied
	backups  *budget.Shared // places of backups

	background sync.WaitGroup
	cancel     context.CancelFunc
	unclean    starts      // before this one; never changes
	outlasted  atomic.Bool // this one has proven well
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
	h := &Node{o: o, log: log, watch: watch, started: o.Now(), copying: make(chan struct{}, 1), resting: restFor, reserve: newReserve(o)}
	if err := watch.Do("open", func() error { return h.open(ctx) }); err != nil {
		return nil, errors.Join(err, h.Stop(ctx))
	}
	return h, nil
}

// open builds in dependency order; each step leaves its cleanup.
func (h *Node) open(ctx context.Context) error {
	var err error
	if h.egress, err = networks("--egress-allow", h.o.EgressAllow); err != nil {
		return err
	}
	if h.models, err = h.o.openModels(); err != nil {
		return err
	}
	if h.policy, err = rego.New(ctx, rego.Options{Dir: h.o.PolicyDir}); err != nil {
		return fmt.Errorf("load the policy: %w", err)
	}
	if err := h.openData(ctx); err != nil {
		return err
	}
	h.engine, err = engine.New(engine.Options{
		CacheDir: filepath.Join(h.o.DataDir, "cache"), Worker: h.o.Worker, Logger: h.log, Watch: h.watch, Turns: turns.New(guestProcessors()),
		Memory:   h.budget("guest-memory", "bytes of memory that guests hold or have reserved", h.o.Memory/2),
		Mappings: h.budget("guest-mappings", "mappings of the kernel's that guests' memory takes", mappingsLimit()),
	})
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	h.onStop("engine", h.engine.Close)
	if err := h.openHost(ctx); err != nil {
		return err
	}
	return h.listen(ctx)
}

// openData opens all that outlives the process, and recovers what the last one
// left. It is long because one list reads better than ten.
func (h *Node) openData(ctx context.Context) error {
	dir := h.o.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := errors.Join(complete(dir), forgetAside(dir)); err != nil {
		return err
	}
	var err error
	if h.kv, err = boltstore.OpenKV(filepath.Join(dir, kvFile), h.o.Now, h.watch); err != nil {
		return fmt.Errorf("open the apps' data: %w", err)
	}
	h.onStop("apps' data", func(context.Context) error { return h.kv.Close() })
	h.noteStart() // no other process has the directory
	if h.queue, err = boltstore.OpenQueue(filepath.Join(dir, queueFile), h.watch); err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	h.onStop("queue", func(context.Context) error { return h.queue.Close() })
	if h.files, err = filestore.Open(filepath.Join(dir, filesDir), h.kv, h.o.Now); err != nil {
		return fmt.Errorf("open the apps' files: %w", err)
	}
	if h.ring, err = secrets.OpenRing(filepath.Join(dir, secretsFile)); err != nil {
		return fmt.Errorf("open the keys of the apps' secrets: %w", err)
	}
	if h.blobs, err = blobstore.Open(filepath.Join(dir, "blobs")); err != nil {
		return fmt.Errorf("open the modules: %w", err)
	}
	if h.logs, err = logstore.Open(filepath.Join(dir, "logs"), h.o.Now); err != nil {
		return fmt.Errorf("open the apps' logs: %w", err)
	}
	h.onStop("apps' logs", func(context.Context) error { return h.logs.Close() })
	if h.samples, err = samplestore.Open(filepath.Join(dir, samplesDir), h.o.Now); err != nil {
		return fmt.Errorf("open the samples of calls: %w", err)
	}
	if h.authority, err = sigstore.OpenAuthority(filepath.Join(dir, "trust"), h.o.Now); err != nil {
		return fmt.Errorf("open the trust root: %w", err)
	}
	// The process that made it may have been killed before its name was durable.
	if err := durable.SyncNames(dir, filepath.Join(dir, filepath.FromSlash(trustFile))); err != nil {
		return fmt.Errorf("open the trust root: %w", err)
	}
	// The store is made last: where it is, the rest has to be, too; see complete.
	if h.file, err = boltstore.Open(filepath.Join(dir, stateFile), h.o.Now); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	h.onStop("store", func(context.Context) error { return h.file.Close() })
	h.store = persons.Over(h.o.wrapped(h.file))
	if err := h.openFollowers(ctx); err != nil {
		return err
	}
	root, err := h.authority.TrustedRootJSON()
	if err != nil {
		return fmt.Errorf("read the trust root: %w", err)
	}
	trusted, err := sigstore.NewVerifier(root)
	if err != nil {
		return fmt.Errorf("prepare the verifier: %w", err)
	}
	h.verifier = verifier{trusted, h.store, h.blobs}
	if h.meter, err = h.openMeter(ctx); err != nil {
		return fmt.Errorf("open the meter: %w", err)
	}
	h.onStop("meter", h.meter.Close)
	h.backups = budget.NewShared(h.budget("backups", "backups that are read at once", backupsAtOnce), backupsAtOnce)
	h.openServices()
	h.onStop("record of tokens' use", h.People.StoreTokensUsed)
	if err := h.Keeper.MarkLeft(ctx); err != nil {
		return fmt.Errorf("look for modules that no release names: %w", err)
	}
	return nil
}

// ErrListen: the node's address is taken, or is none that it may have.
var ErrListen = errors.New("the node cannot listen on")

func (h *Node) listen(ctx context.Context) error {
	o, err := h.doorOptions()
	if err != nil {
		return err
	}
	if h.door, err = door.Listen(ctx, h.o.Listen, o); err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // it names the address again
		}
		return fmt.Errorf("%w %s: %w", ErrListen, h.o.Listen, err)
	}
	if h.origins, err = h.o.origins(h.door.Addr()); err != nil {
		return err
	}
	handler, err := h.handler()
	if err != nil {
		return err
	}
	h.front = h.calmly(handler)
	return nil
}

// handler joins the two origins. What is neither the console's host nor an
// app's is refused by the gateway.
func (h *Node) handler() (http.Handler, error) {
	pages, err := console.New(consoleServices(h), console.Options{
		Logger: h.log, MaxModule: h.o.MaxModule, Secure: h.origins.scheme == "https", AppsDomain: h.origins.appsDomain,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the console: %w", err)
	}
	desk := http.NewServeMux()
	desk.Handle("/", pages)
	desk.Handle("/api/", api.New(apiServices(h), api.Options{Logger: h.log, MaxModule: h.o.MaxModule}))
	desk.Handle("/problems/", problem.Handler())
	desk.HandleFunc("GET /healthz", h.serveHealth)
	desk.HandleFunc("GET /metrics", h.serveMetrics)
	apps := gateway.New(gateway.Options{
		Router: h.Host, Secure: h.origins.scheme == "https",
		WriteFault: func(w http.ResponseWriter, r *http.Request, id string, err error) {
			if errors.Is(err, webhook.ErrMethod) { // only webhooks have methods of their own
				w.Header().Set("Allow", webhook.Methods)
			}
			h.writeFault(w, r, id, err)
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.origins.isConsole(r.Host) {
			desk.ServeHTTP(w, r)
			return
		}
		apps.ServeHTTP(w, r)
	}), nil
}

func (h *Node) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch {
	case h.meter.Ready() != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("usage cannot be journaled: apps are not served; see the node's log\n"))
	case h.watch.Unwell():
		_, _ = w.Write([]byte("not well: five or more panics of the node's own code were recovered within a minute; it serves; see the node's log\n"))
	default:
		_, _ = w.Write([]byte("ok\n"))
	}
}

// Start serves until Stop. Each part of it goes on after a panic of its own, and the others do
// meanwhile.
func (h *Node) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	for where, run := range map[string]func(context.Context){
		"meter": h.meter.Run,
		"snapshot": func(ctx context.Context) {
			h.regularly(ctx, snapshotEvery, "no snapshot was made, and the earlier ones are kept", h.snapshot)
		},
		"samples": func(ctx context.Context) {
			h.samples.Run(ctx.Done(), func(err error) { h.log.Warn("samples of calls are not written", "err", err) })
		},
		"dispatcher": h.Host.Triggers.Run,
		"followers":  h.followers.Run,
		"used": func(ctx context.Context) {
			h.regularly(ctx, storeUsed, "what apps used could not be stored", h.flushUsed)
		},
		"kept":   h.Host.BillKept,
		"starts": h.outliveStart,
		"memory": h.watchMemory,
		"tidy":   h.tidyRegularly,
		"remove": h.Keeper.RemoveRegularly,
		"server": func(context.Context) { h.serve() },
		"sweep":  h.door.Sweep,
	} {
		h.watch.Loop(ctx, &h.background, where, run)
	}
	h.sayTriggersPaused()
}

func (h *Node) serve() {
	if err := h.door.Serve(h.front); err != nil {
		h.log.Error("the front door closed by itself", "err", err)
	}
}

// tidyRegularly tidies now, for what the last process left, and from then on.
func (h *Node) tidyRegularly(ctx context.Context) {
	const trouble = "what is not needed any more could not be removed"
	if err := h.Keeper.Tidy(ctx); err != nil && ctx.Err() == nil {
		h.log.Error(trouble, "err", err)
	}
	h.regularly(ctx, tidyEvery, trouble, h.Keeper.Tidy)
}

// tidyEvery is how often what time alone makes superfluous is looked for.
const tidyEvery = time.Hour

// regularly runs something until ctx ends. What goes wrong is told, and tried again
// at the next turn.
func (h *Node) regularly(ctx context.Context, every time.Duration, trouble string, run func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := run(ctx); err != nil && ctx.Err() == nil {
			h.log.Error(trouble, "err", err)
		}
	}
}

// Addr is the address that is listened on.
func (h *Node) Addr() net.Addr { return h.door.Addr() }

// ConsoleURL is where people find the console.
func (h *Node) ConsoleURL() string { return h.origins.consoleURL }

// AppURL is where people find an app.
func (h *Node) AppURL(app string) string { return h.origins.appURL(app) }

// Stop finishes running requests within the context's deadline, breaks off those that are left,
// and closes everything, last opened first. It may be called at any time, and again.
func (h *Node) Stop(ctx context.Context) error {
	h.stopOnce.Do(func() { h.stopErr = h.stop(ctx) })
	return h.stopErr
}

// stop takes every step, whatever becomes of the others: one that panics is an error of Stop.
func (h *Node) stop(ctx context.Context) error {
	var errs []error
	step := func(doing string, run func() error) {
		if err := h.watch.Do("stop", run); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", doing, err))
		}
	}
	if h.door != nil {
		step("finish running requests", func() error { return h.letOut(ctx) })
		if len(errs) > 0 {
			step("end running requests", h.door.Close)
		}
	}
	if h.Host != nil {
		step("finish running deliveries", func() error { return h.Host.Triggers.Stop(ctx) })
	}
	if h.cancel != nil {
		h.cancel()
	}
	h.background.Wait()
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		c := h.cleanups[i]
		step("close the "+c.name, func() error { return c.run(ctx) })
	}
	return errors.Join(errs...)
}

func (h *Node) onStop(name string, run func(context.Context) error) {
	h.cleanups = append(h.cleanups, cleanup{name, run})
}

// Run starts the node and stops it, with a grace of ten seconds, when ctx ends.
func (h *Node) Run(ctx context.Context) error {
	h.Start()
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return h.Stop(grace)
}

// Info describes the node.
func (h *Node) Info(ctx context.Context) control.Info {
	rev, err := h.store.Rev(ctx)
	if err != nil {
		h.log.ErrorContext(ctx, "read the revision", "err", err)
	}
	var waiting int
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		waiting, err = governance.Decidable(tx, access.ActorFrom(ctx))
		return err
	})
	if err != nil {
		h.log.ErrorContext(ctx, "count the open requests", "err", err)
	}
	return control.Info{
		Version: h.o.Version, Started: h.started, ConsoleURL: h.origins.consoleURL,
		AppsDomain: h.origins.appsDomain, Rev: rev, Waiting: waiting, Demo: h.o.Demo, TriggersPaused: h.o.PauseTriggers,
	}
}

// openDesk makes what every flow works at.
func (h *Node) openDesk() {
	h.desk = &control.Desk{
		Store: h.store, Now: h.o.Now, Logger: h.log, Quotas: h.o.Quotas,
		Low:    func() error { return h.reserve.low(0) },
		Follow: h.followers.CatchUp,
	}
}
