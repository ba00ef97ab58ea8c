package memory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/internal/budget"
)

// ErrShort: there is not enough memory, and there was none within the time.
var ErrShort = errors.New("the memory for apps is used up")

const (
	keptFor   = 8  // the part of all that is kept for owners that hold little: an eighth
	inHeap    = 8  // an eighth of all may lie in Go's heap
	holdsMuch = 16 // an owner that holds more than a sixteenth of all holds much
)

// Memory is what guests have together.
type Memory struct {
	all   *budget.Budget
	evict func(need int64) // has idle memory given back, need bytes or more if it is there

	heap    atomic.Int64 // of all, what lies in Go's heap
	waiting atomic.Int64 // calls in queue
	pressed atomic.Bool

	mu     sync.Mutex // guards all below
	owners map[string]*Owner
	queue  []*waiter // in the order in which they came
}

// Owner is what one owner's guests hold.
type Owner struct {
	m     *Memory
	name  string
	users int // guarded by Memory.mu
	held  atomic.Int64
}

type waiter struct {
	owner   *Owner
	need    int64
	granted chan struct{} // closed once it has what it needs
}

// New returns a Memory of so many bytes. evict is called, by those who wait, when memory is short.
func New(all *budget.Budget, evict func(need int64)) *Memory {
	return &Memory{all: all, evict: evict, owners: map[string]*Owner{}}
}

// Join returns an owner's account. The caller gives it back with Leave.
func (m *Memory) Join(name string) *Owner {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.owners[name]
	if o == nil {
		o = &Owner{m: m, name: name}
		m.owners[name] = o
	}
	o.users++
	return o
}

// Leave gives an account back. What was taken on it must have been given back.
func (o *Owner) Leave() {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	if o.users--; o.users == 0 {
		delete(o.m.owners, o.name)
	}
}

// Held returns how many bytes the owner holds.
func (o *Owner) Held() int64 { return o.held.Load() }

// Most returns the most that one call may reserve.
func (m *Memory) Most() int64 { return m.all.Limit() / 2 }

// Short reports whether calls wait for memory, or the machine is short of it: what is idle
// should then not be kept.
func (m *Memory) Short() bool { return m.waiting.Load() > 0 || m.pressed.Load() }

// Press says that the machine itself is short of memory, or no longer is. While it is, no memory
// is given out but to calls that run.
func (m *Memory) Press(short bool) {
	if m.pressed.Swap(short) && !short {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.serve()
	}
}

// Take takes n bytes if they are there now.
func (o *Owner) Take(n int64) bool {
	if n <= 0 {
		return true
	}
	held := o.held.Add(n)
	limit := o.m.all.Limit()
	if held > limit/holdsMuch && o.m.all.Used()+n > limit-limit/keptFor || !o.m.all.Take(n) {
		o.held.Add(-n)
		return false
	}
	return true
}

// TakeHeap takes n bytes for what idle instances keep in Go's heap, if they are there now. That is
// little of all: Go's collector has a limit of its own and works without end where it is passed.
func (o *Owner) TakeHeap(n int64) bool {
	if o.Short() {
		return false
	}
	if o.m.heap.Add(n) > o.m.all.Limit()/inHeap || !o.Take(n) {
		o.m.heap.Add(-n)
		return false
	}
	return true
}

// GiveHeap gives back what TakeHeap took.
func (o *Owner) GiveHeap(n int64) {
	if n > 0 {
		o.m.heap.Add(-n)
		o.Give(n)
	}
}

// Short is Memory.Short.
func (o *Owner) Short() bool { return o.m.Short() }

// Most is Memory.Most.
func (o *Owner) Most() int64 { return o.m.Most() }

// Force takes n bytes that are in use already.
func (o *Owner) Force(n int64) {
	o.held.Add(n)
	o.m.all.Force(n)
}

// Give gives n bytes back.
func (o *Owner) Give(n int64) {
	if n <= 0 {
		return
	}
	o.held.Add(-n)
	o.m.all.Give(n)
	if o.m.waiting.Load() > 0 {
		o.m.mu.Lock()
		defer o.m.mu.Unlock()
		o.m.serve()
	}
}

// Wait takes n bytes, and waits for them until ctx ends or a time has passed. It returns ErrShort,
// or the error of ctx.
func (o *Owner) Wait(ctx context.Context, n int64, within time.Duration) error {
	m := o.m
	if !m.Short() && o.Take(n) {
		return nil
	}
	if m.evict != nil {
		m.evict(n)
	}
	w := &waiter{owner: o, need: n, granted: make(chan struct{})}
	m.mu.Lock()
	m.queue = append(m.queue, w)
	m.waiting.Add(1)
	m.serve()
	m.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	var err error
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = ErrShort
	}
	m.mu.Lock()
	i := slices.Index(m.queue, w)
	if i >= 0 {
		m.dequeue(i)
		m.serve() // it may have been in the way of a smaller one
	}
	m.mu.Unlock()
	if i < 0 { // it was granted meanwhile
		o.Give(n)
	}
	return err
}

func (m *Memory) dequeue(i int) {
	m.queue = slices.Delete(m.queue, i, i+1)
	m.waiting.Add(-1)
}

// serve gives to those that wait, the owner that holds least first. The first that cannot be
// served keeps the others waiting, so that small calls do not starve a large one.
func (m *Memory) serve() {
	for len(m.queue) > 0 && !m.pressed.Load() {
		first := 0
		for i, w := range m.queue {
			if w.owner.Held() < m.queue[first].owner.Held() {
				first = i
			}
		}
		w := m.queue[first]
		if !w.owner.Take(w.need) {
			return
		}
		m.dequeue(first)
		close(w.granted)
	}
}

// Heaviest returns the owners by how much they hold, the most first.
func (m *Memory) Heaviest() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	type holding struct {
		name string
		held int64
	}
	var all []holding
	for name, o := range m.owners {
		all = append(all, holding{name, o.Held()})
	}
	slices.SortFunc(all, func(a, b holding) int { return int(min(1, max(-1, b.held-a.held))) })
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.name
	}
	return names
}
