package boltstore

import (
	"bytes"
	"os"

	bolt "go.etcd.io/bbolt"

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
	c := t.tx.Bucket([]byte(bucket)).Cursor()
	var last []byte
	for k, record := seek(c, prefix, p.After, newest); k != nil && hasPrefix(k, prefix); k, record = step(c, k, newest) {
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

// seek finds the first record of a list after a place.
func seek(c *bolt.Cursor, prefix, after []byte, newest bool) (k, record []byte) {
	from := append(bytes.Clone(prefix), after...)
	if !newest {
		if k, record = c.Seek(from); k != nil && after != nil && bytes.Equal(k, from) {
			return c.Next()
		}
		return k, record
	}
	if after == nil {
		from = beyond(prefix)
	}
	if len(from) > 0 {
		if k, _ = c.Seek(from); k != nil {
			return back(c, k)
		}
	}
	return c.Last()
}

// back returns the record before k, at which the cursor stands. bbolt's Prev returns nil at a page
// that this transaction has emptied, too, and goes on from there when it is called again.
func back(c *bolt.Cursor, k []byte) (before, record []byte) {
	if before, record = c.Prev(); before != nil {
		return before, record
	}
	if first, _ := c.Bucket().Cursor().First(); first == nil || bytes.Compare(first, k) >= 0 {
		return nil, nil
	}
	for before == nil {
		before, record = c.Prev()
	}
	return before, record
}

func step(c *bolt.Cursor, at []byte, newest bool) (k, record []byte) {
	if newest {
		return back(c, at)
	}
	return c.Next()
}

// beyond is the first key after all that begin with prefix; nil if there is none.
func beyond(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// all reads the records whose keys begin with prefix, in key order.
func all[T any](t *reader, bucket string, prefix []byte) ([]T, error) {
	part, _, err := page[T](t, bucket, prefix, state.Part{Limit: -1}, false, nil)
	return part, err
}

// count counts the entries of the index that begin with prefix, without the records.
func (t *reader) count(prefix []byte) (n int, err error) {
	c := t.tx.Bucket([]byte(bIndex)).Cursor()
	for k, _ := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, _ = c.Next() {
		if n++; n%256 == 0 && t.ctx.Err() != nil {
			return n, t.ctx.Err()
		}
	}
	return n, nil
}

// within is the beginning of the keys that begin with these parts and have more.
func within(parts ...string) []byte { return append(key(parts...), 0) }
