package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

const (
	bApps        = "apps"
	bReleases    = "releases"
	bActivations = "activations"
	bKeys        = "keys"
	bRequests    = "requests"
	bGrants      = "grants"
	bUsers       = "users"
	bCredentials = "credentials"
	bEvents      = "events"
	bUsage       = "usage"
	bHours       = "usage_hours"
	bAdjustments = "usage_adjustments"
	bEpochs      = "usage_epochs"
	bMeta        = "meta"
)

var buckets = []string{bApps, bReleases, bActivations, bKeys, bRequests, bGrants, bUsers, bCredentials, bEvents, bUsage, bHours, bAdjustments, bEpochs, bMeta}

// format is the version of the records' shapes.
const format = 1

// Store is the control plane's state.
type Store struct {
	db  *bolt.DB
	now func() time.Time

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// Open opens or makes a store.
func Open(path string, now func() time.Time) (*Store, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, now: now, changed: make(chan struct{})}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func openFile(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 2 * time.Second, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("another agora process uses %s: stop it, or choose another directory with --data", filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func (s *Store) prepare() error {
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		found, err := get[int](tx, bMeta, []byte("format"), os.ErrNotExist)
		if errors.Is(err, os.ErrNotExist) {
			return put(tx, bMeta, []byte("format"), format)
		}
		if err == nil && found > format {
			return fmt.Errorf("the data was written by a newer agora (format %d, this one knows %d): run that one", found, format)
		}
		return err
	})
}

// Close closes the file. It may be called again.
func (s *Store) Close() error { return s.db.Close() }

// Tx is one transaction over everything that the domains store.
type Tx struct {
	tx     *bolt.Tx
	rev    abi.Rev
	actor  string
	at     time.Time
	events int
	err    error // of Emit
}

// View reads.
func (s *Store) View(ctx context.Context, read func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return faultSafe(func() error {
		return s.db.View(func(tx *bolt.Tx) error { return read(&Tx{tx: tx, at: s.now().UTC()}) })
	})
}

// Update changes state, one Update after the other. When change answers nil its
// writes, its events and the next revision are durable; otherwise nothing
// happened. change must not do I/O of its own.
func (s *Store) Update(ctx context.Context, actor string, change func(*Tx) error) (abi.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var rev abi.Rev
	err := faultSafe(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			last, err := revision(tx)
			if err != nil {
				return err
			}
			rev = last + 1
			if err := put(tx, bMeta, []byte("rev"), rev); err != nil {
				return err
			}
			t := &Tx{tx: tx, rev: rev, actor: actor, at: s.now().UTC()}
			if err := change(t); err != nil {
				return err
			}
			return t.err
		})
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	return rev, nil
}

// faultSafe turns a read error of the mapped file into an error.
func faultSafe(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if fault, ok := p.(interface{ Addr() uintptr }); ok {
				err = fmt.Errorf("the disk cannot be read at %#x: %w", fault.Addr(), registry.ErrCorrupt)
				return
			}
			panic(p)
		}
	}()
	return f()
}

func revision(tx *bolt.Tx) (abi.Rev, error) {
	rev, err := get[abi.Rev](tx, bMeta, []byte("rev"), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return rev, err
}

// Rev is the last committed revision.
func (s *Store) Rev(ctx context.Context) (rev abi.Rev, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		rev, err = revision(tx.tx)
		return err
	})
	return rev, err
}

// Wait returns once there is a revision after the given one.
func (s *Store) Wait(ctx context.Context, after abi.Rev) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		rev, err := s.Rev(ctx)
		if err != nil || rev > after {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// As says who acts, where that is known only once the transaction has read it.
func (t *Tx) As(actor string) { t.actor = actor }

// Emit adds an event to the revision. Detail must not hold secrets.
func (t *Tx) Emit(kind, app, subject string, detail map[string]string) {
	e := abi.Event{Rev: t.rev, Seq: t.events, At: t.at, Actor: t.actor, Kind: kind, App: app, Subject: subject, Detail: detail}
	if err := put(t.tx, bEvents, key(number(uint64(t.rev))+number(uint64(t.events))), e); err != nil && t.err == nil {
		t.err = err
	}
	t.events++
}

// Events answers up to limit events after a revision, in order. All are kept.
func (s *Store) Events(ctx context.Context, after abi.Rev, limit int) ([]abi.Event, error) {
	var events []abi.Event
	err := s.View(ctx, func(tx *Tx) error {
		c := tx.tx.Bucket([]byte(bEvents)).Cursor()
		for k, record := c.Seek([]byte(number(uint64(after) + 1))); k != nil && len(events) < limit; k, record = c.Next() {
			e, err := decode[abi.Event](bEvents, k, record)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

// Check reads every record and lets bbolt check its own pages. It answers all
// that is damaged.
func (s *Store) Check(ctx context.Context) []error {
	var problems []error
	err := s.View(ctx, func(tx *Tx) error {
		for err := range tx.tx.Check() {
			problems = append(problems, err)
		}
		for _, b := range buckets {
			err := tx.tx.Bucket([]byte(b)).ForEach(func(k, record []byte) error {
				if _, err := unseal(b, k, record); err != nil {
					problems = append(problems, err)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return tx.checkFeed(&problems)
	})
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}

// checkFeed finds events beyond the last revision: each must belong to one.
func (t *Tx) checkFeed(problems *[]error) error {
	last, err := revision(t.tx)
	if err != nil {
		return err
	}
	k, _ := t.tx.Bucket([]byte(bEvents)).Cursor().Last()
	if len(k) == 16 {
		if newest := binary.BigEndian.Uint64(k); newest > uint64(last) {
			*problems = append(*problems, fmt.Errorf("events reach revision %d, the state only %d: %w", newest, last, registry.ErrCorrupt))
		}
	}
	return nil
}
