package checked

import (
	"bytes"
	"encoding/json"
	"iter"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/storage"
)

// Tx reads a file as it was when its transaction began or, a Writer's, as it is by now. Records are
// shown with their seals, and are bbolt's: they are not changed, and not kept.
type Tx struct {
	tx      *bolt.Tx
	tallies map[string]*Tally // that a Writer will store
}

// Record returns a record; nil if there is none.
func (t Tx) Record(bucket string, key []byte) []byte { return t.tx.Bucket([]byte(bucket)).Get(key) }

// Seek returns the first record whose key is from or follows it; nil if there is none.
func (t Tx) Seek(bucket string, from []byte) (key, record []byte) {
	return t.tx.Bucket([]byte(bucket)).Cursor().Seek(from)
}

// From yields the records whose keys are from or follow it, in the order of their keys. Other buckets
// may be changed meanwhile.
func (t Tx) From(bucket string, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		c := t.tx.Bucket([]byte(bucket)).Cursor()
		for k, record := c.Seek(from); k != nil && yield(k, record); k, record = c.Next() {
		}
	}
}

// Under yields the records whose keys begin with prefix, in the order of their keys.
func (t Tx) Under(bucket string, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		c := t.tx.Bucket([]byte(bucket)).Cursor()
		for k, record := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix) && yield(k, record); k, record = c.Next() {
		}
	}
}

// Part yields the records whose keys begin with prefix, in the order of their keys or, with newest,
// against it. It seeks the first one: what lies before the place that after is, what follows the
// prefix in the key of a record that need not be there any more, is not read; nil is the beginning.
func (t Tx) Part(bucket string, prefix, after []byte, newest bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		c := t.tx.Bucket([]byte(bucket)).Cursor()
		for k, record := seek(c, prefix, after, newest); k != nil && bytes.HasPrefix(k, prefix) && yield(k, record); k, record = step(c, k, newest) {
		}
	}
}

// Count returns how many records a bucket has, without reading them.
func (t Tx) Count(bucket string) (uint64, error) {
	if counted := t.tallies[bucket]; counted != nil {
		return counted.Records, nil
	}
	counted, err := t.tally(bucket)
	return counted.Records, err
}

// tally reads a bucket's tally as it is stored.
func (t Tx) tally(bucket string) (found Tally, err error) {
	k := tallyKey(bucket)
	record := t.Record(Meta, k)
	if record == nil {
		return found, t.miscounted(bucket, "is gone")
	}
	raw, ok := Unseal(Meta, k, record)
	if !ok || json.Unmarshal(raw, &found) != nil {
		return found, t.miscounted(bucket, "does not match its checksum")
	}
	return found, nil
}

func (t Tx) miscounted(bucket, how string) error {
	return &storage.Damage{File: t.tx.DB().Path(), Item: "the count of " + bucket, Detail: how}
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

func step(c *bolt.Cursor, at []byte, newest bool) (k, record []byte) {
	if newest {
		return back(c, at)
	}
	return c.Next()
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
