package turns

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lag bounds what an owner or app is charged for time that was used while no turn waited.
	lag = int64(50 * time.Millisecond)
	// fresh is how long a call counts as new: it is served as soon as its share comes first.
	fresh = int64(time.Millisecond)
	// Beyond that, handing over costs more than it gives: of two calls that go on, one waits
	// until the other's share is ahead by margin, and within one app until rotate is used.
	// Shares are therefore up to margin apart, and a new call does not wait for that.
	margin = int64(time.Millisecond)
	rotate = int64(5 * time.Millisecond)
)

// Turns are the tokens of a node and the queue for them.
type Turns struct {
	free    atomic.Int64 // tokens that are not held; below zero for an instant
	waiting atomic.Int64 // turns in the queue

	mu     sync.Mutex // guards all below, and all that is reached through it
	owners map[string]*owner
	queue  byShare[*owner] // that have turns in the queue
	served int64           // virtual time of the owner that was served last
	handed uint64          // how often a token went from one turn to another
}

// share is a place in a queue of shares.
type share struct {
	used  int64        // virtual time in nanoseconds
	spare atomic.Int64 // what was used while no turn waited
	index int          // in the queue, or -1
}

type owner struct {
	share
	name   string
	apps   map[string]*App
	queue  byShare[*App]
	served int64 // virtual time of the app that was served last
}

// App is an app's share of its owner's.
type App struct {
	share
	turns       *Turns
	owner       *owner
	name        string
	users       int   // of Join
	first, last *Turn // in the queue
}

// New returns Turns with so many tokens. One processor of Go's should stay without: only one
// that looks for work polls the network.
func New(tokens int) *Turns {
	t := &Turns{owners: map[string]*owner{}}
	t.free.Store(int64(tokens))
	return t
}

// Join returns an app's share. The caller gives it back with Leave.
func (t *Turns) Join(ownerName, app string) *App {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.owners[ownerName]
	if o == nil {
		o = &owner{name: ownerName, apps: map[string]*App{}, share: share{index: -1}}
		t.owners[ownerName] = o
	}
	a := o.apps[app]
	if a == nil {
		a = &App{turns: t, owner: o, name: app, share: share{index: -1}}
		o.apps[app] = a
	}
	a.users++
	return a
}

// Leave gives back what Join returned. No turn of it may be under way.
func (a *App) Leave() {
	t := a.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.users--; a.users > 0 {
		return
	}
	delete(a.owner.apps, a.name)
	if len(a.owner.apps) == 0 {
		delete(t.owners, a.owner.name)
	}
}

var epoch = time.Now()

// clock is the monotonic clock alone, which is quicker to read than both.
func clock() time.Duration { return time.Since(epoch) }

// Turn is one call's use of the processors. Its zero value needs no token.
type Turn struct {
	app     *App
	weight  int64
	since   time.Duration // when the token was got, or what was used last counted
	used    int64         // nanoseconds with a token
	run     int64         // of these, since it was granted the one it has
	holding bool
	waited  bool // in Begin
	lowered bool // its thread gives way to others in the kernel

	queued     bool // guarded by Turns.mu
	next, prev *Turn
	granted    chan struct{}
}

// Of returns a turn of an app, or of no app, which never waits. A call of weight 4 is charged
// a quarter of its time.
func Of(a *App, weight int) Turn { return Turn{app: a, weight: int64(max(1, weight))} }

// Begin waits for a token. It returns the error of ctx if that ends first, and
// context.DeadlineExceeded when deadline passes.
func (t *Turn) Begin(ctx context.Context, deadline time.Time) error {
	if t.app == nil || t.holding {
		return nil
	}
	ts := t.app.turns
	if ts.waiting.Load() == 0 {
		if ts.free.Add(-1) >= 0 {
			t.holding, t.waited, t.since = true, false, clock()
			return nil
		}
		ts.free.Add(1)
	}
	t.waited = true
	ts.mu.Lock()
	ts.enqueue(t)
	ts.dispatch()
	ts.mu.Unlock()
	return t.wait(ctx, deadline)
}

// Waited reports whether the last Begin had to wait.
func (t *Turn) Waited() bool { return t.waited }

// End gives the token back, if the turn has one.
func (t *Turn) End() {
	if !t.holding {
		return
	}
	t.holding = false
	ts := t.app.turns
	ns := t.count()
	t.run = 0
	t.raise()
	ts.free.Add(1) // before looking: who enqueues looks at free afterwards
	if ts.waiting.Load() == 0 {
		t.app.unopposed(ns)
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.charge(t.app, ns)
	ts.dispatch()
}

// unopposed notes what was used while no turn waited.
func (a *App) unopposed(ns int64) {
	a.spare.Add(ns)
	a.owner.spare.Add(ns)
}

// count returns the virtual time since it was called last.
func (t *Turn) count() int64 {
	now := clock()
	ns := int64(now - t.since)
	t.since = now
	t.used += ns
	t.run += ns
	return ns / t.weight
}

// Yield gives the token to a turn that comes first, if one waits, and waits for the next. It
// reports whether it waited. Its errors are those of Begin; the token is then given back.
func (t *Turn) Yield(ctx context.Context, deadline time.Time) (waited bool, err error) {
	if !t.holding {
		return false, nil
	}
	ts, ns := t.app.turns, t.count()
	if !t.lowered && t.run >= fresh {
		t.lowered = lower()
	}
	if ts.waiting.Load() == 0 {
		t.app.unopposed(ns)
		return false, nil
	}
	ts.mu.Lock()
	ts.charge(t.app, ns)
	best := ts.best()
	if best == nil || !t.givesWay(best) {
		ts.mu.Unlock()
		return false, nil
	}
	t.holding = false
	ts.grant(best)
	ts.handed++
	ts.enqueue(t)
	ts.mu.Unlock()
	t.raise()
	return true, t.wait(ctx, deadline)
}

// raise gives the turn's thread back its priority.
func (t *Turn) raise() {
	if t.lowered {
		t.lowered = false
		raise()
	}
}

// givesWay reports whether a turn with a token should give it to one that waits.
func (t *Turn) givesWay(to *Turn) bool {
	mine, other := &t.app.owner.share, &to.app.owner.share
	if mine == other {
		mine, other = &t.app.share, &to.app.share
	}
	switch {
	case mine == other:
		return t.run >= rotate
	case to.used < fresh:
		return other.used < mine.used+margin
	default:
		return other.used+margin < mine.used
	}
}

// wait parks until the turn has a token.
func (t *Turn) wait(ctx context.Context, deadline time.Time) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	var err error
	select {
	case <-t.granted:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = context.DeadlineExceeded
	}
	t.holding, t.since, t.run = true, clock(), 0
	if err == nil {
		return nil
	}
	ts := t.app.turns
	ts.mu.Lock()
	if t.queued {
		ts.remove(t)
		t.holding = false
	}
	ts.mu.Unlock()
	if t.holding { // it was granted meanwhile
		<-t.granted
		t.End()
	}
	return err
}

// charge adds to the virtual times of an app and its owner what a turn used while others waited.
func (ts *Turns) charge(a *App, ns int64) {
	charge(a, &a.owner.queue, a.owner.served, ns)
	charge(a.owner, &ts.queue, ts.served, ns)
}

func charge[T member](x T, q *byShare[T], served, ns int64) {
	s := x.self()
	s.used += ns
	if s.index >= 0 {
		heap.Fix(q, s.index)
	} else {
		s.used = max(s.used, q.least(served)-margin)
	}
}

// rejoin puts a share that was idle into its queue, at most margin ahead of all that wait there:
// who uses less than a share is served at once, and idling gives no more credit than that.
func rejoin[T member](x T, q *byShare[T], served int64) {
	s := x.self()
	s.used = max(s.used+min(s.spare.Swap(0), lag), q.least(served)-margin)
	s.index = len(*q)
	heap.Push(q, x)
}

// enqueue puts a turn behind the others of its app.
func (ts *Turns) enqueue(t *Turn) {
	if t.granted == nil {
		t.granted = make(chan struct{}, 1)
	}
	a := t.app
	t.queued, t.next, t.prev = true, nil, a.last
	if a.last != nil {
		a.last.next = t
	} else {
		a.first = t
	}
	a.last = t
	ts.waiting.Add(1)
	if a.index < 0 {
		rejoin(a, &a.owner.queue, a.owner.served)
	}
	if a.owner.index < 0 {
		rejoin(a.owner, &ts.queue, ts.served)
	}
}

// remove takes a turn out of the queue.
func (ts *Turns) remove(t *Turn) {
	a := t.app
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		a.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		a.last = t.prev
	}
	t.queued, t.next, t.prev = false, nil, nil
	ts.waiting.Add(-1)
	if a.first != nil {
		return
	}
	a.owner.queue.drop(a.index)
	if len(a.owner.queue) == 0 {
		ts.queue.drop(a.owner.index)
	}
}

// best returns the turn that comes first, or nil.
func (ts *Turns) best() *Turn {
	if len(ts.queue) == 0 {
		return nil
	}
	return ts.queue[0].queue[0].first
}

// dispatch grants the free tokens.
func (ts *Turns) dispatch() {
	for t := ts.best(); t != nil; t = ts.best() {
		if ts.free.Add(-1) < 0 {
			ts.free.Add(1)
			return
		}
		ts.grant(t)
	}
}

// grant gives a turn a token that is the caller's to give.
func (ts *Turns) grant(t *Turn) {
	o := t.app.owner
	ts.served = max(ts.served, o.used)
	o.served = max(o.served, t.app.used)
	ts.remove(t)
	t.granted <- struct{}{} // there is room: a turn is granted once for each time it is queued
}

// State describes the queue at one moment.
type State struct {
	Waiting int    // turns in the queue
	Handed  uint64 // how often a token went from one turn to another
}

// State returns how the queue is.
func (ts *Turns) State() State {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return State{Waiting: int(ts.waiting.Load()), Handed: ts.handed}
}

// member is what a queue of shares holds.
type member interface{ self() *share }

func (s *share) self() *share { return s }

// byShare is a heap of members, the least virtual time first.
type byShare[T member] []T

func (q byShare[T]) Len() int           { return len(q) }
func (q byShare[T]) Less(i, j int) bool { return q[i].self().used < q[j].self().used }
func (q byShare[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].self().index, q[j].self().index = i, j
}

// Push and Pop are heap.Interface's.
func (q *byShare[T]) Push(x any) { *q = append(*q, x.(T)) }
func (q *byShare[T]) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// least returns the least virtual time that is in the queue, or what was served last if that is less.
func (q byShare[T]) least(served int64) int64 {
	if len(q) == 0 {
		return served
	}
	return min(served, q[0].self().used)
}

func (q *byShare[T]) drop(i int) {
	x := heap.Remove(q, i).(T)
	x.self().index = -1
}
