package boltstore

import (
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/abi"
)

// Get reads a value; abi.ErrnoNotFound if there is none.
func (s *KV) Get(_ context.Context, app, name string) (value []byte, err error) {
	k := key(app, name)
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			record := tx.Bucket([]byte(bData)).Get(k)
			if record == nil {
				return abi.ErrnoNotFound
			}
			e, err := openEntry(k, record)
			if err != nil {
				return err
			}
			if e.gone(s.now()) {
				return abi.ErrnoNotFound
			}
			value = append(make([]byte, 0, len(e.value)), e.value...)
			return nil
		})
	})
	return value, err
}

// List answers up to limit keys that start with prefix and sort behind after,
// in order. With "" it begins with the first.
func (s *KV) List(_ context.Context, app, prefix, after string, limit int) (keys []string, err error) {
	start, now := key(app, prefix), s.now()
	from := start
	if after != "" && after >= prefix {
		from = append(key(app, after), 0)
	}
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(bData)).Cursor()
			for k, record := c.Seek(from); k != nil && hasPrefix(k, start) && len(keys) < limit; k, record = c.Next() {
				if !goneRecord(record, now) {
					keys = append(keys, string(k[len(app)+1:]))
				}
			}
			return nil
		})
	})
	return keys, err
}

// Used is what an app keeps, with what has expired and is not swept yet.
func (s *KV) Used(_ context.Context, app string) (u abi.KVQuota, err error) {
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			found, err := readUsed(tx, app)
			u = abi.KVQuota(found)
			return err
		})
	})
	return u, err
}
