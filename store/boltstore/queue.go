package boltstore

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/store/boltstore/checked"
	"github.com/agora-host/agora/triggers"
)

const (
	bDeliveries = "deliveries"
	bTriggers   = "triggers"
	bSeen       = "seen"
)

var _ triggers.Store = (*Queue)(nil)

// Queue keeps what waits to be delivered. Commits that wait at the same time
// share one.
type Queue struct {
	file    *checked.File
	commits *checked.Committer
}

var queueShape = &checked.Shape{
	Buckets: []string{bDeliveries, bTriggers, bSeen}, Required: []string{"format"}, Name: recordName, Uncounted: uncounted,
	Prepare: func(w *checked.Writer, _ func(string) bool) error {
		return put(newWriter(w), bMeta, []byte("format"), format)
	},
}

// OpenQueue opens or makes the file. watch recovers the panics of the store's own goroutine, and
// may be nil.
func OpenQueue(path string, watch *calm.Watch) (*Queue, error) {
	f, err := checked.Open(path, queueShape)
	if err != nil {
		return nil, err
	}
	return &Queue{f, checked.NewCommitter(f, watch, "queue-commit")}, nil
}

// Close commits what waits and closes the file. It may be called again.
func (q *Queue) Close() error {
	q.commits.Stop()
	return q.file.Close()
}

// Load reads everything; of deliveries, bodies and headers only to know their size.
func (q *Queue) Load(context.Context) (s triggers.Stored, err error) {
	err = q.file.View(func(tx checked.Tx) error {
		for k, record := range tx.From(bDeliveries, nil) {
			v, err := decode[triggers.Delivery](bDeliveries, k, record)
			if err != nil {
				return err
			}
			s.Sizes = append(s.Sizes, v.Size())
			v.Header, v.Body = nil, nil
			s.Deliveries = append(s.Deliveries, v)
		}
		if s.Statuses, err = list[triggers.Status](tx, bTriggers, nil); err != nil {
			return err
		}
		s.Seen, err = list[triggers.Seen](tx, bSeen, nil)
		return err
	})
	return s, err
}

// Delivery reads one.
func (q *Queue) Delivery(_ context.Context, seq uint64) (v triggers.Delivery, err error) {
	err = q.file.View(func(tx checked.Tx) error {
		v, err = get[triggers.Delivery](tx, bDeliveries, []byte(number(seq)), triggers.ErrNotFound)
		return err
	})
	return v, err
}

// sealed is a record that is ready to be written.
type sealed struct {
	bucket     string
	key, value []byte // value nil: to be deleted
}

// Commit makes changes durable together. Records are made before the writer is
// asked, so that it is held up by the disk alone.
func (q *Queue) Commit(ctx context.Context, c triggers.Changes) error {
	var records []sealed
	add := func(bucket string, k []byte, v any) error {
		raw, err := json.Marshal(v)
		records = append(records, sealed{bucket, k, checked.Seal(bucket, k, raw)})
		return err
	}
	var errs []error
	for _, v := range c.Put {
		errs = append(errs, add(bDeliveries, []byte(number(v.Seq)), v))
	}
	for _, s := range c.See {
		errs = append(errs, add(bSeen, key(s.App, s.Key), s))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, seq := range c.Delete {
		records = append(records, sealed{bDeliveries, []byte(number(seq)), nil})
	}
	for _, s := range c.Forget {
		records = append(records, sealed{bSeen, key(s.App, s.Key), nil})
	}
	for _, r := range c.Drop {
		records = append(records, sealed{bTriggers, key(r.App, string(r.Kind), r.Name), nil})
	}
	return write(ctx, q.commits, func(w *writer) error {
		statuses, err := newer(w.tx, c.Status) // first: what cannot be read leaves nothing behind
		if err != nil {
			return err
		}
		for _, r := range append(statuses, records...) {
			if r.value == nil {
				err = w.remove(r.bucket, r.key)
			} else {
				err = w.set(r.bucket, r.key, r.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// newer are the records of the statuses that are not older than what is stored.
func newer(tx checked.Tx, statuses []triggers.Status) ([]sealed, error) {
	var records []sealed
	for _, s := range statuses {
		k := key(s.App, string(s.Kind), s.Name)
		old, err := get[triggers.Status](tx, bTriggers, k, os.ErrNotExist)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err == nil && old.Version > s.Version {
			continue
		}
		raw, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		records = append(records, sealed{bTriggers, k, checked.Seal(bTriggers, k, raw)})
	}
	return records, nil
}
