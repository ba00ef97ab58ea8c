package checked

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Tally proves that nothing of a bucket vanished or came back: how many records
// it has, and the sum, modulo 2⁶⁴, of a hash of each. It does not depend on the
// order of the writes, so a write changes it without reading the others.
//
// A record's hash covers its key and its seal, and the seal covers its value. It
// is made against accidents: who writes to the file on purpose can mend it, too.
type Tally struct {
	Records uint64 `json:"records"`
	Sum     uint64 `json:"sum"`
	Last    uint64 `json:"last,omitempty"` // number given out; bbolt's own counters have no checksum
}

// Add counts a record.
func (t *Tally) Add(key, record []byte) {
	t.Records++
	t.Sum += recordHash(key, record)
}

func (t *Tally) remove(key, record []byte) {
	t.Records--
	t.Sum -= recordHash(key, record)
}

func recordHash(key, record []byte) uint64 {
	var space [256]byte
	sum := sha256.Sum256(append(append(space[:0], record[:min(len(record), SealSize)]...), key...))
	return le.Uint64(sum[:])
}

// tallyKey is where Meta keeps a bucket's tally.
func tallyKey(bucket string) []byte { return append([]byte("tally\x00"), bucket...) }

// Writer is the one way to change records: it keeps the tallies of what it
// changed, and stores them at the end of the transaction.
type Writer struct {
	Tx
	shape *Shape
}

func newWriter(tx *bolt.Tx, s *Shape) *Writer {
	return &Writer{Tx{tx, map[string]*Tally{}}, s}
}

// Set stores a record, which is sealed already.
func (w *Writer) Set(bucket string, key, record []byte) error {
	b := w.tx.Bucket([]byte(bucket))
	if bucket != Meta {
		t, err := w.changing(bucket)
		if err != nil {
			return err
		}
		if old := b.Get(key); old != nil {
			t.remove(key, old)
		}
		t.Add(key, record)
	}
	if err := b.Put(key, record); err != nil {
		return fmt.Errorf("write %s: %w", w.shape.Name(bucket, key), err)
	}
	return nil
}

// Remove deletes a record, if it is there.
func (w *Writer) Remove(bucket string, key []byte) error {
	b := w.tx.Bucket([]byte(bucket))
	old := b.Get(key)
	if old == nil {
		return nil
	}
	t, err := w.changing(bucket)
	if err != nil {
		return err
	}
	t.remove(key, old)
	return b.Delete(key)
}

// Next counts up in a bucket, and returns the number. Numbers begin at 1.
func (w *Writer) Next(bucket string) (uint64, error) {
	t, err := w.changing(bucket)
	if err != nil {
		return 0, fmt.Errorf("count up %s: %w", bucket, err)
	}
	t.Last++
	return t.Last, nil
}

// changing returns the tally of a bucket that is about to be changed.
func (w *Writer) changing(bucket string) (*Tally, error) {
	if t := w.tallies[bucket]; t != nil {
		return t, nil
	}
	t, err := w.tally(bucket)
	if err != nil {
		return nil, err
	}
	w.tallies[bucket] = &t
	return &t, nil
}

// close stores the tallies. It is the last thing before a commit.
func (w *Writer) close() error {
	for _, bucket := range slices.Sorted(maps.Keys(w.tallies)) {
		raw, err := json.Marshal(w.tallies[bucket])
		k := tallyKey(bucket)
		if err := errors.Join(err, w.Set(Meta, k, Seal(Meta, k, raw))); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the buckets that are not there yet, counts what is in those
// that were not counted, which is all of format 1, and has the rest prepared.
func (w *Writer) prepare() error {
	made := map[string]bool{}
	for _, bucket := range append([]string{Meta}, w.shape.buckets()...) {
		b := w.tx.Bucket([]byte(bucket))
		if b == nil {
			made[bucket] = true
			var err error
			if b, err = w.tx.CreateBucket([]byte(bucket)); err != nil {
				return err
			}
		}
		if bucket == Meta || w.Record(Meta, tallyKey(bucket)) != nil {
			continue
		}
		t := &Tally{Last: b.Sequence()}
		err := b.ForEach(func(key, record []byte) error {
			t.Add(key, record)
			return nil
		})
		if err != nil {
			return err
		}
		w.tallies[bucket] = t
	}
	return w.shape.Prepare(w, func(bucket string) bool { return made[bucket] })
}
