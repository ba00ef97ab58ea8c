package triggers

import (
	"context"
	"slices"
	"strings"
)

// Views shows the triggers of an app, and those that it no longer has and that
// something still waits for, or is dead of.
func (d *Dispatcher) Views(app string) []View {
	all := d.queue.views(app)
	for r, n := range d.graves.counts(app) {
		v := all[r]
		v.Dead = n
		all[r] = v
	}
	var shown []View
	for r, v := range all {
		v.Status, _ = d.statuses.get(r)
		shown = append(shown, v)
	}
	slices.SortFunc(shown, func(a, b View) int {
		return strings.Compare(string(a.Kind)+" "+a.Name, string(b.Kind)+" "+b.Name)
	})
	return shown
}

// Record writes down, durably, what is about to be done at a person's word. If it returns an error,
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
	end, err := d.queue.begin(r)
	if err != nil {
		return "", err
	}
	defer end()
	v := Delivery{ID: r.Name + "-" + NewID(), Ref: r, From: r.App, At: d.o.Now()}
	if err := record.before(v); err != nil {
		return "", err
	}
	return v.ID, d.Enqueue(ctx, v, nil)
}

// Paused reports whether a trigger, or every one, is kept from being delivered to.
func (d *Dispatcher) Paused(r Ref) bool { return d.queue.paused(r) }

// Waiting is how many deliveries are not done, dead letters left out.
func (d *Dispatcher) Waiting() int { return d.queue.waiting() }

// Observe notes what came of a call that did not go through the queue. It is
// stored within moments, and may be lost in a crash.
func (d *Dispatcher) Observe(r Ref, id string, err error) {
	d.statuses.note(r, func(s *Status) { s.concluded(id, err, d.o.Now()) })
}
