package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine/memory"
)

// admitWithin is how long a call waits for memory. Whoever asked should rather ask again.
const admitWithin = 5 * time.Second

// admit waits until there is memory and a processor for a call, in this order: with a processor
// in hand no call waits.
func (p *Program) admit(v *invocation) error {
	v.ready = p.pool.pop()
	if err := p.reserve(v); err != nil {
		p.unreserve(v)
		return err
	}
	if err := v.turn.Begin(v.Context, v.deadline); err != nil {
		p.unreserve(v)
		if v.Context.Err() != nil {
			return abi.ErrCanceled
		}
		return fmt.Errorf("%w: the call waited %s for a processor", abi.ErrNodeBusy, time.Since(v.began).Round(time.Millisecond))
	}
	if v.turn.Waited() {
		v.began = time.Now()
	}
	return nil
}

// reserve takes what the call is likely to need of memory. An instance that waited for it has
// it, as a rule.
func (p *Program) reserve(v *invocation) error {
	o := p.pool.owner
	if o == nil {
		return nil
	}
	need := p.peak.Load()
	if need == 0 {
		need = p.limits.Memory
	}
	if v.ready != nil {
		need = min(need, o.Bound()) - v.ready.slot.held
	}
	need = min(need, o.Most())
	if need <= 0 {
		return nil
	}
	err := o.Wait(v.Context, need, min(admitWithin, time.Until(v.deadline)))
	switch {
	case err == nil && v.ready != nil:
		v.ready.slot.held += need
	case err == nil:
		v.reserved = need
	case v.Context.Err() != nil:
		return abi.ErrCanceled
	case errors.Is(err, abi.ErrMemoryQuota):
		return err
	default:
		return fmt.Errorf("%w: %w", abi.ErrNodeBusy, err)
	}
	return err
}

// compilingOwner is the account of what compiling takes: no user has such a name.
const compilingOwner = "(compiling)"

// reserveChild takes the memory that a compile child is likely to need for a module, as the guests'
// own: it is of the same machine. A third of what confine.For allows was the most that was measured.
func (e *Engine) reserveChild(ctx context.Context, module int) (give func(), err error) {
	if e.memory == nil {
		return func() {}, nil
	}
	owner := e.memory.Join(compilingOwner)
	n := min(16<<20+34*int64(module), e.memory.Most())
	if err := owner.Wait(ctx, n, e.o.WorkerTime); err != nil {
		owner.Leave()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: compiling the module takes about %d MiB: %w", abi.ErrNodeBusy, n>>20, err)
	}
	return func() {
		owner.Give(n)
		owner.Leave()
	}, nil
}

// unreserve gives back what a call that did not come so far has not used.
func (p *Program) unreserve(v *invocation) {
	if in := v.ready; in != nil {
		v.ready = nil
		in.slot.keepOnly(int64(in.memory.Size()))
		if !p.pool.put(in) {
			p.pool.discard(v, in)
		}
	}
	if v.reserved > 0 {
		p.pool.owner.Give(v.reserved)
		v.reserved = 0
	}
}

// learn remembers what a call needed of memory: a peak at once, and what is less by and by.
func (p *Program) learn(size int64) {
	peak := p.peak.Load()
	switch {
	case size > peak:
		p.peak.Store(size)
	case size < peak:
		p.peak.Store(peak - max(pageSize, (peak-size)/8/pageSize*pageSize))
	}
}

// evict ends idle instances until so much memory was given back: of the owners that hold most
// first, and the largest first. Small ones stay, since making another for each call would cost
// neighbours more than it gives.
func (e *Engine) evict(need int64) {
	for _, name := range e.memory.Heaviest() {
		for _, p := range e.programsOf(func(l Limits) bool { return l.Owner == name }) {
			for _, in := range p.pool.shed(&need, smallMemory) {
				p.pool.discard(context.Background(), in)
			}
			if need <= 0 {
				return
			}
		}
	}
}

func (e *Engine) programsOf(those func(Limits) bool) (all []*Program) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.loaded {
		if those(p.limits) {
			all = append(all, p)
		}
	}
	return all
}

// evictOf ends idle instances of a person's or a group's programs until so much memory was given back, also
// small ones: they are in the way of no neighbour.
func (e *Engine) evictOf(h memory.Holder, need int64) {
	for _, p := range e.programsOf(func(l Limits) bool { return slices.Contains(l.holders(), h) }) {
		for _, in := range p.pool.shed(&need, 0) {
			p.pool.discard(context.Background(), in)
		}
	}
}

// BoundMemory sets quotas of the memory that the calls of a person's or a group's apps hold at once.
func (e *Engine) BoundMemory(limits map[memory.Holder]memory.Limit) {
	if e.memory != nil {
		e.memory.SetLimits(limits)
	}
}

// MemoryOf returns how much the calls of a holder's apps hold, with what waits for the next.
func (e *Engine) MemoryOf(h memory.Holder) int64 {
	if e.memory == nil {
		return 0
	}
	return e.memory.Counted(h)
}

// enough is how many idle slots are given back at once when mappings are short.
const enough = 64

// relieve gives the mappings of idle instances back, and of slots that wait for one, of any
// programs until it was enough.
func (e *Engine) relieve() {
	e.mu.Lock()
	programs := slices.Collect(maps.Keys(e.loaded))
	e.mu.Unlock()
	released := 0
	for _, p := range programs {
		idle, slots := p.pool.empty()
		for _, in := range idle {
			_ = in.module.Close(context.Background()) // it has nothing to flush
			slots = append(slots, in.slot)
		}
		for _, s := range slots {
			s.release()
		}
		if released += len(slots); released >= enough {
			return
		}
	}
}

// Relieve ends all idle instances: for a node whose machine is short of memory.
func (e *Engine) Relieve() { e.evict(math.MaxInt64) }

// Press says that the machine is short of memory, or no longer is: see memory.Memory.
func (e *Engine) Press(short bool) { e.memory.Press(short) }

// empty takes out all idle instances and slots.
func (i *instances) empty() (idle []*instance, slots []*slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	idle, slots = i.ready, i.slots
	i.ready, i.slots = nil, nil
	return idle, slots
}

// shed takes idle instances out that hold more than so much, until need is met.
func (i *instances) shed(need *int64, small int64) (shed []*instance) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ready = slices.DeleteFunc(i.ready, func(in *instance) bool {
		if *need <= 0 || in.slot.taken() <= small {
			return false
		}
		*need -= in.slot.taken()
		shed = append(shed, in)
		return true
	})
	return shed
}
