package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"golang.org/x/sync/singleflight"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/host/engine/lines"
	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/host/engine/turns"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/confine"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
)

// Options configure an engine.
type Options struct {
	// CacheDir keeps compiled code; it is made private to this user. Required.
	CacheDir string
	// Worker is the command line of the compile child, which runs CompileWorker. Required.
	Worker []string
	// WorkerMemory bounds what the child takes of address space, in bytes, for modules that are
	// large enough to be allowed more; see confine.For. Default 4 GiB.
	WorkerMemory uint64
	// WorkerTime bounds a compilation on the wall clock. Default 60 s.
	WorkerTime time.Duration
	Logger     *slog.Logger
	// Watch recovers panics of the node's own code while programs load and run. May be nil.
	Watch *calm.Watch
	// Memory is what guests may take together, in bytes, and Mappings how many mappings of the
	// kernel's. Nil: neither is counted.
	Memory   *budget.Budget
	Mappings *budget.Budget
	// Turns share the processors between the calls of all programs. Nil: calls wait for none.
	Turns *turns.Turns
}

// Limits bound a program. Zero CallDepth and TableElements mean their defaults.
type Limits struct {
	Fuel          uint64        // units for each invocation
	StartFuel     uint64        // for a start-up that is kept for all of them; 0: ten times Fuel
	Table         fuel.Table    // by which they are counted; 0: the newest
	Memory        int64         // bytes of linear memory
	Timeout       time.Duration // wall clock, from the call to its answer
	HostTime      time.Duration // of that, what host calls may take together; 0: all of it
	RequestBody   int64         // bytes
	ResponseBody  int64         // bytes
	Concurrency   int           // invocations at once
	CallDepth     uint32
	TableElements uint32
	// Owner and App have their shares of the processors. Owner's quota of memory, and that of Group, the id
	// of the group that owns the app with them, bound what it holds.
	Owner, Group, App string
	// StartOnce takes an image also of what an initialiser made of randomness and
	// the clock: each request finds the same.
	StartOnce bool
	// WarmUp is a path that is asked for before the image is taken, with
	// capabilities that are unavailable. "" for none.
	WarmUp string
	// KeepState leaves an instance as a request left it, for the next one. It has no
	// effect on WASI commands.
	KeepState bool
}

const (
	pageSize = 65536
	// defaultCallDepth keeps the stack of the deepest recursion through large
	// frames below the engine's own ceiling, and is deeper than compiled
	// languages need: they keep their stacks in linear memory.
	defaultCallDepth     = 10_000
	defaultTableElements = 65_536
)

// holders are whose quotas of memory bound a program.
func (l Limits) holders() []memory.Holder {
	all := []memory.Holder{{Per: "person", Of: l.Owner}}
	if l.Group != "" {
		all = append(all, memory.Holder{Per: "group", Of: l.Group})
	}
	return all
}

func (l Limits) caps() fuel.Options {
	o := fuel.Options{Table: l.Table, MemoryPages: uint32(min(l.Memory/pageSize, wasm.MaxMemoryPages)), TableElements: l.TableElements, CallDepth: l.CallDepth}
	if o.CallDepth == 0 {
		o.CallDepth = defaultCallDepth
	}
	if o.TableElements == 0 {
		o.TableElements = defaultTableElements
	}
	return o
}

// Engine compiles and loads programs. They share a runtime of wazero's with its
// host modules, and the code of modules that are the same; what an instance owns
// is its own.
type Engine struct {
	o        Options
	cache    *cache
	code     wazero.CompilationCache
	runtimes *runtimes

	memory *memory.Memory // of guests; nil: it is not counted

	mu     sync.Mutex // guards loaded and codes
	loaded map[*Program]bool
	codes  map[string]*code // of loaded programs, by the cache's key

	flight    singleflight.Group // compilations that run, by key
	compiling chan struct{}      // a place for each child that may run: one that takes long delays not everybody
}

// New opens the engine and its cache.
func New(o Options) (*Engine, error) {
	if o.WorkerMemory == 0 {
		o.WorkerMemory = 4 << 30
	}
	if o.WorkerTime == 0 {
		o.WorkerTime = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if missing := Unconfined(); len(missing) > 0 {
		o.Logger.Warn("modules are compiled in a process with limits alone: this system lacks a protection", "missing", strings.Join(missing, ", "))
	}
	c, err := openCache(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("open the compiled-code cache: %w", err)
	}
	e := &Engine{o: o, cache: c, compiling: make(chan struct{}, 2), loaded: map[*Program]bool{}, codes: map[string]*code{}}
	if o.Memory != nil {
		e.memory = memory.New(o.Memory, e.evict)
		e.memory.OnFull(e.evictOf)
	}
	if e.code, err = wazero.NewCompilationCacheWithDir(c.codeDir()); err != nil {
		return nil, fmt.Errorf("open the compiled-code cache: %w", err)
	}
	ctx := context.Background()
	if e.runtimes, err = newRuntimes(ctx, e.code, o.Watch); err != nil {
		return nil, errors.Join(err, e.code.Close(ctx))
	}
	return e, nil
}

// offer makes the host modules that programs may import.
func offer(ctx context.Context, runtime wazero.Runtime) error {
	modules := map[string]func(wazero.HostModuleBuilder){fuel.ImportModule: exportRefuel, abi.WASIModule: exportWASI, abi.StreamModule: exportStream}
	for _, c := range abi.Capabilities() {
		if c.Module == "" {
			continue // nothing of it is called
		}
		modules[c.Module] = func(b wazero.HostModuleBuilder) { exportCapability(b, c) }
	}
	for name, export := range modules {
		b := runtime.NewHostModuleBuilder(name)
		export(b)
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("offer %q: %w", name, err)
		}
	}
	return nil
}

// Unconfined names the protections that this system does not give to the process that compiles
// modules: there its limits alone hold. It is empty where all are in force.
func Unconfined() []string { return confine.Missing() }

// Close ends the engine, after its programs were closed by whoever loaded them.
func (e *Engine) Close(ctx context.Context) error {
	return errors.Join(e.runtimes.close(ctx), e.code.Close(ctx))
}

// Compile prepares a module for Load. It is idempotent. What the author of the
// module has to mend wraps registry.ErrBadModule.
func (e *Engine) Compile(ctx context.Context, module []byte, l Limits) error {
	return e.prepare(ctx, readSource(module), l)
}

// prepare has an entry made for a source, if there is none.
func (e *Engine) prepare(ctx context.Context, s source, l Limits) error {
	key := cacheKey(s.digest, l.caps())
	if _, err := e.cache.read(key); err == nil {
		return nil
	}
	for {
		// Who asks for the same waits for the same.
		_, err, shared := e.flight.Do(key, func() (any, error) {
			select {
			case e.compiling <- struct{}{}:
				defer func() { <-e.compiling }()
				// singleflight would throw a panic again in each caller that waits.
				return nil, e.o.Watch.Do("compilation", func() error { return e.compile(ctx, key, s, l) })
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		if shared && ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			continue // whoever compiled for all went away
		}
		return err
	}
}

func (e *Engine) compile(ctx context.Context, key string, s source, l Limits) error {
	m, err := wasm.Parse(s.module, wasm.DefaultBounds())
	if err != nil {
		return fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	if s.apart {
		m.Data = nil
	}
	rewritten, err := fuel.Rewrite(m, l.caps())
	if err != nil {
		return fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	j := job{table: l.Table, data: s.data}
	if lines.Has(m) {
		j.original = s.module
	}
	if j.compiled, j.shell, err = finish(rewritten.Module, j.original != nil); err != nil {
		return err
	}
	if j.dir, err = e.cache.begin(key); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUnwritable, err)
	}
	give, err := e.reserveChild(ctx, len(j.compiled))
	if err != nil {
		return errors.Join(err, os.RemoveAll(j.dir))
	}
	defer give()
	table, err := e.compileInChild(ctx, j)
	if err != nil {
		return errors.Join(err, os.RemoveAll(j.dir))
	}
	if err := e.cache.commit(key, j, facts{Result: rewritten, Imports: importsOf(m), Lines: table != nil, Types: len(m.Types)}, table); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUnwritable, err)
	}
	return nil
}

// Program is compiled code with its limits, ready to be called.
type Program struct {
	limits   Limits
	depth    uint32
	iface    abi.Interface
	initCost uint64
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	unload   func() error // closes compiled, once: a second time would take another program's reference
	watch    *calm.Watch
	share    *turns.App       // of the processors; nil: it waits for none
	peak     atomic.Int64     // about what calls need of memory lately; 0: none was made
	needs    []abi.Capability // imported

	size       int64  // without its code
	least      uint64 // bytes of memory that an instance begins with
	code       *code
	restorable bool // see fuel.Result
	globals    int
	pool       instances
	probed     atomic.Bool // the code is known to be the module's
	runaway    atomic.Bool // its start-up used up the budget of its own, and gets that no more
	forget     func()      // removes it from the cache
	lines      sourceLines

	slots   chan struct{}
	mu      sync.Mutex // guards closed
	closed  bool
	running sync.WaitGroup
}

// Load makes a program of a module. Code comes from the cache if its MAC is
// right; else the module is compiled again.
func (e *Engine) Load(ctx context.Context, module []byte, iface abi.Interface, l Limits) (*Program, error) {
	s := readSource(module)
	key := cacheKey(s.digest, l.caps())
	entry, err := e.cache.read(key)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			e.o.Logger.WarnContext(ctx, "compiled code is not what this node wrote: compiling again", "key", key, "err", err)
		}
		if err := e.prepare(ctx, s, l); err != nil {
			return nil, err
		}
		if entry, err = e.cache.read(key); err != nil {
			return nil, fmt.Errorf("read compiled code: %w", err)
		}
	}
	generation, compiled, err := e.runtimes.load(ctx, entry.shell, entry.Types)
	if err != nil {
		if errors.Is(err, errNode) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	p := newProgram(generation.Runtime, compiled, iface, l)
	e.adopt(p, l, generation, key, entry.codeSize)
	p.initCost, p.restorable, p.globals = entry.InitCost+s.cost, entry.Restorable, entry.Globals
	p.pool.data = s.data
	p.forget = func() { _ = os.Remove(e.cache.entry(key)) }
	if entry.Lines {
		p.lines.read = func() ([]byte, error) { return e.cache.lines(key) }
	}
	p.size = 128<<10 + 2*int64(len(entry.shell)) + int64(len(s.data))
	if err := p.link(entry.Imports); err != nil {
		return nil, errors.Join(err, p.unload())
	}
	return p, nil
}

// adopt gives a program its part in what the engine shares out, until it is unloaded.
func (e *Engine) adopt(p *Program, l Limits, g *generation, key string, codeSize int64) {
	p.watch, p.pool.watch, p.pool.mappings, p.pool.relieve = e.o.Watch, e.o.Watch, e.o.Mappings, e.relieve
	if e.o.Turns != nil {
		p.share = e.o.Turns.Join(l.Owner, l.App)
	}
	if e.memory != nil {
		p.pool.owner = e.memory.Join(l.Owner, l.holders()...)
	}
	e.mu.Lock()
	e.loaded[p] = true
	if p.code = e.codes[key]; p.code == nil {
		p.code = &code{size: codeSize, account: func() *memory.Owner {
			if e.memory == nil {
				return nil
			}
			return e.memory.Join(l.Owner)
		}}
		e.codes[key] = p.code
	}
	p.pool.code = p.code
	p.code.users.Add(1)
	e.mu.Unlock()
	p.unload = sync.OnceValue(func() error {
		e.mu.Lock()
		delete(e.loaded, p)
		last := p.code.users.Add(-1) == 0
		if last {
			delete(e.codes, key)
		}
		e.mu.Unlock()
		var err error
		if last {
			err = p.code.close()
		}
		if p.share != nil {
			p.share.Leave()
		}
		if p.pool.owner != nil {
			p.pool.owner.Leave()
		}
		ctx := context.Background()
		return errors.Join(err, p.compiled.Close(ctx), e.runtimes.leave(ctx, g))
	})
}

func newProgram(runtime wazero.Runtime, compiled wazero.CompiledModule, iface abi.Interface, l Limits) *Program {
	alone := &code{}
	var least uint64
	for _, m := range compiled.ExportedMemories() {
		least = max(least, uint64(m.Min())*pageSize)
	}
	return &Program{
		least:   least,
		runtime: runtime, compiled: compiled, unload: func() error { return compiled.Close(context.Background()) }, iface: iface, limits: l, depth: l.caps().CallDepth, slots: make(chan struct{}, max(1, l.Concurrency)),
		code: alone, pool: instances{size: l.Memory, code: alone},
	}
}

// code is machine code in memory, which programs share, with what they share besides.
type code struct {
	size  int64
	users atomic.Int64
	// account joins the account of memory of the first program's owner, or returns nil. Without it
	// nothing is kept.
	account func() *memory.Owner

	mu    sync.Mutex // guards all below
	base  *pages     // the first large memory that an image was taken of; nil: none was
	owner *memory.Owner
}

// Size is about how many bytes a program keeps in memory while it waits: its
// machine code and its module, as the engine holds them, and an instance.
func (p *Program) Size() int64 { return p.size + p.code.size }

// Share is Size with no more than the program's share of the machine code, if others have the same.
// It changes as programs come and go; the sum over all that are loaded is what all of them keep.
func (p *Program) Share() int64 { return p.size + p.code.size/max(1, p.code.users.Load()) }

func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2)
}

// importsOf names the modules that a module imports functions from, each once.
func importsOf(m *wasm.Module) (from []string) {
	for _, im := range m.Imports {
		if im.Kind == wasm.KindFunc && !slices.Contains(from, im.Module) {
			from = append(from, im.Module)
		}
	}
	return from
}

var capabilities = sync.OnceValue(abi.Capabilities)

// link finds out which capabilities a program needs that imports from these
// modules. The engine would answer that, too, and make a definition of every
// function to do so.
func (p *Program) link(imports []string) error {
	all := capabilities()
	for _, from := range imports {
		i := slices.IndexFunc(all, func(c abi.Capability) bool { return c.Module == from })
		switch {
		case i >= 0:
			p.needs = append(p.needs, all[i])
		case from != fuel.ImportModule && from != abi.WASIModule && from != abi.StreamModule:
			return fmt.Errorf("%w: it imports %q, which does not exist here", registry.ErrBadModule, from)
		}
	}
	return nil
}

// Close waits for running invocations and frees the code. It may be called again.
func (p *Program) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
	return errors.Join(p.pool.end(ctx), p.unload())
}

// Forget removes what Compile made of a module, from the disk. What is loaded goes on.
func (e *Engine) Forget(module []byte, l Limits) error {
	return e.cache.remove(cacheKey(readSource(module).digest, l.caps()))
}
