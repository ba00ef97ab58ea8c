package triggers

import (
	"context"
	"fmt"
)

// Erase forgets everything of an app that calls nothing any more, by Set without triggers: what
// waits for it, its dead letters, and what is remembered of its triggers and of the keys that were
// used. What it published waits for others, and stays. ErrLater while one of its deliveries is
// still in hand; what is erased already is then gone, and it is called again. It answers how many
// deliveries and dead letters there were.
func (d *Dispatcher) Erase(ctx context.Context, app string) (n int, err error) {
	c, err := d.takeAll(app)
	if err != nil {
		return 0, err
	}
	if len(c.Delete)+len(c.Forget)+len(c.Drop) > 0 {
		if err := d.o.Store.Commit(ctx, c); err != nil {
			return 0, fmt.Errorf("erase what waits for %s: %w", app, err)
		}
	}
	d.locked(func() { d.app(app).erased = Changes{} })
	return len(c.Delete), nil
}

// takeAll takes everything of an app out of memory, and returns what its records are. They are
// remembered until they are erased: a commit that fails is made again by the next call.
func (d *Dispatcher) takeAll(app string) (Changes, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.idle(app); err != nil {
		return Changes{}, err
	}
	a := d.app(app)
	c := &a.erased
	kept := d.timers[:0:0]
	for _, t := range d.timers {
		if t.line.ref.App != app {
			kept.add(t)
		} else if t.item != nil {
			d.drop(c, t.item)
		}
	}
	d.timers = kept
	for r, l := range d.lines {
		if r.App != app {
			continue
		}
		for _, it := range l.ready {
			d.drop(c, it)
		}
		if l.unsure != 0 {
			c.Delete = append(c.Delete, l.unsure)
		}
		l.ready, l.waiting, l.dead, l.unsure = nil, 0, 0, 0
		delete(d.lines, r)
	}
	for _, k := range a.dead {
		c.Delete = append(c.Delete, k.seq)
	}
	a.dead, a.blocked = nil, nil
	d.forgetTriggers(c, app)
	return *c, nil
}

// drop counts an item out, and adds to a commit that it is gone.
func (d *Dispatcher) drop(c *Changes, it *item) {
	d.done(it.from, it.size)
	c.Delete = append(c.Delete, it.seq)
}

// forgetTriggers takes out what is remembered of an app's triggers and keys.
func (d *Dispatcher) forgetTriggers(c *Changes, app string) {
	for r := range d.statuses {
		if r.App == app {
			c.Drop = append(c.Drop, r)
			delete(d.statuses, r)
			delete(d.dirty, r)
		}
	}
	for k, m := range d.seen {
		if k.app == app {
			c.Forget = append(c.Forget, m.Seen)
			delete(d.seen, k)
			d.app(app).count(m.kind, -1)
		}
	}
}

// idle returns ErrLater if anything of an app is in the hands of a goroutine.
func (d *Dispatcher) idle(app string) error {
	timed := map[*line]int{}
	for _, t := range d.timers {
		if t.item != nil {
			timed[t.line]++
		}
	}
	busy := d.app(app).running > 0 || d.app(app).dying > 0
	for r, l := range d.lines {
		busy = busy || r.App == app && (l.trigger != nil || l.running > 0 || l.firing || l.waiting != timed[l])
	}
	for k, m := range d.seen {
		busy = busy || k.app == app && !isClosed(m.done)
	}
	if busy {
		return fmt.Errorf("a delivery to %s is under way: %w", app, ErrLater)
	}
	return nil
}
