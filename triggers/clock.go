package triggers

import (
	"context"
	"time"

	"github.com/agora-host/agora/abi/cron"
)

// grace is how late a run may begin and still be on time.
const grace = time.Minute

// clockWrong: a due time that was decided further in the future than this was
// decided by a clock that has been put right since.
const clockWrong = 25 * time.Hour

// clock decides about cron triggers: each due time once, in one commit with all that are due with
// it. What it knows of a trigger is in the trigger's line.
type clock struct {
	o        Options
	work     context.Context
	queue    *queue
	intake   *intake
	statuses *statuses
}

// schedule sets when a cron trigger is due next. had reports whether it was in
// force until now: a trigger that comes, or comes back, is not made to run for
// what was due before.
func (k *clock) schedule(l *line, had bool) {
	now := k.o.Now()
	s, known := k.statuses.get(l.ref)
	fresh := !known || s.Spec != l.trigger.Spec || (k.queue.started && !had)
	if fresh || s.LastDue.After(now.Add(clockWrong)) {
		s = k.statuses.note(l.ref, func(s *Status) { s.Spec, s.LastDue = l.trigger.Spec, now })
	}
	k.arm(l, s.LastDue)
}

// arm sets the next due time after t.
func (k *clock) arm(l *line, t time.Time) {
	var next time.Time
	if l.live() {
		next = l.trigger.Schedule.Next(t)
	}
	if !next.IsZero() && !next.Equal(l.alarm) {
		k.queue.timers.add(timer{at: next, line: l})
	}
	l.nextDue, l.alarm = next, next
}

// again makes a trigger due in a moment, of which a decision failed.
func (k *clock) again(l *line, now time.Time) {
	l.alarm = now.Add(stubborn)
	k.queue.timers.add(timer{at: l.alarm, line: l})
}

// run is a due time that was decided, and what the decision replaces.
type run struct {
	line     *line
	delivery Delivery
	since    time.Time
}

// fire decides about cron triggers that are due, all in one commit.
func (k *clock) fire(due []*line, now time.Time) {
	c, begun, due := k.decideAll(due, now)
	err := errUnknown
	defer func() { k.fired(due, begun, c.Status, now, err) }()
	err = k.o.Store.Commit(k.work, c)
}

// decideAll decides about triggers that are due, and returns those about which it did. One whose
// schedule panics is due again in a moment, and holds up no other.
func (k *clock) decideAll(due []*line, now time.Time) (c Changes, begun []run, decided []*line) {
	k.queue.mu.Lock()
	defer k.queue.mu.Unlock()
	for _, l := range due {
		if !l.live() || l.nextDue.IsZero() {
			continue
		}
		var r run
		var begins bool
		if k.o.Watch.Do("dispatch", func() error { r, begins = k.decide(l, now); return nil }) != nil {
			l.firing = false
			k.again(l, now)
			continue
		}
		decided = append(decided, l)
		if begins {
			begun = append(begun, r)
			c.Put = append(c.Put, r.delivery)
		} else if l.unsure != 0 {
			c.Delete = append(c.Delete, l.unsure)
		}
		c.Status = append(c.Status, k.statuses.take(l.ref))
	}
	return c, begun, decided
}

// fired counts what came of a commit that decided about cron triggers.
func (k *clock) fired(due []*line, begun []run, statuses []Status, now time.Time, err error) {
	k.queue.mu.Lock()
	defer k.queue.mu.Unlock()
	for _, r := range begun {
		r.line.firing = false
		if err != nil {
			k.undecide(r, now)
			continue
		}
		k.intake.add(r.delivery, 0)
	}
	for _, l := range due {
		if err == nil {
			l.unsure = 0
		}
	}
	if err != nil {
		k.o.Logger.Error("runs of cron triggers could not be stored, and wait", "triggers", len(begun), "err", err)
		k.statuses.stale(statuses)
	}
	k.queue.pump()
}

// decide settles what was due last and sets the next time.
func (k *clock) decide(l *line, now time.Time) (r run, begins bool) {
	last := latest(l.trigger.Schedule, l.nextDue, now)
	k.statuses.change(l.ref, func(s *Status) {
		switch {
		case now.Sub(last) > grace && !l.trigger.CatchUp:
			s.Missed++
		case l.busy():
			s.Skipped++
		default:
			r, begins = run{l, k.begin(l, last), s.LastDue}, true
		}
		s.LastDue = last
	})
	k.arm(l, later(last, now))
	return r, begins
}

// begin makes the delivery of a due time, and keeps its line from any other run.
func (k *clock) begin(l *line, at time.Time) Delivery {
	l.firing = true
	v := Delivery{Seq: l.unsure, ID: l.ref.Name + "-" + at.UTC().Format("20060102T150405Z"), Ref: l.ref, From: l.ref.App, At: at}
	if v.Seq == 0 {
		v.Seq = k.intake.backlog.next()
	}
	return v
}

// undecide takes back that a run begins: it is due still, in a moment. The commit
// may have been made all the same, so the next one has to be of the same number,
// which replaces it.
func (k *clock) undecide(r run, now time.Time) {
	l, at := r.line, r.delivery.At
	l.unsure = r.delivery.Seq
	if s, _ := k.statuses.get(l.ref); !l.live() || !s.LastDue.Equal(at) {
		return // it was paused meanwhile, or has another schedule
	}
	k.statuses.change(l.ref, func(s *Status) { s.LastDue = r.since })
	l.nextDue = at
	k.again(l, now)
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
