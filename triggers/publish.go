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

// NewID makes an event's id: 96 random bits in hex.
func NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Publish queues an event for everybody who receives this topic, and returns its
// id once it is durable. A key that the app used within a day returns the id from
// then, and queues nothing; "" is no key. ErrBacklog if too much waits. After an
// error it may have been queued or not.
func (d *Dispatcher) Publish(ctx context.Context, app, topic, key string, payload []byte) (string, error) {
	id, now := NewID(), d.o.Now()
	var c Changes
	var m *mark
	if key != "" {
		got, err := d.keys.once(ctx, Seen{App: app, Key: eventKeys.key(key), ID: id, At: now})
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
		defer func() { d.keys.settle(m, err == nil) }()
	}
	for _, r := range d.queue.subscribers(app+"/"+topic, now) {
		c.Put = append(c.Put, Delivery{ID: id, Ref: r, From: app, At: now, Body: payload})
	}
	err = d.intake.accept(ctx, c)
	return id, err
}

// intake takes deliveries: into the backlog, into the store, and only then into the queue.
type intake struct {
	store   Store
	now     func() time.Time
	backlog *backlog
	queue   *queue
}

// accept numbers deliveries, makes them durable and lets them run.
func (t *intake) accept(ctx context.Context, c Changes) error {
	if len(c.Put)+len(c.See) == 0 {
		return nil
	}
	if err := t.backlog.reserve(c.Put); err != nil {
		return err
	}
	err := errUnknown
	defer func() { t.accepted(c.Put, err) }()
	if err = t.store.Commit(ctx, c); err != nil {
		return errors.Join(abi.ErrnoUnavailable, fmt.Errorf("store an event: %w", err))
	}
	return nil
}

// accepted lets deliveries run that are durable, and counts out those that are not.
func (t *intake) accepted(put []Delivery, err error) {
	if err != nil {
		for _, v := range put {
			t.backlog.done(v.From, v.Size())
		}
		return
	}
	t.queue.locked(func() {
		for _, v := range put {
			t.queue.put(v, v.Size(), t.now())
		}
		t.queue.pump()
	})
}

// add takes a delivery that is stored already, with the queue's lock held.
func (t *intake) add(v Delivery, size int) {
	t.backlog.add(v.From, size)
	t.queue.put(v, size, t.now())
}
