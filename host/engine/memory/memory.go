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

	shed  func(of Holder, need int64) // see OnFull
	freed signal

	mu     sync.Mutex // guards all below
	people map[string]*person
	quotas map[Holder]*quota
	limits map[Holder]Limit
	queue  []*waiter // in the order in which they came
}

// Owner is the account of one owner's guests, or of those of them that have the same quotas.
type Owner struct {
	m      *Memory
	person *person
	quotas []*quota
}

// person is what all guests of one owner hold.
type person struct {
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
	return &Memory{all: all, evict: evict, people: map[string]*person{}, quotas: map[Holder]*quota{}}
}

// Join returns an owner's account, which quotas of these holders bound. The caller gives it back with Leave.
func (m *Memory) Join(name string, bounded ...Holder) *Owner {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people[name]
	if p == nil {
		p = &person{name: name}
		m.people[name] = p
	}
	p.users++
	o := &Owner{m: m, person: p}
	for _, h := range bounded {
		o.quotas = append(o.quotas, m.join(h))
	}
	return o
}

// Leave gives an account back. What was taken on it must have been given back.
func (o *Owner) Leave() {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	if o.person.users--; o.person.users == 0 {
		delete(o.m.people, o.person.name)
	}
	for _, q := range o.quotas {
		if q.users--; q.users == 0 {
			delete(o.m.quotas, q.of)
		}
	}
}

// Unbounded returns the same account for what no quota counts. It is left with the other.
func (o *Owner) Unbounded() *Owner { return &Owner{m: o.m, person: o.person} }

// Held returns how many bytes the owner holds.
func (o *Owner) Held() int64 { return o.person.held.Load() }

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
func (o *Owner) Take(n int64) bool { return o.Grow(n) == nil }

// Grow takes n bytes if they are there now, or returns ErrShort or a *QuotaError.
func (o *Owner) Grow(n int64) error {
	if n <= 0 {
		return nil
	}
	if full := o.count(n); full != nil {
		return full.refusal()
	}
	if !o.take(n) {
		o.uncount(n)
		return ErrShort
	}
	return nil
}

// take takes n bytes that quotas have counted.
func (o *Owner) take(n int64) bool {
	held := o.person.held.Add(n)
	limit := o.m.all.Limit()
	if held > limit/holdsMuch && o.m.all.Used()+n > limit-limit/keptFor || !o.m.all.Take(n) {
		o.person.held.Add(-n)
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

// Most is Memory.Most, or the least that a quota of the owner's allows.
func (o *Owner) Most() int64 { return min(o.m.Most(), o.Bound()) }

// Force takes n bytes that are in use already.
func (o *Owner) Force(n int64) {
	for _, q := range o.quotas {
		q.counted.Add(n)
	}
	o.person.held.Add(n)
	o.m.all.Force(n)
}

// Give gives n bytes back.
func (o *Owner) Give(n int64) {
	if n <= 0 {
		return
	}
	o.person.held.Add(-n)
	o.m.all.Give(n)
	o.uncount(n)
	if o.m.waiting.Load() > 0 {
		o.m.mu.Lock()
		defer o.m.mu.Unlock()
		o.m.serve()
	}
}

// Wait takes n bytes, and waits for them until ctx ends or a time has passed. It returns ErrShort,
// the error of ctx, or a *QuotaError, for which it waits less.
func (o *Owner) Wait(ctx context.Context, n int64, within time.Duration) error {
	if err := o.waitQuotas(ctx, n, min(within, quotaWithin)); err != nil {
		return err
	}
	err := o.wait(ctx, n, within)
	if err != nil {
		o.uncount(n)
	}
	return err
}

// wait takes n bytes that quotas have counted.
func (o *Owner) wait(ctx context.Context, n int64, within time.Duration) error {
	m := o.m
	if !m.Short() && o.take(n) {
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
		return nil
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
		if !w.owner.take(w.need) {
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
	for name, p := range m.people {
		all = append(all, holding{name, p.held.Load()})
	}
	slices.SortFunc(all, func(a, b holding) int { return int(min(1, max(-1, b.held-a.held))) })
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.name
	}
	return names
}
