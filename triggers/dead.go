package triggers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// corpse is what memory holds of a dead letter.
type corpse struct {
	seq  uint64
	ref  Ref
	died time.Time
}

// lay counts a dead letter in: burials may end in another order than they began.
func (d *Dispatcher) lay(k corpse) {
	a := d.app(k.ref.App)
	at, _ := slices.BinarySearchFunc(a.dead, k, func(a, b corpse) int {
		return cmp.Or(a.died.Compare(b.died), cmp.Compare(a.seq, b.seq))
	})
	a.dead = slices.Insert(a.dead, at, k)
	d.line(k.ref).dead++
}

// lift counts a dead letter out, if it is there.
func (d *Dispatcher) lift(app string, seq uint64) (k corpse, ok bool) {
	a := d.app(app)
	at := slices.IndexFunc(a.dead, func(k corpse) bool { return k.seq == seq })
	if at < 0 {
		return k, false
	}
	k = a.dead[at]
	a.dead = slices.Delete(a.dead, at, at+1)
	d.line(k.ref).dead--
	return k, true
}

// burial is a delivery that becomes a dead letter, and those that make room for it.
type burial struct {
	dead corpse
	room []corpse
}

// bury adds to a commit that a delivery is dead.
func (d *Dispatcher) bury(c *Changes, v Delivery, now time.Time) *burial {
	v.Dead, v.Due = now, time.Time{}
	c.Put = append(c.Put, v)
	b := &burial{dead: corpse{v.Seq, v.Ref, now}}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.app(v.App)
	for len(a.dead) > 0 && len(a.dead)+a.dying >= maxDead {
		k, _ := d.lift(v.App, a.dead[0].seq)
		b.room = append(b.room, k)
		c.Delete = append(c.Delete, k.seq)
	}
	a.dying++
	return b
}

// buried counts what came of a burial; nil is none.
func (d *Dispatcher) buried(b *burial, err error) {
	if b == nil {
		return
	}
	d.app(b.dead.ref.App).dying--
	if err == nil {
		b.room = []corpse{b.dead}
	}
	for _, k := range b.room {
		d.lay(k)
	}
}

// Dead lists an app's dead letters, newest first.
func (d *Dispatcher) Dead(ctx context.Context, app string) ([]Delivery, error) {
	var dead []corpse
	d.locked(func() {
		if a := d.apps[app]; a != nil {
			dead = slices.Clone(a.dead)
		}
	})
	var all []Delivery
	for _, k := range slices.Backward(dead) {
		v, err := d.o.Store.Delivery(ctx, k.seq)
		if errors.Is(err, ErrNotFound) {
			d.vanished(app, k.seq)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// vanished forgets a dead letter that is not stored: somebody dropped it in
// between, or a commit that failed was made all the same.
func (d *Dispatcher) vanished(app string, seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k, ok := d.lift(app, seq); ok {
		d.forget(d.line(k.ref))
	}
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
	var k corpse
	var ok bool
	d.locked(func() { k, ok = d.lift(app, seq) }) // no other call takes it
	if !ok {
		return Delivery{}, fmt.Errorf("dead letter %d of %s: %w", seq, app, ErrNotFound)
	}
	var v Delivery
	var c Changes
	made := errUnknown
	defer func() { d.exhumed(k, v, len(c.Put) > 0, made) }()
	v, err := d.o.Store.Delivery(ctx, seq)
	if err == nil {
		change(&v, &c)
		err = d.o.Store.Commit(ctx, c)
	}
	made = err
	if err != nil {
		return v, fmt.Errorf("change dead letter %d of %s: %w", seq, app, err)
	}
	return v, nil
}

// exhumed counts what came of a change of a dead letter.
func (d *Dispatcher) exhumed(k corpse, v Delivery, again bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			d.lay(k)
		}
		return
	}
	if again {
		d.take(v, v.Size())
		d.enter(d.line(v.Ref))
	}
	d.forget(d.line(v.Ref))
	d.pump()
}
