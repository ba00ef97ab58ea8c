package host

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/registry"
)

// DefaultPrograms bounds what the programs in memory keep, in bytes as they
// themselves estimate it. A program
// that was evicted is loaded again from the cache at its next call.
const DefaultPrograms = 1 << 30

// programs keeps the programs of the releases that were called last.
type programs struct {
	watch *calm.Watch
	load  func(context.Context, registry.Release) (*engine.Program, error)

	mu      sync.Mutex                // guards all below, and every slot's fields
	slots   map[slotKey]*list.Element // of *slot
	order   *list.List                // most recently used first
	size    int64                     // of the programs in slots, at most: see fit
	budget  int64
	closing sync.WaitGroup
	closed  bool
}

type slotKey struct {
	app     string
	release int
}

// slot is one release's place. ready closes once program or err is set.
type slot struct {
	key     slotKey
	owner   string // on whose account it is
	signer  registry.Signer
	ready   chan struct{}
	program *engine.Program
	size    int64
	err     error
	users   int
	evicted bool

	arrivals arrivals // has a lock of its own
}

func newPrograms(watch *calm.Watch, load func(context.Context, registry.Release) (*engine.Program, error), budget int64) *programs {
	return &programs{watch: watch, load: load, slots: map[slotKey]*list.Element{}, order: list.New(), budget: budget}
}

// use returns the slot with a release's program, for the caller to leave when it is
// done. Callers that come while it loads wait for the same load, and learn of its error; a load
// that panics is one that failed.
func (p *programs) use(ctx context.Context, r *registry.Release) (*slot, error) {
	s, first := p.enter(r)
	if first {
		p.fill(ctx, s, r)
	}
	select {
	case <-s.ready: // almost always: a call's context makes its channel when it is asked for
	default:
		select {
		case <-s.ready:
		case <-ctx.Done():
			p.leave(s)
			return nil, fmt.Errorf("%w while its program was loaded: %w", abi.ErrCanceled, ctx.Err())
		}
	}
	if s.err != nil {
		p.leave(s)
		return nil, s.err
	}
	return s, nil
}

var errLoadBroke = errors.New("the load broke off")

// fill loads a slot's program. The load outlives a caller that goes away: others may wait for it.
func (p *programs) fill(ctx context.Context, s *slot, r *registry.Release) {
	var program *engine.Program
	err := errLoadBroke
	defer func() { p.loaded(s, program, err) }()
	err = p.watch.Do("program-load", func() (err error) {
		program, err = p.load(context.WithoutCancel(ctx), *r)
		return err
	})
}

// accountOf returns the person on whose account a release runs.
func accountOf(r *registry.Release) string { return cmp.Or(r.Charged, r.Manifest.Owner) }

func (p *programs) enter(r *registry.Release) (s *slot, first bool) {
	key := slotKey{r.App, r.Number}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.slots[key]; ok {
		p.order.MoveToFront(e)
		s = e.Value.(*slot)
	} else {
		s, first = &slot{key: key, owner: accountOf(r), signer: r.Signer, ready: make(chan struct{})}, true
		p.slots[key] = p.order.PushFront(s)
	}
	s.users++
	return s, first
}

func (p *programs) loaded(s *slot, program *engine.Program, err error) {
	defer close(s.ready) // whatever happens: others wait, and some have no deadline
	p.mu.Lock()
	defer p.mu.Unlock()
	s.program, s.err = program, err
	if e := p.slots[s.key]; (err != nil || p.closed) && e != nil && e.Value == s {
		p.evict(e) // a failure is not kept: the next call tries again
	}
	if program != nil && !s.evicted {
		s.size = program.Size()
		p.size += s.size
		p.fit()
	}
}

// fit evicts what was used least lately until the rest is within the budget. Code that several
// programs share is in memory once; the sum over them is made only where it matters.
func (p *programs) fit() {
	if p.size <= p.budget {
		return
	}
	size := int64(0)
	for _, e := range p.slots {
		size += e.Value.(*slot).share()
	}
	for size > p.budget && p.order.Len() > 1 {
		last := p.order.Back()
		size -= last.Value.(*slot).share()
		p.evict(last)
	}
}

// share is about what would be free without the slot's program.
func (s *slot) share() int64 {
	if s.program == nil {
		return 0
	}
	return s.program.Share()
}

func (p *programs) leave(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	p.closeIfUnused(s)
}

// evict takes a slot out of reach; its program is closed when its last user left.
func (p *programs) evict(e *list.Element) {
	s := e.Value.(*slot)
	p.order.Remove(e)
	delete(p.slots, s.key)
	s.evicted = true
	p.size -= s.size
	p.closeIfUnused(s)
}

func (p *programs) closeIfUnused(s *slot) {
	if !s.evicted || s.users > 0 || s.program == nil {
		return
	}
	program := s.program
	s.program = nil
	p.watch.Go(&p.closing, "program-close", func() { _ = program.Close(context.Background()) })
}

// close evicts everything and waits for the programs to end.
func (p *programs) close(context.Context) error {
	p.end()
	p.drop(func(registry.Signer) bool { return true })
	p.closing.Wait()
	return nil
}

func (p *programs) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// drop evicts the programs of some signers, so that their releases are verified again when they
// are next called. Those that are being loaded serve whoever waits for them, and no one after.
func (p *programs) drop(of func(registry.Signer) bool) {
	p.evictAll(func(s *slot) bool { return of(s.signer) })
}

// forget evicts the programs of an app that serves nothing any more.
func (p *programs) forget(app string) {
	p.evictAll(func(s *slot) bool { return s.key.app == app })
}

// forgetOf evicts the programs on a person's account.
func (p *programs) forgetOf(owner string) {
	p.evictAll(func(s *slot) bool { return s.owner == owner })
}

func (p *programs) evictAll(which func(*slot) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.order.Front(); e != nil; {
		next := e.Next()
		if which(e.Value.(*slot)) {
			p.evict(e)
		}
		e = next
	}
}

// shrink evicts what was used least lately, until half of the size is left.
func (p *programs) shrink() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for half := p.size / 2; p.size > half && p.order.Len() > 1; {
		p.evict(p.order.Back())
	}
}

// numbers returns how many programs are in memory, and how many calls hold one of those.
func (p *programs) numbers() (loaded, users int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.slots {
		users += e.Value.(*slot).users
	}
	return p.order.Len(), users
}
