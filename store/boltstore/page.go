package boltstore

import (
	"bytes"
	"os"

	"github.com/agora-host/agora/state"
)

// page reads a part of the records whose keys begin with prefix, in the order of their keys or
// against it, and where it ended: nil at the end of the list. keep, if not nil, says which
// records belong to the list. It seeks: what lies before the part is not read.
func page[T any](t *reader, bucket string, prefix []byte, p state.Part, newest bool, keep func(T) bool) (part []T, next []byte, err error) {
	return pageOf(t, bucket, prefix, p, newest, func(k, record []byte) (v T, ok bool, err error) {
		v, err = decode[T](bucket, k, record)
		return v, err == nil && (keep == nil || keep(v)), err
	})
}

// pageBy is page in an order of the index.
func pageBy[T any](t *reader, bucket string, prefix []byte, p state.Part, newest bool) (part []T, next []byte, err error) {
	return pageOf(t, bIndex, prefix, p, newest, func(e, record []byte) (v T, ok bool, err error) {
		k, err := unseal(bIndex, e, record)
		if err != nil {
			return v, false, err
		}
		v, err = get[T](t.tx, bucket, k, os.ErrNotExist)
		return v, err == nil, err
	})
}

func pageOf[T any](t *reader, bucket string, prefix []byte, p state.Part, newest bool, read func(k, record []byte) (T, bool, error)) (part []T, next []byte, err error) {
	var last []byte
	for k, record := range t.tx.Part(bucket, prefix, p.After, newest) {
		if err := t.ctx.Err(); err != nil {
			return nil, nil, err
		}
		v, ok, err := read(k, record)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		if len(part) == p.Limit {
			return part, last, nil
		}
		part, last = append(part, v), bytes.Clone(k[len(prefix):])
	}
	return part, nil, nil
}

// all reads the records whose keys begin with prefix, in key order.
func all[T any](t *reader, bucket string, prefix []byte) ([]T, error) {
	part, _, err := page[T](t, bucket, prefix, state.Part{Limit: -1}, false, nil)
	return part, err
}

// countEntries counts the entries of the index that begin with prefix, without the records.
func countEntries(t *reader, prefix []byte) (n int, err error) {
	for range t.tx.Under(bIndex, prefix) {
		if n++; n%256 == 0 && t.ctx.Err() != nil {
			return n, t.ctx.Err()
		}
	}
	return n, nil
}
