package triggers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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

// maxDeadPart bounds what one part of the list of dead letters holds, in bytes: the letters
// carry their bodies.
const maxDeadPart = 4 << 20

// Dead lists a part of an app's dead letters, newest first, and returns the place where it
// ended: "" at the end of the list. after is the place where the part before ended, "" for the
// beginning. Letters that come or go meanwhile move no other.
func (d *Dispatcher) Dead(ctx context.Context, app, after string, limit int) (part []Delivery, next string, err error) {
	dead, err := d.deadBefore(app, after)
	size := int64(0)
	for _, k := range slices.Backward(dead) {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		if len(part) >= limit || size >= maxDeadPart {
			return part, next, nil
		}
		v, err := d.o.Store.Delivery(ctx, k.seq)
		if errors.Is(err, ErrNotFound) {
			d.vanished(app, k.seq)
			continue
		}
		if err != nil {
			return nil, "", err
		}
		part, next, size = append(part, v), k.place(), size+int64(v.Size())
	}
	return part, "", err
}

// place is where a dead letter stands in the list.
func (k corpse) place() string { return fmt.Sprintf("%d-%d", k.died.UnixNano(), k.seq) }

// deadBefore copies out the dead letters that are older than a place, oldest first.
func (d *Dispatcher) deadBefore(app, place string) ([]corpse, error) {
	at, seq := int64(math.MaxInt64), uint64(math.MaxUint64)
	if place != "" {
		if _, err := fmt.Sscanf(place, "%d-%d", &at, &seq); err != nil {
			return nil, fmt.Errorf("%q is no place in the list of dead letters: %w", place, ErrNoDeadLetter)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.apps[app]
	if a == nil {
		return nil, nil
	}
	end, _ := slices.BinarySearchFunc(a.dead, seq, func(k corpse, seq uint64) int {
		return cmp.Or(cmp.Compare(k.died.UnixNano(), at), cmp.Compare(k.seq, seq))
	})
	return slices.Clone(a.dead[:end]), nil
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
func (d *Dispatcher) Redeliver(ctx context.Context, app string, seq uint64, record Record) (Delivery, error) {
	return d.exhume(ctx, app, seq, record, func(v *Delivery, c *Changes) {
		v.Dead, v.Due, v.Attempts, v.At = time.Time{}, time.Time{}, 0, d.o.Now()
		c.Put = []Delivery{*v}
	})
}

// Drop forgets a dead letter.
func (d *Dispatcher) Drop(ctx context.Context, app string, seq uint64, record Record) (Delivery, error) {
	return d.exhume(ctx, app, seq, record, func(_ *Delivery, c *Changes) { c.Delete = []uint64{seq} })
}

func (d *Dispatcher) exhume(ctx context.Context, app string, seq uint64, record Record, change func(*Delivery, *Changes)) (Delivery, error) {
	var k corpse
	var ok bool
	d.locked(func() { k, ok = d.lift(app, seq) }) // no other call takes it
	if !ok {
		return Delivery{}, fmt.Errorf("dead letter %d of %s: %w", seq, app, ErrNoDeadLetter)
	}
	var v Delivery
	var c Changes
	made := errUnknown
	defer func() { d.exhumed(k, v, len(c.Put) > 0, made) }()
	v, err := d.o.Store.Delivery(ctx, seq)
	if err == nil {
		err = record.before(v)
	}
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
