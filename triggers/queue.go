package triggers

import (
	"fmt"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
)

const (
	maxRunning = 32 // deliveries at once, on the node
	maxPerApp  = 8  // and of one app, so that one app cannot hold all
)

// queue holds what is not done, in the line of its trigger, and decides what runs when: in the
// order of acceptance, apps by turns, and never more than maxRunning, maxPerApp and a trigger's own
// bound. What it starts is counted in, and counted out by leave.
type queue struct {
	hold  bool                               // nothing is started; see Options.Hold
	wake  chan struct{}                      // there is another moment to wait for
	start func(l *line, t Trigger, it *item) // begins an attempt that ends with leave; it does not wait

	mu       sync.Mutex // guards all below, and what lines hold
	started  bool
	stopping bool
	lines    map[Ref]*line
	topics   map[string][]*line // subscriptions, by "<app>/<topic>"
	apps     map[string]*share
	turn     []*line // those with something ready and room to run it, round robin
	running  int
	timers   timers
}

// share is what one app takes of what the node runs.
type share struct {
	running int
	blocked []*line // have something ready, and the app runs as much as it may
}

// The methods from here on are called with mu held; locked holds it.

// locked runs f with mu held, and gives it back also if f panics.
func (q *queue) locked(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}

func (q *queue) line(r Ref) *line {
	l := q.lines[r]
	if l == nil {
		l = &line{ref: r}
		q.lines[r] = l
	}
	return l
}

func (q *queue) share(app string) *share {
	s := q.apps[app]
	if s == nil {
		s = &share{}
		q.apps[app] = s
	}
	return s
}

// put lets a stored delivery take its place, at now.
func (q *queue) put(v Delivery, size int, now time.Time) {
	l := q.line(v.Ref)
	it := &item{seq: v.Seq, id: v.ID, from: v.From, at: v.At, size: size}
	if v.Due.After(now) {
		q.later(l, it, v.Due)
		return
	}
	l.push(it)
	q.enter(l)
}

// later puts an item aside until it is due.
func (q *queue) later(l *line, it *item, due time.Time) {
	l.waiting++
	q.timers.add(timer{at: due, line: l, item: it})
}

// enter lets a line take its turn, if it has something to run and room for it.
func (q *queue) enter(l *line) {
	if l.inTurn || !l.live() || len(l.ready) == 0 || l.running >= l.limit() {
		return
	}
	l.inTurn = true
	q.turn = append(q.turn, l)
}

// pump starts what may run now.
func (q *queue) pump() {
	for q.started && !q.stopping && !q.hold && q.running < maxRunning && len(q.turn) > 0 {
		l := q.turn[0]
		q.turn = q.turn[1:]
		s := q.share(l.ref.App)
		if s.running >= maxPerApp {
			s.blocked = append(s.blocked, l)
			continue
		}
		l.inTurn = false
		if !l.live() || len(l.ready) == 0 || l.running >= l.limit() {
			continue
		}
		it := l.pop()
		q.running++
		s.running++
		l.running++
		q.start(l, *l.trigger, it)
		q.enter(l)
	}
	if len(q.turn) == 0 {
		q.turn = nil
	}
}

func (q *queue) unsubscribe(l *line) {
	kept := q.topics[l.ref.Name][:0]
	for _, other := range q.topics[l.ref.Name] {
		if other != l {
			kept = append(kept, other)
		}
	}
	if q.topics[l.ref.Name] = kept; len(kept) == 0 {
		delete(q.topics, l.ref.Name)
	}
}

// forget drops a line that holds nothing.
func (q *queue) forget(l *line) {
	if l.trigger == nil && !l.busy() {
		delete(q.lines, l.ref)
	}
}

// idle reports whether nothing that an app's triggers hold is in the hands of a goroutine.
func (q *queue) idle(app string) bool {
	timed := map[*line]int{}
	for _, t := range q.timers {
		if t.item != nil {
			timed[t.line]++
		}
	}
	busy := q.share(app).running > 0
	for r, l := range q.lines {
		busy = busy || r.App == app && (l.trigger != nil || l.running > 0 || l.firing || l.waiting != timed[l])
	}
	return !busy
}

// clear takes out all that waits for an app, and the numbers of runs that may be stored.
func (q *queue) clear(app string) (items []*item, unsure []uint64) {
	kept := q.timers[:0:0]
	for _, t := range q.timers {
		if t.line.ref.App != app {
			kept.add(t)
		} else if t.item != nil {
			items = append(items, t.item)
		}
	}
	q.timers = kept
	for r, l := range q.lines {
		if r.App != app {
			continue
		}
		items = append(items, l.ready...)
		if l.unsure != 0 {
			unsure = append(unsure, l.unsure)
		}
		l.ready, l.waiting, l.unsure = nil, 0, 0
		delete(q.lines, r)
	}
	q.share(app).blocked = nil
	return items, unsure
}

// The methods from here on hold mu themselves.

// set says which triggers an app has now. schedule says of each cron trigger when it is due, with
// mu held; had is whether it was in force until now.
func (q *queue) set(app string, triggers []Trigger, schedule func(l *line, had bool)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	had := map[Ref]bool{}
	for r, l := range q.lines {
		if r.App == app && l.trigger != nil {
			had[r] = l.live()
			if r.Kind == abi.TriggerEvent {
				q.unsubscribe(l)
			}
			l.trigger = nil
		}
	}
	for _, t := range triggers {
		l := q.line(t.Ref)
		l.trigger = &t
		switch t.Kind {
		case abi.TriggerCron:
			schedule(l, had[t.Ref])
		case abi.TriggerEvent:
			q.topics[t.Name] = append(q.topics[t.Name], l)
		}
		q.enter(l)
	}
	for r := range had {
		q.forget(q.lines[r])
	}
	q.pump()
	q.nudge()
}

// subscribers are the triggers that receive a topic.
func (q *queue) subscribers(topic string, now time.Time) (all []Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.topics[topic] {
		if t := l.trigger; t.Until.IsZero() || now.Before(t.Until) {
			all = append(all, l.ref)
		}
	}
	return all
}

// begin keeps a cron trigger's line from any other run, if it may run now; end lets it have one.
func (q *queue) begin(r Ref) (end func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[r]
	switch {
	case l == nil || l.trigger == nil || r.Kind != abi.TriggerCron:
		return nil, fmt.Errorf("cron trigger %q of %s: %w", r.Name, r.App, ErrNoTrigger)
	case q.hold:
		return nil, ErrHeld
	case l.trigger.Paused:
		return nil, fmt.Errorf("%s of %s: %w", r.Name, r.App, ErrPaused)
	case l.busy():
		return nil, fmt.Errorf("%s of %s: %w", r.Name, r.App, ErrRunning)
	}
	l.firing = true
	return func() { q.locked(func() { l.firing = false }) }, nil
}

// takeDue lets those deliveries run that are due again, and takes out the cron triggers that are
// due. stopping: what is due now is due after the next start.
func (q *queue) takeDue(now time.Time) (due []*line, stopping bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopping || q.hold {
		return nil, q.stopping
	}
	for t, ok := q.timers.due(now); ok; t, ok = q.timers.due(now) {
		switch {
		case t.item != nil:
			t.line.waiting--
			t.line.push(t.item)
			q.enter(t.line)
		case t.line.live() && t.at.Equal(t.line.alarm):
			t.line.alarm = time.Time{} // once, however many timers of this time there are
			due = append(due, t.line)
		}
	}
	q.pump()
	return due, false
}

// sleep is how long nothing will be due.
func (q *queue) sleep(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.timers) == 0 || q.hold {
		return longestSleep
	}
	return min(longestSleep, max(0, q.timers[0].at.Sub(now)))
}

// takeOld takes out what has waited too long. It is then in the caller's hands, as waiting.
func (q *queue) takeOld(now time.Time) (expired []old) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		for len(l.ready) > 0 && now.Sub(l.ready[0].at) > expireAfter {
			expired = append(expired, old{l, l.pop()})
			l.waiting++
		}
	}
	return expired
}

// views shows what lines there are of an app, without what is remembered of them.
func (q *queue) views(app string) map[Ref]View {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[Ref]View{}
	for r, l := range q.lines {
		if r.App != app {
			continue
		}
		v := View{Queued: len(l.ready) + l.waiting, Running: l.running}
		if t := l.trigger; t != nil {
			v.Live, v.Path, v.Paused, v.Next = true, t.Path, t.Paused, l.nextDue
		}
		all[r] = v
	}
	return all
}

// paused reports whether a trigger, or every one, is kept from being delivered to.
func (q *queue) paused(r Ref) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[r]
	return q.hold || l != nil && l.trigger != nil && l.trigger.Paused
}

// waiting is how many deliveries are in the lines.
func (q *queue) waiting() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		n += len(l.ready) + l.waiting + l.running
	}
	return n
}

// leave counts a delivery out that ran, and lets others take its place.
func (q *queue) leave(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	l.running--
	s := q.share(l.ref.App)
	s.running--
	q.turn = append(q.turn, s.blocked...)
	s.blocked = nil
	q.enter(l)
	q.forget(l)
	q.pump()
	q.nudge()
}

// nudge has whoever waits look at the timers anew. It needs no lock.
func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
