package triggers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// corpse is what memory holds of a dead letter.
type corpse struct {
	seq  uint64
	ref  Ref
	died time.Time
}

// graves are the dead letters of apps, oldest first: at most maxDead of each, with those that are
// being buried.
type graves struct {
	mu    sync.Mutex // guards all below
	apps  map[string]*grave
	count map[Ref]int // of each trigger, where there are any
}

// grave is what one app has.
type grave struct {
	dead  []corpse // oldest first
	dying int      // burials under way
}

func (g *graves) of(app string) *grave {
	a := g.apps[app]
	if a == nil {
		a = &grave{}
		g.apps[app] = a
	}
	return a
}

// lay counts a dead letter in: burials may end in another order than they began.
func (g *graves) lay(k corpse) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(k)
}

func (g *graves) add(k corpse) {
	a := g.of(k.ref.App)
	at, _ := slices.BinarySearchFunc(a.dead, k, func(a, b corpse) int {
		return cmp.Or(a.died.Compare(b.died), cmp.Compare(a.seq, b.seq))
	})
	a.dead = slices.Insert(a.dead, at, k)
	g.count[k.ref]++
}

// lift counts a dead letter out, if it is there.
func (g *graves) lift(app string, seq uint64) (k corpse, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := slices.IndexFunc(g.of(app).dead, func(k corpse) bool { return k.seq == seq })
	if at < 0 {
		return k, false
	}
	return g.remove(app, at), true
}

func (g *graves) remove(app string, at int) corpse {
	a := g.of(app)
	k := a.dead[at]
	a.dead = slices.Delete(a.dead, at, at+1)
	if g.count[k.ref]--; g.count[k.ref] == 0 {
		delete(g.count, k.ref)
	}
	return k
}

// burial is a delivery that becomes a dead letter, and those that make room for it.
type burial struct {
	dead corpse
	room []corpse
}

// bury adds to a commit that a delivery is dead. What came of the commit is said to buried.
func (g *graves) bury(c *Changes, v Delivery, now time.Time) *burial {
	v.Dead, v.Due = now, time.Time{}
	c.Put = append(c.Put, v)
	b := &burial{dead: corpse{v.Seq, v.Ref, now}}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.of(v.App)
	for len(a.dead) > 0 && len(a.dead)+a.dying >= maxDead {
		k := g.remove(v.App, 0)
		b.room = append(b.room, k)
		c.Delete = append(c.Delete, k.seq)
	}
	a.dying++
	return b
}

// buried counts what came of a burial; nil is none.
func (g *graves) buried(b *burial, err error) {
	if b == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(b.dead.ref.App).dying--
	if err == nil {
		b.room = []corpse{b.dead}
	}
	for _, k := range b.room {
		g.add(k)
	}
}

// counts are the triggers of an app that have dead letters, with how many.
func (g *graves) counts(app string) map[Ref]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[Ref]int{}
	for r, n := range g.count {
		if r.App == app {
			all[r] = n
		}
	}
	return all
}

// dying reports whether a burial of an app is under way.
func (g *graves) dying(app string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(app).dying > 0
}

// clear takes out all dead letters of an app, and returns their numbers.
func (g *graves) clear(app string) (gone []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.of(app)
	for len(a.dead) > 0 {
		gone = append(gone, g.remove(app, len(a.dead)-1).seq)
	}
	a.dead = nil
	return gone
}

// before copies out the dead letters that are older than a place, oldest first.
func (g *graves) before(app, place string) ([]corpse, error) {
	at, seq := int64(math.MaxInt64), uint64(math.MaxUint64)
	if place != "" {
		if _, err := fmt.Sscanf(place, "%d-%d", &at, &seq); err != nil {
			return nil, fmt.Errorf("%q is no place in the list of dead letters: %w", place, ErrNoDeadLetter)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.apps[app]
	if a == nil {
		return nil, nil
	}
	end, _ := slices.BinarySearchFunc(a.dead, seq, func(k corpse, seq uint64) int {
		return cmp.Or(cmp.Compare(k.died.UnixNano(), at), cmp.Compare(k.seq, seq))
	})
	return slices.Clone(a.dead[:end]), nil
}

// maxDeadPart bounds what one part of the list of dead letters holds, in bytes: the letters
// carry their bodies.
const maxDeadPart = 4 << 20

// Dead lists a part of an app's dead letters, newest first, and returns the place where it
// ended: "" at the end of the list. after is the place where the part before ended, "" for the
// beginning. Letters that come or go meanwhile move no other.
func (d *Dispatcher) Dead(ctx context.Context, app, after string, limit int) (part []Delivery, next string, err error) {
	dead, err := d.graves.before(app, after)
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
			d.graves.lift(app, k.seq) // dropped meanwhile, or by a commit that failed and was made all the same
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
	k, ok := d.graves.lift(app, seq) // no other call takes it
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
	switch {
	case err == nil && again:
		d.queue.locked(func() {
			d.intake.add(v, v.Size())
			d.queue.pump()
		})
	case err != nil && !errors.Is(err, ErrNotFound):
		d.graves.lay(k)
	}
}
