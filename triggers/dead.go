package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// corpse is what memory holds of a dead letter.
type corpse struct {
	seq  uint64
	line *line
}

func (a *appState) corpse(seq uint64) int {
	return slices.IndexFunc(a.dead, func(k corpse) bool { return k.seq == seq })
}

// bury makes a delivery a dead letter, and room for it.
func (d *Dispatcher) bury(c *Changes, l *line, v Delivery, now time.Time) {
	v.Dead, v.Due = now, time.Time{}
	c.Put = append(c.Put, v)
	d.mu.Lock()
	defer d.mu.Unlock()
	if dead := d.app(l.ref.App).dead; len(dead) >= maxDead {
		c.Delete = append(c.Delete, dead[0].seq)
	}
}

// buried counts what bury stored.
func (d *Dispatcher) buried(l *line, c Changes) {
	a := d.app(l.ref.App)
	for _, v := range c.Put {
		if !v.Dead.IsZero() {
			a.dead = append(a.dead, corpse{v.Seq, l})
			l.dead++
		}
	}
	for _, seq := range c.Delete {
		if at := a.corpse(seq); at >= 0 {
			a.dead[at].line.dead--
			a.dead = slices.Delete(a.dead, at, at+1)
		}
	}
}

// Dead lists an app's dead letters, newest first.
func (d *Dispatcher) Dead(ctx context.Context, app string) ([]Delivery, error) {
	d.mu.Lock()
	var dead []corpse
	if a := d.apps[app]; a != nil {
		dead = slices.Clone(a.dead)
	}
	d.mu.Unlock()
	var all []Delivery
	for _, k := range slices.Backward(dead) {
		v, err := d.o.Store.Delivery(ctx, k.seq)
		if errors.Is(err, ErrNotFound) {
			continue // gone in between
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// Redeliver gives a dead letter another life, from its first attempt.
func (d *Dispatcher) Redeliver(ctx context.Context, app string, seq uint64) (Delivery, error) {
	return d.exhume(ctx, app, seq, func(v *Delivery, c *Changes) {
		v.Dead, v.Due, v.Attempts, v.At = time.Time{}, time.Time{}, 0, d.o.Now()
		c.Put = []Delivery{*v}
	})
}

// Drop forgets a dead letter.
func (d *Dispatcher) Drop(ctx context.Context, app string, seq uint64) (Delivery, error) {
	return d.exhume(ctx, app, seq, func(_ *Delivery, c *Changes) { c.Delete = []uint64{seq} })
}

func (d *Dispatcher) exhume(ctx context.Context, app string, seq uint64, change func(*Delivery, *Changes)) (Delivery, error) {
	d.mu.Lock()
	a := d.app(app)
	at := a.corpse(seq)
	var k corpse
	if at >= 0 {
		k = a.dead[at]
		a.dead = slices.Delete(a.dead, at, at+1) // nobody else takes it
	}
	d.mu.Unlock()
	if at < 0 {
		return Delivery{}, fmt.Errorf("dead letter %d of %s: %w", seq, app, ErrNotFound)
	}
	v, err := d.o.Store.Delivery(ctx, seq)
	var c Changes
	if err == nil {
		change(&v, &c)
		err = d.o.Store.Commit(ctx, c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		a.dead = slices.Insert(a.dead, min(at, len(a.dead)), k)
		return v, fmt.Errorf("change dead letter %d of %s: %w", seq, app, err)
	}
	l := d.line(v.Ref)
	l.dead--
	if len(c.Put) > 0 {
		d.take(v, v.Size())
		d.enter(l)
	}
	d.forget(l)
	d.pump()
	return v, nil
}
