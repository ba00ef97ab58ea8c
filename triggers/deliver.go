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
	for d.started && !d.stopping && d.running < maxRunning && len(d.turn) > 0 {
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
		t := *l.trigger
		d.ended.Go(func() { d.deliver(l, t, it) })
		d.enter(l)
	}
	if len(d.turn) == 0 {
		d.turn = nil
	}
}

// deliver makes one attempt and stores what came of it.
func (d *Dispatcher) deliver(l *line, t Trigger, it *item) {
	v, err := d.o.Store.Delivery(d.work, it.seq)
	if err == nil {
		err = d.o.Deliver(d.work, t, v)
	} else if errors.Is(err, ErrNotFound) {
		err = nil // it was done
	} else {
		d.log.Error("a delivery could not be read", "app", l.ref.App, "trigger", l.ref.Name, "id", it.id, "err", err)
		err = ErrLater
	}
	d.conclude(l, it, v, err)
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
	c, due, burial := d.outcome(it, v, err, now)
	d.mu.Lock()
	s := d.status(l.ref)
	s.concluded(it.id, err, now)
	c.Status = append(c.Status, *s)
	d.mu.Unlock()
	err = d.o.Store.Commit(d.work, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buried(burial, err)
	switch {
	case err != nil:
		d.log.Error("what became of a delivery could not be stored: it is made again", "app", l.ref.App, "trigger", l.ref.Name, "id", it.id, "err", err)
		d.later(l, it, now.Add(stubborn))
	case !due.IsZero():
		d.later(l, it, due)
	default:
		d.done(it.from, it.size)
	}
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

// tidy buries what has waited too long.
func (d *Dispatcher) tidy(now time.Time) {
	d.mu.Lock()
	d.nextTidy = now.Add(sweepEvery)
	type old struct {
		line *line
		item *item
	}
	var expired []old
	for _, l := range d.lines {
		for len(l.ready) > 0 && now.Sub(l.ready[0].at) > expireAfter {
			expired = append(expired, old{l, l.pop()})
			l.waiting++ // in our hands
		}
	}
	d.mu.Unlock()
	for _, o := range expired {
		if err := d.expire(d.work, o.line, o.item, now); err != nil {
			d.log.Error("a delivery that waited too long could not be put aside", "app", o.line.ref.App, "id", o.item.id, "err", err)
		}
	}
}

// expire buries an item, or puts it aside if that fails.
func (d *Dispatcher) expire(ctx context.Context, l *line, it *item, now time.Time) error {
	var c Changes
	var burial *burial
	v, err := d.o.Store.Delivery(ctx, it.seq)
	if err == nil {
		v.Error = "it expired: nobody could take it for a week"
		burial = d.bury(&c, v, now)
		err = d.o.Store.Commit(ctx, c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.waiting--
	d.buried(burial, err)
	if err != nil {
		d.later(l, it, now.Add(sweepEvery))
		return err
	}
	d.done(it.from, it.size)
	return nil
}
