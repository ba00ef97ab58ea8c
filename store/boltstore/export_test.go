package boltstore

import (
	"context"
	"errors"
	"os"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Dump answers every record of an open store as bbolt reads it, and whether
// each is also found under its key.
func (s *Store) Dump() (string, error) { return dump(s.db) }

// Dump is Store.Dump.
func (s *KV) Dump() (string, error) { return dump(s.db) }

func dump(db *bolt.DB) (string, error) {
	var b strings.Builder
	err := guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
				return bucket.ForEach(func(k, v []byte) error {
					if string(bucket.Get(k)) != string(v) {
						b.WriteString("NOT FOUND: ")
					}
					b.WriteString(string(name) + " " + string(k) + " " + string(v) + "\n")
					return nil
				})
			})
		})
	})
	return b.String(), err
}

// Walk answers the records of a file as our own reader finds them, in the form of Dump.
func Walk(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	_, m, err := readMetas(f)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	w := &walker{r: f, bucket: func(string) {},
		damaged: func(bucket string, _ uint64, _, _ []byte, what string) { b.WriteString("DAMAGED: " + what + "\n") },
		record:  func(bucket string, k, v []byte) { b.WriteString(bucket + " " + string(k) + " " + string(v) + "\n") }}
	w.walk(m, info.Size())
	return b.String(), nil
}

// Seal makes a record as the store would.
func Seal(bucket, key, value string) []byte { return seal(bucket, []byte(key), []byte(value)) }

// PutHour2 stores a row as format 2 did.
func (s *Store) PutHour2(ctx context.Context, h metering.Hour) error {
	return s.change(ctx, func(w *writer) error { return put(w, bHours, hourKey(h.Key), h) })
}

// Sweep removes what has expired, now.
func (s *KV) Sweep() { s.sweep(context.Background()) }

// Pages answers where a file's tree begins and where its list of free pages is,
// in bytes.
func Pages(path string) (root, free uint64, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, 0, err
	}
	defer f.Close()
	_, m, err := readMetas(f)
	return m.root, m.free, m.pageSize, err
}

// SetCount stores a count that its records do not make, sealed and tallied as any.
func (s *Store) SetCount(ctx context.Context, kind state.CountKind, of string, c state.Count) error {
	return s.change(ctx, func(w *writer) error { return put(w, bCounts, key(string(kind), of), c) })
}

// Uncount makes a file what it was before there were counts.
func (s *Store) Uncount() error {
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, b := range []string{bCounts, bUnnamed} {
			if err := errors.Join(tx.DeleteBucket([]byte(b)), tx.Bucket([]byte(bMeta)).Delete([]byte(tallyKey(b)))); err != nil {
				return err
			}
		}
		return nil
	})
}

// ToFormat3 takes away what format 4 added: the index, and the sums of what apps used.
func (s *Store) ToFormat3() error {
	return s.db.Update(func(tx *bolt.Tx) error {
		w := newWriter(tx)
		var sums [][]byte
		err := tx.Bucket([]byte(bUses)).ForEach(func(k, _ []byte) error {
			if strings.HasSuffix(string(k), number(allReleases)) {
				sums = append(sums, k)
			}
			return nil
		})
		for _, k := range sums {
			err = errors.Join(err, w.remove(bUses, k))
		}
		err = errors.Join(err, put(w, bMeta, []byte("format"), 3), w.close(), tx.DeleteBucket([]byte(bIndex)))
		return errors.Join(err, tx.Bucket([]byte(bMeta)).Delete([]byte(tallyKey(bIndex))))
	})
}

// LoseEntry takes an entry out of the index, and counts as if that were right.
func (s *Store) LoseEntry() error {
	return commit(s.db, func(w *writer) error {
		k, _ := w.tx.Bucket([]byte(bIndex)).Cursor().First()
		return w.remove(bIndex, k)
	})
}

// AllCredentials lists the credentials of all users, without the index.
func AllCredentials(r state.Reader) ([]access.Credential, error) {
	return list[access.Credential](r.(*reader).tx, bCredentials, nil)
}

// AllUnnamed lists the blobs that no release names.
func (s *Store) AllUnnamed(ctx context.Context) (all []registry.Unnamed, err error) {
	err = s.View(ctx, func(tx state.Reader) error {
		all, err = tx.Unnamed()
		return err
	})
	return all, err
}
