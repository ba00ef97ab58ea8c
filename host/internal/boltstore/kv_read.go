package boltstore

import (
	"bytes"
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/abi"
)

// Get reads a value; abi.ErrnoNotFound if there is none.
func (s *KV) Get(_ context.Context, app, name string) (value []byte, err error) {
	k := key(app, name)
	err = faultSafe(func() error {
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
	err = faultSafe(func() error {
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
	err = s.db.View(func(tx *bolt.Tx) error {
		u = abi.KVQuota(readUsed(tx, app))
		return nil
	})
	return u, err
}

// Check reads every record and compares what apps keep with what was counted,
// and what expires with what will be swept.
func (s *KV) Check(context.Context) []error {
	var problems []error
	err := s.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			problems = append(problems, err)
		}
		kept, expiring := map[string]used{}, 0
		err := tx.Bucket([]byte(bData)).ForEach(func(k, record []byte) error {
			e, err := openEntry(k, record)
			if err != nil {
				problems = append(problems, err)
				return nil
			}
			app, name, _ := bytes.Cut(k, []byte{0})
			u := kept[string(app)]
			kept[string(app)] = used{u.Bytes + int64(len(name)+len(e.value)), u.Keys + 1}
			if e.expires == 0 {
				return nil
			}
			expiring++
			if tx.Bucket([]byte(bExpiry)).Get(expiryKey(string(app), e.expires, string(name))) == nil {
				problems = append(problems, fmt.Errorf("%q of app %q expires, and would not be swept", name, app))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := tx.Bucket([]byte(bExpiry)).Stats().KeyN; n != expiring {
			problems = append(problems, fmt.Errorf("%d entries expire, and %d would be swept", expiring, n))
		}
		return tx.Bucket([]byte(bUsed)).ForEach(func(app, _ []byte) error {
			if counted := readUsed(tx, string(app)); counted != kept[string(app)] {
				problems = append(problems, fmt.Errorf("app %q keeps %+v, and %+v are counted", app, kept[string(app)], counted))
			}
			delete(kept, string(app))
			return nil
		})
	})
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}
