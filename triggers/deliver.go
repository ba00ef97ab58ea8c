package triggers

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
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

// attempts make deliveries, each in a goroutine of its own, and make durable what came of them
// before they count it.
type attempts struct {
	o        Options
	work     context.Context // of deliveries, and of commits about them
	cancel   context.CancelFunc
	ended    sync.WaitGroup
	queue    *queue
	backlog  *backlog
	statuses *statuses
	graves   *graves
}

// stop lets those that run end until ctx ends, and then ends them.
func (a *attempts) stop(ctx context.Context) {
	idle := make(chan struct{})
	a.o.Watch.Job(new(sync.WaitGroup), "dispatcher-stop", func() error { a.ended.Wait(); return nil }, func(error) { close(idle) })
	select {
	case <-idle:
	case <-ctx.Done():
	}
	a.cancel()
	a.ended.Wait()
}

// start makes one attempt and stores what came of it, in a goroutine. What the queue counted in is
// counted out whatever becomes of it.
func (a *attempts) start(l *line, t Trigger, it *item) {
	var v Delivery
	a.o.Watch.Job(&a.ended, "dispatch", func() (err error) {
		if v, err = a.read(it, l.ref); err != nil || v.Seq == 0 {
			return err
		}
		return a.o.Watch.Do("delivery", func() error { return a.o.Deliver(a.work, t, v) })
	}, func(err error) {
		defer a.queue.leave(l)
		if err != nil && v.Seq == 0 {
			err = errors.Join(ErrLater, err) // it could not be read: there is nothing to count an attempt on
		}
		a.conclude(l, it, v, err)
	})
}

// read reads a delivery in full. One that is done already has no number.
func (a *attempts) read(it *item, r Ref) (Delivery, error) {
	v, err := a.o.Store.Delivery(a.work, it.seq)
	if errors.Is(err, ErrNotFound) {
		return Delivery{}, nil
	}
	if err != nil {
		a.o.Logger.Error("a delivery could not be read", "app", r.App, "trigger", r.Name, "id", it.id, "err", err)
		return Delivery{}, err
	}
	return v, nil
}

// conclude decides what becomes of a delivery after an attempt, makes that
// durable, and then counts it.
func (a *attempts) conclude(l *line, it *item, v Delivery, err error) {
	now := a.o.Now()
	if a.work.Err() != nil {
		return // the node stops: it is delivered again after the next start
	}
	if errors.Is(err, ErrLater) {
		it.busy++
		a.queue.mu.Lock()
		defer a.queue.mu.Unlock()
		a.queue.later(l, it, now.Add(spread(min(time.Duration(it.busy)*time.Second, 30*time.Second))))
		return
	}
	it.busy = 0
	var due time.Time
	failed := a.o.Watch.Do("dispatch", func() (e error) {
		due, e = a.record(l, it, v, err, now)
		return e
	})
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	switch {
	case failed != nil:
		a.o.Logger.Error("what became of a delivery could not be stored: it is made again", "app", l.ref.App, "trigger", l.ref.Name, "id", it.id, "err", failed)
		a.queue.later(l, it, now.Add(stubborn))
	case !due.IsZero():
		a.queue.later(l, it, due)
	default:
		a.backlog.done(it.from, it.size)
	}
}

// record makes durable what an attempt changes, and returns when the next one is due; zero: it
// was the last.
func (a *attempts) record(l *line, it *item, v Delivery, outcome error, now time.Time) (due time.Time, err error) {
	c, due, burial := a.outcome(it, v, outcome, now)
	err = errUnknown
	defer func() { a.graves.buried(burial, err) }()
	c.Status = append(c.Status, a.statuses.change(l.ref, func(s *Status) { s.concluded(it.id, outcome, now) }))
	err = a.o.Store.Commit(a.work, c)
	return due, err
}

// outcome is what an attempt changes: the delivery is done, due again, or dead.
func (a *attempts) outcome(it *item, v Delivery, err error, now time.Time) (c Changes, due time.Time, b *burial) {
	if err == nil || v.Kind == abi.TriggerCron { // the next run will come
		return Changes{Delete: []uint64{it.seq}}, due, nil
	}
	v.Dead = time.Time{} // set if it expired in a commit that failed and was made all the same
	v.Attempts++
	v.Error = clip(err.Error())
	if v.Attempts > len(backoff) {
		b = a.graves.bury(&c, v, now)
		return c, due, b
	}
	due = now.Add(spread(backoff[v.Attempts-1]))
	v.Due = due
	c.Put = []Delivery{v}
	return c, due, nil
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
func (a *attempts) tidy(now time.Time) {
	for _, o := range a.queue.takeOld(now) {
		err := a.o.Watch.Do("dispatch", func() error { return a.expire(o.line, o.item, now) })
		if err != nil {
			a.o.Logger.Error("a delivery that waited too long could not be put aside", "app", o.line.ref.App, "id", o.item.id, "err", err)
		}
	}
}

// expire buries an item, or puts it aside if that fails.
func (a *attempts) expire(l *line, it *item, now time.Time) error {
	var c Changes
	var burial *burial
	made := errUnknown
	defer func() { a.expired(l, it, burial, made, now) }()
	v, err := a.o.Store.Delivery(a.work, it.seq)
	if err == nil {
		v.Error = "it expired: no release could take it for a week"
		burial = a.graves.bury(&c, v, now)
		err = a.o.Store.Commit(a.work, c)
	}
	made = err
	return err
}

// expired counts what came of burying an item that waited too long.
func (a *attempts) expired(l *line, it *item, b *burial, err error, now time.Time) {
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	l.waiting--
	a.graves.buried(b, err)
	if err != nil {
		a.queue.later(l, it, now.Add(sweepEvery))
		return
	}
	a.backlog.done(it.from, it.size)
}
