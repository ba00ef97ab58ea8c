package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering/fuel"
)

var (
	// errNode: the node could not make an instance; the app is not to blame.
	errNode = errors.New("the node cannot make an instance")
	// errImage: an instance cannot take the state of its program's image.
	errImage = errors.New("the instance's memory cannot become as large as its image")
)

// instance is a module in memory, with what is asked of it at each request.
// It belongs to one invocation at a time.
type instance struct {
	module  api.Module
	slot    *slot
	memory  api.Memory
	globals []api.MutableGlobal // the module's own, if it is restorable
	fuel    api.MutableGlobal
	depth   api.MutableGlobal
	refused api.MutableGlobal

	image   *image // whose state it can be put back to; nil: none
	started bool   // its start-up has run, and it keeps what requests leave (Limits.KeepState)

	entry  string        // what serves a request
	serve  api.Function  // fuel.ExportServe, or _start of a WASI command
	stack  reflect.Value // of serve's calls, in the engine
	called api.Function  // the last one: its stack is explained when it trapped
	params [3]uint64     // of serve, and its result
}

// call calls a function without parameters and results.
func (in *instance) call(ctx context.Context, f api.Function) error {
	in.called = f
	return f.CallWithStack(ctx, nil)
}

// callServe calls fuel.ExportServe.
func (in *instance) callServe(ctx context.Context, what, first, second uint64) (answer uint64, err error) {
	in.called, in.params = in.serve, [3]uint64{what, first, second}
	err = in.serve.CallWithStack(ctx, in.params[:])
	return in.params[0], err
}

// instances are those of a program that no invocation has, with the state that all begin in. Each
// slot is one's, wiped, or released.
type instances struct {
	size     int64          // bytes of memory that each may have
	owner    *memory.Owner  // of their memory; nil: it is not counted
	mappings *budget.Budget // that they take; nil: they are not counted
	relieve  func()         // has mappings of idle instances given back
	code     *code          // which keeps what images of one code have in common
	watch    *calm.Watch

	mu    sync.Mutex // guards all below
	slots []*slot    // wiped, to be used again
	ready []*instance
	data  initial // what a new one's memory begins with, besides what is in the module
	image *image  // nil: not taken yet, or never
	fresh bool    // what start-up makes belongs to the moment: no image is taken of it
	ended bool    // the program is closed
}

// moduleConfig is the same for all. WASI is the engine's own, so nobody ever
// reads wazero's randomness; but it would keep a generator for each instance.
var moduleConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)

// maxReady bounds the instances that wait for a request of one program.
const maxReady = 16

// pop returns an instance that waits for a request, or nil.
func (i *instances) pop() *instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.ready)
	if n == 0 {
		return nil
	}
	in := i.ready[n-1]
	i.ready = i.ready[:n-1]
	return in
}

// take returns the instance that v has, or a new one. It reports whether the
// instance's start-up has run.
func (p *Program) take(v *invocation) (in *instance, prepared bool, err error) {
	if in = v.ready; in != nil {
		v.ready = nil
		return in, in.started || !in.image.cold, nil
	}
	p.pool.mu.Lock()
	image, data := p.pool.image, p.pool.data
	p.pool.mu.Unlock()
	if in, err = p.instantiate(v); err != nil {
		return nil, false, err
	}
	if image == nil { // which has the data
		if err = data.write(in.slot.space[:in.memory.Size()]); err == nil && p.restorable {
			image, err = p.pool.coldImage(in, p.iface == abi.InterfaceWASI)
		}
	}
	if err == nil && image != nil {
		err = image.adopt(in)
	}
	if err != nil {
		starved, busy := in.slot.starved, in.slot.busy()
		p.pool.discard(v, in)
		if starved != nil {
			return nil, false, busy
		}
		return nil, false, fmt.Errorf("%w: put it into its first state: %w", errNode, err)
	}
	v.began = time.Now()
	v.waited = 0
	return in, image != nil && !image.cold, nil
}

// coldImage takes the image of an instance in which nothing has run yet, where
// start-up has to run for each request: making an instance anew costs more than
// putting one back. always is whether it has to, whatever start-up makes.
func (i *instances) coldImage(in *instance, always bool) (*image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.image != nil || !(i.fresh || always) {
		return i.image, nil
	}
	taken, err := i.code.capture(in)
	if err != nil {
		return nil, err
	}
	taken.cold = true
	i.begin(taken)
	return taken, nil
}

// begin keeps the image, from which all further instances begin: what a large one has of the module's
// data need not be kept a second time.
func (i *instances) begin(taken *image) {
	if i.image = taken; taken.large != nil {
		i.data = nil
	}
}

// instantiate makes an instance in a slot. When it fails, a segment did not fit
// into its memory or table.
func (p *Program) instantiate(ctx *invocation) (*instance, error) {
	s, err := p.pool.slot()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNode, err)
	}
	s.held, ctx.reserved = ctx.reserved, 0
	if s.Reallocate(p.least) == nil { // the engine panics where a memory does not come to be
		err := s.busy()
		p.pool.putSlot(s)
		return nil, err
	}
	in := &instance{slot: s}
	memory := experimental.MemoryAllocatorFunc(func(uint64, uint64) experimental.LinearMemory { return s })
	err = p.watch.Do("instantiation", func() (err error) {
		in.module, err = p.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, memory), p.compiled, moduleConfig)
		return err
	})
	if _, panicked := errors.AsType[*calm.PanicError](err); panicked {
		s.release()
		return nil, fmt.Errorf("%w: %w", errNode, err)
	}
	if in.module == nil {
		if s.starved != nil {
			err = s.busy()
		}
		p.pool.putSlot(s)
		return nil, err
	}
	if !p.probed.Load() {
		if err := p.probe(ctx, in); err != nil {
			err = errors.Join(err, in.module.Close(ctx))
			p.pool.putSlot(s)
			return nil, err
		}
		p.probed.Store(true)
	}
	in.memory = in.module.Memory()
	in.fuel = mutable(in.module, fuel.ExportFuel)
	in.depth = mutable(in.module, fuel.ExportDepth)
	in.refused = mutable(in.module, fuel.ExportGrowFailed)
	in.entry = fuel.ExportServe
	if p.iface == abi.InterfaceWASI {
		in.entry = abi.ExportStart
	}
	in.beginStack()
	if p.restorable {
		for i := range p.globals {
			in.globals = append(in.globals, mutable(in.module, fuel.ExportGlobal+strconv.Itoa(i)))
		}
	}
	return in, nil
}

// shrink gives memory back that was grown beyond size, zeroed. The engine has no
// call for it: its buffer is set a page too short, and grown by that page through
// the front door, by which compiled code learns of the new length. It answers
// false if the engine is not what we know; TestNothingCrosses would notice.
func (in *instance) shrink(size int) bool {
	now := int(in.memory.Size())
	if now == size {
		return true
	}
	if now < size || size < pageSize {
		return false
	}
	discard(in.slot.space[size:in.slot.used])
	in.slot.used = size
	v := reflect.ValueOf(in.memory)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return false
	}
	buffer := v.Elem().FieldByName("Buffer")
	if !buffer.IsValid() || !buffer.CanSet() || buffer.Type() != reflect.TypeFor[[]byte]() {
		return false
	}
	buffer.SetBytes(in.slot.space[: size-pageSize : len(in.slot.space)])
	_, ok := in.memory.Grow(1)
	return ok && int(in.memory.Size()) == size
}

func mutable(m api.Module, name string) api.MutableGlobal {
	return m.ExportedGlobal(name).(api.MutableGlobal)
}

// slot returns one for a new instance.
func (i *instances) slot() (*slot, error) {
	if s := i.wiped(); s != nil {
		return s, nil
	}
	s, err := newSlot(i.size, i.owner, i.mappings)
	if errors.Is(err, abi.ErrNodeBusy) && i.relieve != nil {
		i.relieve()
		return newSlot(i.size, i.owner, i.mappings)
	}
	return s, err
}

// wiped returns a slot to be used again, or nil.
func (i *instances) wiped() *slot {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.slots)
	if n == 0 {
		return nil
	}
	s := i.slots[n-1]
	i.slots = i.slots[:n-1]
	return s
}

// putSlot keeps a slot for the next instance.
func (i *instances) putSlot(s *slot) {
	s.wipe()
	i.mu.Lock()
	kept := len(i.slots) < maxReady && !i.ended
	if kept {
		i.slots = append(i.slots, s)
	}
	i.mu.Unlock()
	if !kept {
		s.release()
	}
}

// discard ends an instance.
func (i *instances) discard(ctx context.Context, in *instance) {
	_ = in.module.Close(ctx) // it has nothing to flush
	i.mu.Lock()
	mapped := i.image != nil && i.image.large != nil
	i.mu.Unlock()
	if mapped {
		// A file may be mapped there: a slot that is used again has to be plain.
		in.slot.release()
		return
	}
	i.putSlot(in.slot)
}

// abandon ends an instance after a panic of the node's own, in which nothing is known to be
// whole: its slot is not used again.
func (i *instances) abandon(ctx context.Context, in *instance) {
	_ = i.watch.Do("end of a broken instance", func() error {
		defer in.slot.release()
		return in.module.Close(ctx)
	})
}

// foreseen tells whether an invocation failed in a way after which its instance can
// be put back like any other: the guest trapped, the host halted it, or its answer
// was refused. A trap leaves memory and globals as they were at that instruction,
// and so it is with an answer; there is nothing else in an instance that is put back
// (fuel.Result.Restorable), and its call stack is begun anew by the next call. Of
// anything else, a panic of the engine's own for one, nobody knows what it left.
func foreseen(err error) bool {
	switch {
	case err == nil, errors.Is(err, errHalted): // nil: it passed its limit, and answered
		return true
	case errors.Is(err, errNode), errors.Is(err, abi.ErrTrap): // a panic, see guard
		return false
	case abi.FaultKind(err) != "internal": // an answer that was refused
		return true
	default: // what wazero says of a trap; a stack that is full is none
		return strings.HasPrefix(err.Error(), "wasm error: ")
	}
}

// keep puts an instance back to the image for the next request, or ends it.
func (i *instances) keep(ctx context.Context, in *instance) {
	if !in.started && (in.image == nil || !in.image.restore(in)) {
		i.discard(ctx, in)
		return
	}
	in.fuel.Set(0)
	in.depth.Set(0)
	in.refused.Set(0)
	in.slot.keepOnly(int64(in.memory.Size()))
	in.keepStack()
	if i.owner != nil && (in.slot.taken() > smallMemory && i.owner.Short() || i.owner.Crowded()) || !i.put(in) {
		i.discard(ctx, in)
	}
}

// put keeps an instance for the next request, if there is room.
func (i *instances) put(in *instance) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.ready) == maxReady || i.ended {
		return false
	}
	i.ready = append(i.ready, in)
	return true
}

// startsAnew tells whether start-up is known to run for each request.
func (i *instances) startsAnew() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fresh
}

// settle takes the image of an instance that was just initialised, if this is
// the first and nothing about it belongs to the moment. It answers whether the
// instance has the image's state now.
func (i *instances) settle(in *instance, moment bool) (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fresh = i.fresh || moment; i.fresh {
		return false, nil
	}
	if i.image == nil {
		taken, err := i.code.capture(in)
		if err != nil {
			return false, fmt.Errorf("%w: take the image: %w", errNode, err)
		}
		i.begin(taken)
	}
	// Also the first is put into the image's form, so that it can be restored.
	if err := i.image.adopt(in); err != nil {
		return false, fmt.Errorf("%w: put it into its first state: %w", errNode, err)
	}
	return true, nil
}

// end releases everything. No invocation may run.
func (i *instances) end(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var errs []error
	for _, in := range i.ready {
		errs = append(errs, in.module.Close(ctx))
		in.slot.release()
	}
	for _, s := range i.slots {
		s.release()
	}
	if i.image != nil {
		errs = append(errs, i.image.close())
	}
	i.ready, i.slots, i.image, i.ended = nil, nil, nil, true
	return errors.Join(errs...)
}
