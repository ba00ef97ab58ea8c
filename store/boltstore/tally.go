package boltstore

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/state"
)

// tally proves that nothing of a bucket vanished or came back: how many records
// it has, and the sum, modulo 2⁶⁴, of a hash of each. It does not depend on the
// order of the writes, so a write changes it without reading the others.
//
// A record's hash covers its key and its seal, and the seal covers its value. It
// is made against accidents: who writes to the file on purpose can mend it, too.
type tally struct {
	Records uint64 `json:"records"`
	Sum     uint64 `json:"sum"`
	Last    uint64 `json:"last,omitempty"` // number given out; bbolt's own counters have no checksum
}

func (t *tally) add(key, record []byte) {
	t.Records++
	t.Sum += recordHash(key, record)
}

func (t *tally) remove(key, record []byte) {
	t.Records--
	t.Sum -= recordHash(key, record)
}

func recordHash(key, record []byte) uint64 {
	var space [256]byte
	sum := sha256.Sum256(append(append(space[:0], record[:min(len(record), sealSize)]...), key...))
	return le.Uint64(sum[:])
}

// writer is the one way to change records: it keeps the tallies of what it
// changed, and stores them at the end of the transaction.
type writer struct {
	tx      *bolt.Tx
	tallies map[string]*tally      // of buckets that were changed
	counted map[string]state.Count // counts that were changed, as they were before
}

func newWriter(tx *bolt.Tx) *writer {
	return &writer{tx, map[string]*tally{}, map[string]state.Count{}}
}

// set stores a record that is sealed already.
func (w *writer) set(bucket string, key, record []byte) error {
	b := w.tx.Bucket([]byte(bucket))
	if bucket != bMeta {
		t, err := w.tally(bucket)
		if err != nil {
			return err
		}
		old := b.Get(key)
		if old != nil {
			t.remove(key, old)
		}
		t.add(key, record)
		if err := errors.Join(w.recount(bucket, key, old, record), w.follow(bucket, key, old, record)); err != nil {
			return err
		}
	}
	if err := b.Put(key, record); err != nil {
		return fmt.Errorf("write %s: %w", recordName(bucket, key), err)
	}
	return nil
}

// remove deletes a record, if it is there.
func (w *writer) remove(bucket string, key []byte) error {
	b := w.tx.Bucket([]byte(bucket))
	old := b.Get(key)
	if old == nil {
		return nil
	}
	t, err := w.tally(bucket)
	if err != nil {
		return err
	}
	t.remove(key, old)
	if err := errors.Join(w.recount(bucket, key, old, nil), w.follow(bucket, key, old, nil)); err != nil {
		return err
	}
	return b.Delete(key)
}

func (w *writer) tally(bucket string) (*tally, error) {
	if t := w.tallies[bucket]; t != nil {
		return t, nil
	}
	t, err := get[tally](w.tx, bMeta, []byte(tallyKey(bucket)), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &storage.Damage{File: w.tx.DB().Path(), Item: "the count of " + bucket, Detail: "is gone"}
	}
	if err != nil {
		return nil, err
	}
	w.tallies[bucket] = &t
	return &t, nil
}

// close stores the tallies. It is the last thing before a commit.
func (w *writer) close() error {
	for _, bucket := range sortedKeys(w.tallies) {
		if err := put(w, bMeta, []byte(tallyKey(bucket)), w.tallies[bucket]); err != nil {
			return err
		}
	}
	return nil
}

// next counts up in a bucket, and answers the number. Numbers begin at 1.
func (w *writer) next(bucket string) (uint64, error) {
	t, err := w.tally(bucket)
	if err != nil {
		return 0, fmt.Errorf("count up %s: %w", bucket, err)
	}
	t.Last++
	return t.Last, nil
}

// prepare makes the buckets that are not there yet, and counts what is in those
// that were not counted: all of format 1.
func (w *writer) prepare(buckets []string) error {
	for _, bucket := range append([]string{bMeta}, buckets...) {
		b, err := w.tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		if bucket == bMeta || w.tx.Bucket([]byte(bMeta)).Get([]byte(tallyKey(bucket))) != nil {
			continue
		}
		t := &tally{Last: b.Sequence()}
		err = b.ForEach(func(key, record []byte) error {
			t.add(key, record)
			return nil
		})
		if err != nil {
			return err
		}
		w.tallies[bucket] = t
	}
	return nil
}

// put stores a value as JSON.
func put(w *writer, bucket string, key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", recordName(bucket, key), err)
	}
	return w.set(bucket, key, seal(bucket, key, raw))
}
