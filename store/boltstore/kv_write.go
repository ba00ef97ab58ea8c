package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// sweepBatch bounds how many expired entries one commit removes.
const sweepBatch = 1000

// errDone ends a sweep that has done enough.
var errDone = errors.New("done")

// Write makes one change, unless the app would then keep more than its quota
// (abi.ErrnoQuota; a change that makes less is always allowed) or something else
// than expected is there (abi.ErrnoConflict). Taking away what is not there
// succeeds.
func (s *KV) Write(ctx context.Context, app string, w abi.KVWrite, quota abi.KVQuota) error {
	if len(w.Key) > abi.MaxKVKey || len(w.Value) > abi.MaxKVValue {
		return abi.ErrnoTooLarge
	}
	c := &change{app: app, k: key(app, w.Key), w: w, quota: quota}
	if w.Value != nil && w.TTL == 0 {
		c.record = sealEntry(c.k, w.Value, 0)
	}
	return s.write(ctx, func(f *writer) error { return c.apply(f, s.now()) })
}

// change is a write on its way to the file.
type change struct {
	app    string
	k      []byte
	w      abi.KVWrite
	quota  abi.KVQuota
	record []byte // made ahead, if it does not depend on when it is written
}

// apply decides before it writes, so that what is refused changes nothing, apart
// from sweeping what has expired.
func (c *change) apply(f *writer, now time.Time) error {
	var was entry
	raw := f.tx.Record(bData, c.k)
	if raw != nil {
		var err error
		if was, err = openEntry(c.k, raw); err != nil {
			return err
		}
	}
	visible := raw != nil && !was.gone(now)
	if c.w.Swap && (visible != (c.w.Old != nil) || visible && !bytes.Equal(was.value, c.w.Old)) {
		return abi.ErrnoConflict
	}
	if raw == nil && c.w.Value == nil {
		return nil
	}
	u, err := c.afterwards(f, was, raw != nil, visible, now)
	if err != nil {
		return err
	}
	if err := c.putEntry(f, was, now); err != nil {
		return err
	}
	return u.put(f, c.app)
}

// afterwards is what the app will keep. If that is over its quota, what has
// expired goes first.
func (c *change) afterwards(f *writer, was entry, counted, visible bool, now time.Time) (used, error) {
	var before, after used
	if counted {
		before = used{int64(len(c.w.Key) + len(was.value)), 1}
	}
	if c.w.Value != nil {
		after = used{int64(len(c.w.Key) + len(c.w.Value)), 1}
	}
	grows := used{after.Bytes - before.Bytes, after.Keys - before.Keys}
	if !visible {
		grows = after
	}
	u, err := readUsed(f.tx, c.app)
	if err != nil {
		return used{}, err
	}
	u = u.plus(after).minus(before)
	fits := func() bool {
		return (u.Bytes <= c.quota.Bytes || grows.Bytes <= 0) && (u.Keys <= c.quota.Keys || grows.Keys <= 0)
	}
	if fits() {
		return u, c.quota.Grows(after.Bytes - before.Bytes)
	}
	err = sweepApp(f, c.app, now, func(name string, freed used) error {
		if name != c.w.Key { // that one's place was taken off already
			u = u.minus(freed)
		}
		if fits() {
			return errDone
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errDone):
		return used{}, err
	case !fits():
		return used{}, abi.ErrnoQuota
	}
	return u, c.quota.Grows(after.Bytes - before.Bytes)
}

func (c *change) putEntry(f *writer, was entry, now time.Time) error {
	if was.expires != 0 {
		if err := f.remove(bExpiry, expiryKey(c.app, was.expires, c.w.Key)); err != nil {
			return err
		}
	}
	if c.w.Value == nil {
		return f.remove(bData, c.k)
	}
	if c.w.TTL == 0 {
		return f.set(bData, c.k, c.record)
	}
	expires := uint64(now.Add(c.w.TTL).UnixMilli())
	due := expiryKey(c.app, expires, c.w.Key)
	if err := f.set(bExpiry, due, checked.Seal(bExpiry, due, nil)); err != nil {
		return err
	}
	return f.set(bData, c.k, sealEntry(c.k, c.w.Value, expires))
}

// sweepApp removes an app's entries that have expired, oldest first. each is
// told after each of them, and may end it with an error.
func sweepApp(f *writer, app string, now time.Time, each func(name string, freed used) error) error {
	start := key(app, "")
	for {
		k, _ := f.tx.Seek(bExpiry, start)
		if !bytes.HasPrefix(k, start) {
			return nil
		}
		_, expires, name, ok := cutExpiryKey(k)
		if !ok {
			return fmt.Errorf("%s: %w", recordName(bExpiry, k), storage.ErrCorrupt)
		}
		if expires > uint64(now.UnixMilli()) {
			return nil
		}
		freed, err := removeExpired(f, app, name, k)
		if err != nil {
			return err
		}
		if err := each(name, freed); err != nil {
			return err
		}
	}
}

func removeExpired(f *writer, app, name string, expiry []byte) (freed used, err error) {
	if err := f.remove(bExpiry, bytes.Clone(expiry)); err != nil {
		return used{}, err
	}
	k := key(app, name)
	record := f.tx.Record(bData, k)
	if record == nil {
		return used{}, nil
	}
	was, err := openEntry(k, record)
	if err != nil {
		return used{}, err
	}
	u, err := readUsed(f.tx, app)
	if err != nil {
		return used{}, err
	}
	freed = used{int64(len(name) + len(was.value)), 1}
	return freed, errors.Join(f.remove(bData, k), u.minus(freed).put(f, app))
}

// sweep removes what has expired, of all apps, some at a time: writes wait for
// it. It reports whether there may be more. A file that cannot be read is told to
// whoever reads it next.
func (s *KV) sweep(ctx context.Context) (more bool) {
	if due, err := s.anyDue(); err != nil || !due {
		return false
	}
	left := sweepBatch
	err := s.write(ctx, func(f *writer) error {
		return eachExpiringApp(f.tx, func(app string, _ uint64) error {
			err := sweepApp(f, app, s.now(), func(string, used) error {
				if left--; left <= 0 {
					return errDone
				}
				return nil
			})
			if errors.Is(err, errDone) {
				return nil
			}
			return err
		})
	})
	return err == nil && left <= 0
}

func (s *KV) anyDue() (due bool, err error) {
	now := uint64(s.now().UnixMilli())
	err = s.file.View(func(tx checked.Tx) error {
		return eachExpiringApp(tx, func(_ string, first uint64) error {
			due = due || first <= now
			return nil
		})
	})
	return due, err
}

// eachExpiringApp tells of each app that has entries which expire, and when the
// first of them does.
func eachExpiringApp(tx checked.Tx, tell func(app string, first uint64) error) error {
	var next []byte
	for {
		k, _ := tx.Seek(bExpiry, next)
		if k == nil {
			return nil
		}
		app, first, _, ok := cutExpiryKey(k)
		if !ok {
			return fmt.Errorf("%s: %w", recordName(bExpiry, k), storage.ErrCorrupt)
		}
		if err := tell(app, first); err != nil {
			return err
		}
		next = append([]byte(app), 1)
	}
}
