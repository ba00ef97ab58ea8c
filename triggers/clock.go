package triggers

import (
	"time"

	"github.com/agora-host/agora/abi/cron"
)

// grace is how late a run may begin and still be on time.
const grace = time.Minute

// clockWrong: a due time that was decided further in the future than this was
// decided by a clock that has been put right since.
const clockWrong = 25 * time.Hour

// schedule sets when a cron trigger is due next. had tells whether it was in
// force until now: a trigger that comes, or comes back, is not made to run for
// what was due before.
func (d *Dispatcher) schedule(l *line, had bool) {
	now := d.o.Now()
	s := d.statuses[l.ref]
	fresh := s == nil || s.Spec != l.trigger.Spec || (d.started && !had)
	if fresh || s.LastDue.After(now.Add(clockWrong)) {
		s = d.status(l.ref)
		s.Spec, s.LastDue = l.trigger.Spec, now
		d.dirty[l.ref] = true
	}
	d.arm(l, s.LastDue)
}

// arm sets the next due time after t.
func (d *Dispatcher) arm(l *line, t time.Time) {
	var next time.Time
	if l.live() {
		next = l.trigger.Schedule.Next(t)
	}
	if !next.IsZero() && !next.Equal(l.alarm) {
		d.timers.add(timer{at: next, line: l})
	}
	l.nextDue, l.alarm = next, next
}

// run is a due time that was decided, and what the decision replaces.
type run struct {
	line     *line
	delivery Delivery
	since    time.Time
}

// fire decides about cron triggers that are due, all in one commit.
func (d *Dispatcher) fire(due []*line, now time.Time) {
	c, begun, due := d.decideAll(due, now)
	err := errUnknown
	defer func() { d.fired(due, begun, c.Status, now, err) }()
	err = d.o.Store.Commit(d.work, c)
}

// decideAll decides about triggers that are due, and answers those about which it did. One whose
// schedule panics is due again in a moment, and holds up no other.
func (d *Dispatcher) decideAll(due []*line, now time.Time) (c Changes, begun []run, decided []*line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range due {
		if !l.live() || l.nextDue.IsZero() {
			continue
		}
		var r run
		var begins bool
		if d.o.Watch.Do("dispatch", func() error { r, begins = d.decide(l, now); return nil }) != nil {
			l.firing, l.alarm = false, now.Add(stubborn)
			d.timers.add(timer{at: l.alarm, line: l})
			continue
		}
		decided = append(decided, l)
		if begins {
			begun = append(begun, r)
			c.Put = append(c.Put, r.delivery)
		} else if l.unsure != 0 {
			c.Delete = append(c.Delete, l.unsure)
		}
		c.Status = append(c.Status, *d.statuses[l.ref])
		delete(d.dirty, l.ref) // this commit has it
	}
	return c, begun, decided
}

// fired counts what came of a commit that decided about cron triggers.
func (d *Dispatcher) fired(due []*line, begun []run, statuses []Status, now time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range begun {
		r.line.firing = false
		if err != nil {
			d.undecide(r, now)
			continue
		}
		d.take(r.delivery, 0)
		d.enter(r.line)
	}
	for _, l := range due {
		if err == nil {
			l.unsure = 0
		}
	}
	if err != nil {
		d.log.Error("runs of cron triggers could not be stored, and wait", "triggers", len(begun), "err", err)
		d.stale(statuses)
	}
	d.pump()
}

// decide settles what was due last and sets the next time.
func (d *Dispatcher) decide(l *line, now time.Time) (r run, begins bool) {
	last := latest(l.trigger.Schedule, l.nextDue, now)
	s := d.status(l.ref)
	switch {
	case now.Sub(last) > grace && !l.trigger.CatchUp:
		s.Missed++
	case l.busy():
		s.Skipped++
	default:
		v := Delivery{Seq: l.unsure, ID: l.ref.Name + "-" + last.UTC().Format("20060102T150405Z"), Ref: l.ref, From: l.ref.App, At: last}
		if v.Seq == 0 {
			d.seq++
			v.Seq = d.seq
		}
		l.firing = true
		r, begins = run{l, v, s.LastDue}, true
	}
	s.LastDue = last
	d.arm(l, later(last, now))
	return r, begins
}

// undecide takes back that a run begins: it is due still, in a moment. The commit
// may have been made all the same, so the next one has to be of the same number,
// which replaces it.
func (d *Dispatcher) undecide(r run, now time.Time) {
	l, at := r.line, r.delivery.At
	l.unsure = r.delivery.Seq
	if !l.live() || !d.statuses[l.ref].LastDue.Equal(at) {
		return // it was paused meanwhile, or has another schedule
	}
	d.status(l.ref).LastDue = r.since
	l.nextDue, l.alarm = at, now.Add(stubborn)
	d.timers.add(timer{at: l.alarm, line: l})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// latest is the last due time from first on that is not after now. It looks
// back in growing steps, so that a year of missed minutes is not walked through.
func latest(s cron.Schedule, first, now time.Time) time.Time {
	last := first
	for back := 2 * time.Minute; ; back *= 30 {
		from := now.Add(-back)
		if !from.After(first) {
			from = first
		}
		for next := s.Next(from); !next.IsZero() && !next.After(now); next = s.Next(next) {
			last = next
		}
		if last.After(first) || !from.After(first) {
			return last
		}
	}
}
