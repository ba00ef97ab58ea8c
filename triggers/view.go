package triggers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
)

// Views shows the triggers of an app, and those that it no longer has and that
// something still waits for.
func (d *Dispatcher) Views(app string) []View {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []View
	for r, l := range d.lines {
		if r.App != app {
			continue
		}
		v := View{Status: Status{Ref: r}, Queued: len(l.ready) + l.waiting, Running: l.running, Dead: l.dead}
		if s := d.statuses[r]; s != nil {
			v.Status = *s
		}
		if t := l.trigger; t != nil {
			v.Live, v.Path, v.Paused, v.Next = true, t.Path, t.Paused, l.nextDue
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b View) int {
		return strings.Compare(string(a.Kind)+" "+a.Name, string(b.Kind)+" "+b.Name)
	})
	return all
}

// Record writes down, durably, what is about to be done at somebody's word. If it returns an error,
// nothing is done: there is no act that no record tells of. nil records nothing.
type Record func(Delivery) error

func (record Record) before(v Delivery) error {
	if record == nil {
		return nil
	}
	return record(v)
}

// Fire runs a cron trigger now, whatever its schedule says, and returns the
// run's id.
func (d *Dispatcher) Fire(ctx context.Context, r Ref, record Record) (string, error) {
	l, err := d.beginRun(r)
	if err != nil {
		return "", err
	}
	defer d.locked(func() { l.firing = false })
	v := Delivery{ID: r.Name + "-" + NewID(), Ref: r, From: r.App, At: d.o.Now()}
	if err := record.before(v); err != nil {
		return "", err
	}
	return v.ID, d.Enqueue(ctx, v, nil)
}

// beginRun keeps a cron trigger's line from any other run, if it may run now.
func (d *Dispatcher) beginRun(r Ref) (*line, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[r]
	switch {
	case l == nil || l.trigger == nil || r.Kind != abi.TriggerCron:
		return nil, fmt.Errorf("cron trigger %q of %s: %w", r.Name, r.App, ErrNoTrigger)
	case d.o.Hold:
		return nil, ErrHeld
	case l.trigger.Paused:
		return nil, fmt.Errorf("%s of %s: %w", r.Name, r.App, ErrPaused)
	case l.busy():
		return nil, fmt.Errorf("%s of %s: %w", r.Name, r.App, ErrRunning)
	}
	l.firing = true
	return l, nil
}

// Paused reports whether a trigger, or every one, is kept from being delivered to.
func (d *Dispatcher) Paused(r Ref) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[r]
	return d.o.Hold || l != nil && l.trigger != nil && l.trigger.Paused
}

// Waiting is how many deliveries are not done, dead letters left out.
func (d *Dispatcher) Waiting() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		n += len(l.ready) + l.waiting + l.running
	}
	return n
}

// Observe notes what came of a call that did not go through the queue. It is
// stored within moments, and may be lost in a crash.
func (d *Dispatcher) Observe(r Ref, id string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status(r).concluded(id, err, d.o.Now())
	d.dirty[r] = true
}
