package boltstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// writer is the one way to change records: with each it brings along what is derived of it, the
// counts and the index.
type writer struct {
	tx      checked.Tx
	file    *checked.Writer
	counted map[string]state.Count // counts that were changed, as they were before
}

func newWriter(f *checked.Writer) *writer { return &writer{tx: f.Tx, file: f} }

// commit changes a file, see checked.File.
func commit(f *checked.File, change func(*writer) error) error {
	return f.Commit(func(w *checked.Writer) error { return change(newWriter(w)) })
}

// write is commit for changes that share one with others, see checked.Committer.
func write(ctx context.Context, c *checked.Committer, apply func(*writer) error) error {
	return c.Write(ctx, func(w *checked.Writer) error { return apply(newWriter(w)) })
}

// set stores a record that is sealed already.
func (w *writer) set(bucket string, key, record []byte) error {
	if derives(bucket) {
		if err := w.derive(bucket, key, w.tx.Record(bucket, key), record); err != nil {
			return err
		}
	}
	return w.file.Set(bucket, key, record)
}

// remove deletes a record, if it is there.
func (w *writer) remove(bucket string, key []byte) error {
	if derives(bucket) {
		old := w.tx.Record(bucket, key)
		if old == nil {
			return nil
		}
		if err := w.derive(bucket, key, old, nil); err != nil {
			return err
		}
	}
	return w.file.Remove(bucket, key)
}

// derives reports whether something is derived of a bucket's records.
func derives(bucket string) bool { return counting[bucket] != nil || slices.Contains(indexed, bucket) }

// derive is told of a record that is about to change; nil: it was not there, or goes.
func (w *writer) derive(bucket string, key, old, record []byte) error {
	return errors.Join(w.recount(bucket, key, old, record), w.follow(bucket, key, old, record))
}

// next counts up in a bucket, and returns the number. Numbers begin at 1.
func (w *writer) next(bucket string) (uint64, error) { return w.file.Next(bucket) }

// put stores a value as JSON.
func put(w *writer, bucket string, key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", recordName(bucket, key), err)
	}
	return w.set(bucket, key, checked.Seal(bucket, key, raw))
}
