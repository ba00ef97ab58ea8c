package triggers

import (
	"context"
	"time"
)

// Store keeps deliveries and what is remembered of triggers.
type Store interface {
	// Load reads everything but bodies and headers, deliveries in ascending Seq.
	Load(ctx context.Context) (Stored, error)
	// Delivery reads one whole delivery; ErrNotFound if there is none.
	Delivery(ctx context.Context, seq uint64) (Delivery, error)
	// Commit makes all changes durable at once. After an error they may or may
	// not be.
	Commit(ctx context.Context, c Changes) error
}

// Stored is what a store holds.
type Stored struct {
	Deliveries []Delivery // without Header and Body; Size says how large they are
	Sizes      []int      // bytes, by index of Deliveries
	Statuses   []Status
	Seen       []Seen
}

// Changes are made together.
type Changes struct {
	Put    []Delivery // new, or to replace one of the same Seq
	Delete []uint64
	Status []Status // those with a lower Version than what is stored are ignored
	See    []Seen
	Forget []Seen
	Drop   []Ref // what is remembered of triggers, of an app that is erased
}

// Seen remembers a key under which something was taken, so that it is not taken
// twice.
type Seen struct {
	App string    `json:"app"`
	Key string    `json:"key"`
	ID  string    `json:"id,omitempty"` // of the event; webhooks have none here
	At  time.Time `json:"at"`
}
