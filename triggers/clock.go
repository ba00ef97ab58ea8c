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
	l.nextDue, l.alarm = time.Time{}, time.Time{}
	if next := l.trigger.Schedule.Next(t); l.live() && !next.IsZero() {
		l.nextDue, l.alarm = next, next
		d.timers.add(timer{at: next, line: l})
	}
}

// run is a due time that was decided, and what the decision replaces.
type run struct {
	line       *line
	due, since time.Time
}

// fire decides about cron triggers that are due, all in one commit.
func (d *Dispatcher) fire(due []*line, now time.Time) {
	var c Changes
	var begun []run
	d.mu.Lock()
	for _, l := range due {
		if !l.live() || l.nextDue.IsZero() {
			continue
		}
		last := latest(l.trigger.Schedule, l.nextDue, now)
		s := d.status(l.ref)
		switch {
		case now.Sub(last) > grace && !l.trigger.CatchUp:
			s.Missed++
		case l.busy():
			s.Skipped++
		default:
			d.seq++
			c.Put = append(c.Put, Delivery{Seq: d.seq, ID: l.ref.Name + "-" + last.UTC().Format("20060102T150405Z"), Ref: l.ref, From: l.ref.App, At: last})
			l.firing = true
			begun = append(begun, run{l, last, s.LastDue})
		}
		s.LastDue = last
		c.Status = append(c.Status, *s)
		d.arm(l, later(last, now))
	}
	d.mu.Unlock()
	err := d.o.Store.Commit(d.work, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, r := range begun {
		r.line.firing = false
		if err == nil {
			d.take(c.Put[i], 0)
			d.enter(r.line)
		} else if r.line.live() {
			// It is not decided: it is due still, in a moment. If the commit was made all
			// the same, its run has the same id.
			d.status(r.line.ref).LastDue = r.since
			r.line.nextDue, r.line.alarm = r.due, now.Add(stubborn)
			d.timers.add(timer{at: r.line.alarm, line: r.line})
		}
	}
	if err != nil {
		d.log.Error("runs of cron triggers could not be stored, and wait", "triggers", len(begun), "err", err)
		for _, s := range c.Status {
			d.dirty[s.Ref] = true
		}
	}
	d.pump()
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
