package triggers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
)

// Bounds of what one app may have caused and not been done, and of the dedupe
// keys that are remembered of it.
const (
	maxWaiting = 10_000
	maxBytes   = 64 << 20
	maxSeen    = 10_000
	seenFor    = 24 * time.Hour
)

type seenKey struct{ app, key string }

// dedupe is a dedupe key that was used. done closes once it is known whether the
// event is durable.
type dedupe struct {
	Seen
	done chan struct{}
	err  error
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// NewID makes an event's id: 96 random bits in hex.
func NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Publish queues an event for everybody who receives this topic, and answers its
// id once it is durable. A key that the app used within a day answers the id from
// then, and queues nothing; "" is no key. ErrBacklog if too much waits.
func (d *Dispatcher) Publish(ctx context.Context, app, topic, key string, payload []byte) (string, error) {
	mark, mine, err := d.mark(ctx, app, key)
	if err != nil || !mine {
		return mark.ID, err
	}
	now := d.o.Now()
	event := Delivery{ID: mark.ID, From: app, At: now, Body: payload}
	d.mu.Lock()
	var to []Delivery
	for _, l := range d.topics[app+"/"+topic] {
		if t := l.trigger; t.Until.IsZero() || now.Before(t.Until) {
			event.Ref = l.ref
			to = append(to, event)
		}
	}
	d.mu.Unlock()
	c := Changes{Put: to}
	if key != "" {
		c.See = []Seen{mark.Seen}
	}
	mark.err = d.accept(ctx, c)
	if mark.err != nil {
		d.mu.Lock()
		d.unsee(seenKey{app, key})
		d.mu.Unlock()
	}
	close(mark.done)
	return mark.ID, mark.err
}

// mark claims a dedupe key. mine tells whether it is the caller's to publish.
func (d *Dispatcher) mark(ctx context.Context, app, key string) (m *dedupe, mine bool, err error) {
	fresh := &dedupe{Seen: Seen{App: app, Key: key, ID: NewID(), At: d.o.Now()}, done: make(chan struct{})}
	if key == "" {
		return fresh, true, nil
	}
	k := seenKey{app, key}
	for {
		d.mu.Lock()
		known := d.seen[k]
		if known == nil || d.o.Now().Sub(known.At) > seenFor {
			full := known == nil && d.app(app).seen >= maxSeen
			if !full {
				d.seen[k] = fresh
			}
			if known == nil && !full {
				d.app(app).seen++
			}
			d.mu.Unlock()
			if full {
				return fresh, false, fmt.Errorf("%w: %d dedupe keys were used within a day", ErrBacklog, maxSeen)
			}
			return fresh, true, nil
		}
		d.mu.Unlock()
		select {
		case <-known.done:
		case <-ctx.Done():
			return known, false, ctx.Err()
		}
		if known.err == nil {
			return known, false, nil
		}
	}
}

func (d *Dispatcher) unsee(k seenKey) {
	if _, ok := d.seen[k]; ok {
		delete(d.seen, k)
		d.app(k.app).seen--
	}
}

// Enqueue queues one delivery and answers once it is durable.
func (d *Dispatcher) Enqueue(ctx context.Context, v Delivery) error {
	return d.accept(ctx, Changes{Put: []Delivery{v}})
}

// accept numbers deliveries, makes them durable and lets them run.
func (d *Dispatcher) accept(ctx context.Context, c Changes) error {
	if len(c.Put)+len(c.See) == 0 {
		return nil
	}
	if err := d.reserve(c.Put); err != nil {
		return err
	}
	err := d.o.Store.Commit(ctx, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range c.Put {
		v := &c.Put[i]
		d.done(v.From, v.Size()) // take counts it again
		if err == nil {
			d.take(*v, v.Size())
			d.enter(d.line(v.Ref))
		}
	}
	d.pump()
	if err != nil {
		return errors.Join(abi.ErrnoUnavailable, fmt.Errorf("store an event: %w", err))
	}
	return nil
}

// reserve numbers deliveries and counts them in, all or none.
func (d *Dispatcher) reserve(put []Delivery) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range put {
		v := &put[i]
		if a := d.app(v.From); a.waiting >= maxWaiting || a.bytes+v.Size() > maxBytes {
			for j := range i {
				d.done(put[j].From, put[j].Size())
			}
			return fmt.Errorf("%w: %d events of %s, %d bytes", ErrBacklog, a.waiting, v.From, a.bytes)
		}
		d.seq++
		v.Seq = d.seq
		a := d.app(v.From)
		a.waiting++
		a.bytes += v.Size()
	}
	return nil
}

// done counts a delivery out of the backlog of who caused it.
func (d *Dispatcher) done(from string, size int) {
	a := d.app(from)
	a.waiting--
	a.bytes -= size
}
