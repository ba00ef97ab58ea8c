package triggers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
)

const (
	maxRunning = 32 // deliveries at once, on the node
	maxPerApp  = 8  // and of one app, so that one app cannot hold all

	// longestSleep bounds how long a jump of the clock stays unnoticed.
	longestSleep = 10 * time.Second
	sweepEvery   = time.Hour
)

// Options configure a Dispatcher.
type Options struct {
	Store Store
	// Deliver calls an app. An error is a failed attempt; one that wraps ErrLater
	// is none. It is called by many goroutines at once. A panic is a failed attempt.
	Deliver func(ctx context.Context, t Trigger, d Delivery) error
	// Hold keeps everything from being delivered: what is due waits, what is published and
	// enqueued is taken, and waits too.
	Hold   bool
	Now    func() time.Time
	Logger *slog.Logger
	Watch  *calm.Watch // may be nil
}

// Dispatcher decides what is delivered when.
type Dispatcher struct {
	o      Options
	log    *slog.Logger
	wake   chan struct{}
	work   context.Context // of deliveries
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu       sync.Mutex // guards all below
	started  bool
	stopping bool
	lines    map[Ref]*line
	topics   map[string][]*line // subscriptions, by "<app>/<topic>"
	apps     map[string]*appState
	turn     []*line // those with something ready and room to run it, round robin
	running  int
	timers   timers
	statuses map[Ref]*Status
	dirty    map[Ref]bool // statuses that no commit has yet
	seen     map[seenKey]*mark
	aging    map[*keyKind][]*mark // those that are durable, oldest first
	seq      uint64
	version  uint64
	nextTidy time.Time
}

// appState is what is counted of one app.
type appState struct {
	running int
	blocked []*line  // have something ready, and the app runs as much as it may
	waiting int      // deliveries that it caused and that are not done
	bytes   int      // of them
	dead    []corpse // oldest first
	dying   int      // burials under way
	seen    map[*keyKind]int
	erased  Changes // what Erase took out of memory, until its commit is made
}

func (a *appState) count(k *keyKind, by int) {
	if a.seen == nil {
		a.seen = map[*keyKind]int{}
	}
	a.seen[k] += by
}

// Open reads what is stored. Nothing is delivered before Run.
func Open(ctx context.Context, o Options) (*Dispatcher, error) {
	d := &Dispatcher{
		o: o, log: o.Logger.With("component", "triggers"), wake: make(chan struct{}, 1),
		lines: map[Ref]*line{}, topics: map[string][]*line{}, apps: map[string]*appState{},
		statuses: map[Ref]*Status{}, dirty: map[Ref]bool{},
		seen: map[seenKey]*mark{}, aging: map[*keyKind][]*mark{},
	}
	d.work, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	stored, err := o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	for _, s := range stored.Statuses {
		d.statuses[s.Ref] = &s
		d.version = max(d.version, s.Version)
	}
	slices.SortFunc(stored.Seen, func(a, b Seen) int { return a.At.Compare(b.At) })
	for _, s := range stored.Seen {
		d.remember(s)
	}
	for i, v := range stored.Deliveries {
		d.seq = max(d.seq, v.Seq)
		if s := d.statuses[v.Ref]; s != nil && v.Kind == abi.TriggerCron {
			s.LastDue = later(s.LastDue, v.At) // a commit that failed was made all the same
		}
		d.take(v, stored.Sizes[i])
	}
	return d, nil
}

// take puts a stored delivery where it belongs.
func (d *Dispatcher) take(v Delivery, size int) {
	l := d.line(v.Ref)
	if !v.Dead.IsZero() {
		d.lay(corpse{v.Seq, v.Ref, v.Dead})
		return
	}
	from := d.app(v.From)
	from.waiting++
	from.bytes += size
	it := &item{seq: v.Seq, id: v.ID, from: v.From, at: v.At, size: size}
	if v.Due.After(d.o.Now()) {
		d.later(l, it, v.Due)
		return
	}
	l.push(it)
}

func (d *Dispatcher) line(r Ref) *line {
	l := d.lines[r]
	if l == nil {
		l = &line{ref: r}
		d.lines[r] = l
	}
	return l
}

func (d *Dispatcher) app(name string) *appState {
	a := d.apps[name]
	if a == nil {
		a = &appState{}
		d.apps[name] = a
	}
	return a
}

// status is what is remembered of a trigger, about to be changed.
func (d *Dispatcher) status(r Ref) *Status {
	s := d.statuses[r]
	if s == nil {
		s = &Status{Ref: r}
		d.statuses[r] = s
	}
	d.version++
	s.Version = d.version
	return s
}

// Set says which triggers an app has now. What is queued for a trigger that it
// no longer has waits for it to come back, and then expires.
func (d *Dispatcher) Set(app string, triggers []Trigger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	had := map[Ref]bool{}
	for r, l := range d.lines {
		if r.App == app && l.trigger != nil {
			had[r] = l.live()
			if r.Kind == abi.TriggerEvent {
				d.unsubscribe(l)
			}
			l.trigger = nil
		}
	}
	for _, t := range triggers {
		l := d.line(t.Ref)
		l.trigger = &t
		switch t.Kind {
		case abi.TriggerCron:
			d.schedule(l, had[t.Ref])
		case abi.TriggerEvent:
			d.topics[t.Name] = append(d.topics[t.Name], l)
		}
		d.enter(l)
	}
	for r := range had {
		d.forget(d.lines[r])
	}
	d.pump()
	d.nudge()
}

func (d *Dispatcher) unsubscribe(l *line) {
	kept := d.topics[l.ref.Name][:0]
	for _, other := range d.topics[l.ref.Name] {
		if other != l {
			kept = append(kept, other)
		}
	}
	if d.topics[l.ref.Name] = kept; len(kept) == 0 {
		delete(d.topics, l.ref.Name)
	}
}

// forget drops a line that holds nothing.
func (d *Dispatcher) forget(l *line) {
	if l.trigger == nil && !l.busy() && l.dead == 0 {
		delete(d.lines, l.ref)
	}
}

// Wake makes Run look at the clock now.
func (d *Dispatcher) Wake() { d.nudge() }

// nudge makes Run look again.
func (d *Dispatcher) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// locked runs f with mu held, and gives it back also if f panics.
func (d *Dispatcher) locked(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// Run delivers until ctx ends. Call it once, and again only if it panicked.
func (d *Dispatcher) Run(ctx context.Context) {
	d.locked(func() {
		d.started, d.nextTidy = true, d.o.Now().Add(sweepEvery)
		d.pump()
	})
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-alarm.C:
		}
		alarm.Reset(d.tick())
	}
}

// Stop lets running deliveries end within the context's deadline. What did not
// end is delivered again after the next start.
func (d *Dispatcher) Stop(ctx context.Context) error {
	d.locked(func() { d.stopping = true })
	idle := make(chan struct{})
	d.o.Watch.Job(new(sync.WaitGroup), "dispatcher-stop", func() error { d.ended.Wait(); return nil }, func(error) { close(idle) })
	select {
	case <-idle:
	case <-ctx.Done():
	}
	d.cancel()
	d.ended.Wait()
	return d.flush(context.WithoutCancel(ctx), Changes{})
}

// tick does what is due and answers how long nothing will be.
func (d *Dispatcher) tick() time.Duration {
	now := d.o.Now()
	due, tidy, idle := d.takeDue(now)
	if idle {
		return longestSleep
	}
	if len(due) > 0 {
		d.fire(due, now)
	}
	if tidy {
		d.tidy(now)
	}
	if d.forgetOld(now) {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sleep := longestSleep
	if len(d.timers) > 0 && !d.o.Hold {
		sleep = min(sleep, max(0, d.timers[0].at.Sub(d.o.Now())))
	}
	return sleep
}

// takeDue lets those deliveries run that are due again, and takes out the cron triggers that are
// due. idle: the dispatcher stops, and what is due now is due after the next start.
func (d *Dispatcher) takeDue(now time.Time) (due []*line, tidy, idle bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping || d.o.Hold {
		return nil, false, d.stopping
	}
	for t, ok := d.timers.due(now); ok; t, ok = d.timers.due(now) {
		switch {
		case t.item != nil:
			t.line.waiting--
			t.line.push(t.item)
			d.enter(t.line)
		case t.line.live() && t.at.Equal(t.line.alarm):
			t.line.alarm = time.Time{} // once, however many timers of this time there are
			due = append(due, t.line)
		}
	}
	d.pump()
	return due, !now.Before(d.nextTidy), false
}

// forgetOld stores what is remembered of triggers, and forgets keys that are old. It reports
// whether there may be more of them.
func (d *Dispatcher) forgetOld(now time.Time) (more bool) {
	old, c := d.aged(now)
	defer func() {
		for _, m := range old {
			d.settle(m, false)
		}
	}()
	if err := d.flush(d.work, c); err != nil {
		d.log.Error("what is remembered of triggers could not be stored", "err", err)
	}
	return len(old) == maxForget
}

// errUnknown is what became of a commit that panicked: as after any error, it may have been made.
var errUnknown = errors.New("it is not known whether the commit was made")

// flush commits changes, and with them the statuses that no commit has yet.
func (d *Dispatcher) flush(ctx context.Context, c Changes) error {
	d.locked(func() {
		for r := range d.dirty {
			c.Status = append(c.Status, *d.statuses[r])
		}
		clear(d.dirty)
	})
	if len(c.Status)+len(c.Put)+len(c.Delete)+len(c.See)+len(c.Forget) == 0 {
		return nil
	}
	err := errUnknown
	defer func() {
		if err != nil {
			d.locked(func() { d.stale(c.Status) })
		}
	}()
	err = d.o.Store.Commit(ctx, c)
	return err
}

// stale notes that statuses are not stored.
func (d *Dispatcher) stale(statuses []Status) {
	for _, s := range statuses {
		d.dirty[s.Ref] = true
	}
}
