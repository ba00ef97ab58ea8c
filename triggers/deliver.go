package triggers

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// backoff is how long after which failed attempt the next one is made, give or
// take a fifth. After the last of them, a delivery is dead.
var backoff = []time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour,
}

const (
	expireAfter = 7 * 24 * time.Hour // what waits longer is dead
	maxDead     = 1000               // of one app; the oldest make room
	maxError    = 300                // bytes of an error's text that are kept
	stubborn    = 5 * time.Second    // until what could not be stored is tried again
)

// enter lets a line take its turn, if it has something to run and room for it.
func (d *Dispatcher) enter(l *line) {
	if l.inTurn || !l.live() || len(l.ready) == 0 || l.running >= l.limit() {
		return
	}
	l.inTurn = true
	d.turn = append(d.turn, l)
}

// pump starts what may run now.
func (d *Dispatcher) pump() {
	for d.started && !d.stopping && !d.o.Hold && d.running < maxRunning && len(d.turn) > 0 {
		l := d.turn[0]
		d.turn = d.turn[1:]
		a := d.app(l.ref.App)
		if a.running >= maxPerApp {
			a.blocked = append(a.blocked, l)
			continue
		}
		l.inTurn = false
		if !l.live() || len(l.ready) == 0 || l.running >= l.limit() {
			continue
		}
		it := l.pop()
		d.running++
		a.running++
		l.running++
		d.deliver(l, *l.trigger, it)
		d.enter(l)
	}
	if len(d.turn) == 0 {
		d.turn = nil
	}
}

// deliver makes one attempt and stores what came of it, in a goroutine. What pump counted in is
// counted out whatever becomes of it.
func (d *Dispatcher) deliver(l *line, t Trigger, it *item) {
	var v Delivery
	d.o.Watch.Job(&d.ended, "dispatch", func() (err error) {
		if v, err = d.read(it, l.ref); err != nil || v.Seq == 0 {
			return err
		}
		return d.o.Watch.Do("delivery", func() error { return d.o.Deliver(d.work, t, v) })
	}, func(err error) {
		defer d.leave(l)
		if err != nil && v.Seq == 0 {
			err = errors.Join(ErrLater, err) // it could not be read: there is nothing to count an attempt on
		}
		d.conclude(l, it, v, err)
	})
}

// read reads a delivery in full. One that is done already has no number.
func (d *Dispatcher) read(it *item, r Ref) (Delivery, error) {
	v, err := d.o.Store.Delivery(d.work, it.seq)
	if errors.Is(err, ErrNotFound) {
		return Delivery{}, nil
	}
	if err != nil {
		d.log.Error("a delivery could not be read", "app", r.App, "trigger", r.Name, "id", it.id, "err", err)
		return Delivery{}, err
	}
	return v, nil
}

// leave counts a delivery out that ran, and lets others take its place.
func (d *Dispatcher) leave(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	l.running--
	a := d.app(l.ref.App)
	a.running--
	d.turn = append(d.turn, a.blocked...)
	a.blocked = nil
	d.enter(l)
	d.forget(l)
	d.pump()
	d.nudge()
}

// conclude decides what becomes of a delivery after an attempt, makes that
// durable, and then counts it.
func (d *Dispatcher) conclude(l *line, it *item, v Delivery, err error) {
	now := d.o.Now()
	if d.work.Err() != nil {
		return // the node stops: it is delivered again after the next start
	}
	if errors.Is(err, ErrLater) {
		it.busy++
		d.mu.Lock()
		defer d.mu.Unlock()
		d.later(l, it, now.Add(spread(min(time.Duration(it.busy)*time.Second, 30*time.Second))))
		return
	}
	it.busy = 0
	var due time.Time
	failed := d.o.Watch.Do("dispatch", func() (e error) {
		due, e = d.record(l, it, v, err, now)
		return e
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case failed != nil:
		d.log.Error("what became of a delivery could not be stored: it is made again", "app", l.ref.App, "trigger", l.ref.Name, "id", it.id, "err", failed)
		d.later(l, it, now.Add(stubborn))
	case !due.IsZero():
		d.later(l, it, due)
	default:
		d.done(it.from, it.size)
	}
}

// record makes durable what an attempt changes, and answers when the next one is due; zero: it
// was the last.
func (d *Dispatcher) record(l *line, it *item, v Delivery, outcome error, now time.Time) (due time.Time, err error) {
	c, due, burial := d.outcome(it, v, outcome, now)
	err = errUnknown
	defer func() { d.locked(func() { d.buried(burial, err) }) }()
	d.locked(func() {
		s := d.status(l.ref)
		s.concluded(it.id, outcome, now)
		c.Status = append(c.Status, *s)
	})
	err = d.o.Store.Commit(d.work, c)
	return due, err
}

// outcome is what an attempt changes: the delivery is done, due again, or dead.
func (d *Dispatcher) outcome(it *item, v Delivery, err error, now time.Time) (c Changes, due time.Time, b *burial) {
	if err == nil || v.Kind == abi.TriggerCron { // the next run will come
		return Changes{Delete: []uint64{it.seq}}, due, nil
	}
	v.Dead = time.Time{} // set if it expired in a commit that failed and was made all the same
	v.Attempts++
	v.Error = clip(err.Error())
	if v.Attempts > len(backoff) {
		b = d.bury(&c, v, now)
		return c, due, b
	}
	due = now.Add(spread(backoff[v.Attempts-1]))
	v.Due = due
	c.Put = []Delivery{v}
	return c, due, nil
}

func (s *Status) concluded(id string, err error, now time.Time) {
	s.LastRun, s.LastID = now, id
	if err != nil {
		s.Failed++
		s.Outcome = clip(err.Error())
		return
	}
	s.Done++
	s.Outcome = "ok"
}

// later puts an item aside until it is due.
func (d *Dispatcher) later(l *line, it *item, due time.Time) {
	l.waiting++
	d.timers.add(timer{at: due, line: l, item: it})
}

func clip(s string) string {
	if len(s) > maxError {
		return strings.ToValidUTF8(s[:maxError], "") + "…"
	}
	return s
}

// spread moves a span by up to a fifth, so that what failed together does not
// come back together.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// old is an item that has waited too long, and its line.
type old struct {
	line *line
	item *item
}

// tidy buries what has waited too long.
func (d *Dispatcher) tidy(now time.Time) {
	for _, o := range d.takeOld(now) {
		err := d.o.Watch.Do("dispatch", func() error { return d.expire(d.work, o.line, o.item, now) })
		if err != nil {
			d.log.Error("a delivery that waited too long could not be put aside", "app", o.line.ref.App, "id", o.item.id, "err", err)
		}
	}
}

func (d *Dispatcher) takeOld(now time.Time) (expired []old) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nextTidy = now.Add(sweepEvery)
	for _, l := range d.lines {
		for len(l.ready) > 0 && now.Sub(l.ready[0].at) > expireAfter {
			expired = append(expired, old{l, l.pop()})
			l.waiting++ // in our hands
		}
	}
	return expired
}

// expire buries an item, or puts it aside if that fails.
func (d *Dispatcher) expire(ctx context.Context, l *line, it *item, now time.Time) error {
	var c Changes
	var burial *burial
	made := errUnknown
	defer func() { d.expired(l, it, burial, made, now) }()
	v, err := d.o.Store.Delivery(ctx, it.seq)
	if err == nil {
		v.Error = "it expired: no release could take it for a week"
		burial = d.bury(&c, v, now)
		err = d.o.Store.Commit(ctx, c)
	}
	made = err
	return err
}

// expired counts what came of burying an item that waited too long.
func (d *Dispatcher) expired(l *line, it *item, b *burial, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.waiting--
	d.buried(b, err)
	if err != nil {
		d.later(l, it, now.Add(sweepEvery))
		return
	}
	d.done(it.from, it.size)
}
