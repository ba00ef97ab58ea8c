package boltstore

import (
	"bytes"
	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// Get reads a value; abi.ErrnoNotFound if there is none.
func (s *KV) Get(_ context.Context, app, name string) (value []byte, err error) {
	k := key(app, name)
	err = s.file.View(func(tx checked.Tx) error {
		record := tx.Record(bData, k)
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
	return value, err
}

// List returns up to limit keys that start with prefix and sort behind after,
// in order. With "" it begins with the first.
func (s *KV) List(_ context.Context, app, prefix, after string, limit int) (keys []string, err error) {
	start, now := key(app, prefix), s.now()
	from := start
	if after != "" && after >= prefix {
		from = append(key(app, after), 0)
	}
	err = s.file.View(func(tx checked.Tx) error {
		for k, record := range tx.From(bData, from) {
			if !bytes.HasPrefix(k, start) || len(keys) >= limit {
				break
			}
			if !goneRecord(record, now) {
				keys = append(keys, string(k[len(app)+1:]))
			}
		}
		return nil
	})
	return keys, err
}

// Used is what an app keeps, with what has expired and is not swept yet.
func (s *KV) Used(_ context.Context, app string) (u abi.KVQuota, err error) {
	err = s.file.View(func(tx checked.Tx) error {
		found, err := readUsed(tx, app)
		u = abi.KVQuota{Bytes: found.Bytes, Keys: found.Keys}
		return err
	})
	return u, err
}
