package triggers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/agora-host/agora/abi"
)

// Bounds of what one app may have caused and not been done.
const (
	maxWaiting = 10_000
	maxBytes   = 64 << 20
)

// NewID makes an event's id: 96 random bits in hex.
func NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Publish queues an event for everybody who receives this topic, and answers its
// id once it is durable. A key that the app used within a day answers the id from
// then, and queues nothing; "" is no key. ErrBacklog if too much waits. After an
// error it may have been queued or not.
func (d *Dispatcher) Publish(ctx context.Context, app, topic, key string, payload []byte) (string, error) {
	id, now := NewID(), d.o.Now()
	var c Changes
	var m *mark
	if key != "" {
		got, err := d.once(ctx, Seen{App: app, Key: eventKeys.key(key), ID: id, At: now})
		if err != nil {
			return "", err
		}
		if got.used != nil {
			return got.used.ID, nil
		}
		m, c.See = got.mine, []Seen{got.mine.Seen}
	}
	err := errUnknown
	if m != nil {
		defer func() { d.settle(m, err == nil) }()
	}
	d.locked(func() {
		for _, l := range d.topics[app+"/"+topic] {
			if t := l.trigger; t.Until.IsZero() || now.Before(t.Until) {
				c.Put = append(c.Put, Delivery{ID: id, Ref: l.ref, From: app, At: now, Body: payload})
			}
		}
	})
	err = d.accept(ctx, c)
	return id, err
}

// once claims a key, and waits for whoever is at it.
func (d *Dispatcher) once(ctx context.Context, s Seen) (claimed, error) {
	for {
		got, err := d.claim(s)
		if err != nil || got.busy == nil {
			return got, err
		}
		select {
		case <-got.busy:
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

// accept numbers deliveries, makes them durable and lets them run.
func (d *Dispatcher) accept(ctx context.Context, c Changes) error {
	if len(c.Put)+len(c.See) == 0 {
		return nil
	}
	if err := d.reserve(c.Put); err != nil {
		return err
	}
	err := errUnknown
	defer func() { d.accepted(c.Put, err) }()
	if err = d.o.Store.Commit(ctx, c); err != nil {
		return errors.Join(abi.ErrnoUnavailable, fmt.Errorf("store an event: %w", err))
	}
	return nil
}

// accepted lets deliveries run that are durable, and counts out those that are not.
func (d *Dispatcher) accepted(put []Delivery, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range put {
		v := &put[i]
		d.done(v.From, v.Size()) // take counts it again
		if err == nil {
			d.take(*v, v.Size())
			d.enter(d.line(v.Ref))
		}
	}
	d.pump()
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
