package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// Dump returns every record of an open store as bbolt reads it, and whether
// each is also found under its key.
func (s *Store) Dump() (string, error) { return dump(boltOf(s.file)) }

// Dump is Store.Dump.
func (s *KV) Dump() (string, error) { return dump(boltOf(s.file)) }

// boltOf reaches past the checked file to what it keeps to itself: tests look at what is in it with
// bbolt, and make of it what an earlier agora wrote.
func boltOf(f *checked.File) *bolt.DB {
	return *(**bolt.DB)(reflect.ValueOf(f).Elem().FieldByName("db").Addr().UnsafePointer())
}

func dump(db *bolt.DB) (string, error) {
	var b strings.Builder
	err := db.View(func(tx *bolt.Tx) error {
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
	return b.String(), err
}

// Walk returns the records of a file of the apps' data as our own reader finds them, in the form of
// Dump.
func Walk(path string) (string, error) {
	var b strings.Builder
	tell := *kvShape
	tell.Unseal = func(bucket string, k, record []byte) ([]byte, bool) {
		b.WriteString(bucket + " " + string(k) + " " + string(record) + "\n")
		return kvShape.Unseal(bucket, k, record)
	}
	for _, damaged := range checked.Verify(path, &tell, nil) {
		if !errors.Is(damaged, storage.ErrCorrupt) {
			return "", damaged
		}
		b.WriteString("DAMAGED: " + damaged.Error() + "\n")
	}
	return b.String(), nil
}

// Seal makes a record as the store would.
func Seal(bucket, key, value string) []byte { return checked.Seal(bucket, []byte(key), []byte(value)) }

// PutHour2 stores a row as format 2 did.
func (s *Store) PutHour2(ctx context.Context, h metering.Hour) error {
	return s.change(ctx, func(w *writer) error { return put(w, bHours, hourKey(h.Key), h) })
}

// Sweep removes what has expired, now.
func (s *KV) Sweep() { s.sweep(context.Background()) }

// Pages returns where a file's tree begins and where its list of free pages is, and the size of a
// page in bytes. It reads the newer of the two roots, whose layout checked has in pages.go.
func Pages(path string) (root, free uint64, size int64, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, 0, err
	}
	le, newest := binary.LittleEndian, uint64(0)
	size = int64(le.Uint32(raw[24:]))
	for _, meta := range [][]byte{raw[16:], raw[size+16:]} {
		if txn := le.Uint64(meta[48:]); txn >= newest {
			newest, root, free = txn, le.Uint64(meta[16:]), le.Uint64(meta[32:])
		}
	}
	return root, free, size, nil
}

// SetCount stores a count that its records do not make, sealed and tallied as any.
func (s *Store) SetCount(ctx context.Context, kind state.CountKind, of string, c state.Count) error {
	return s.change(ctx, func(w *writer) error { return put(w, bCounts, key(string(kind), of), c) })
}

// Uncount makes a file what it was before there were counts.
func (s *Store) Uncount() error {
	return boltOf(s.file).Update(func(tx *bolt.Tx) error {
		for _, b := range []string{bCounts, bUnnamed} {
			if err := errors.Join(tx.DeleteBucket([]byte(b)), tx.Bucket([]byte(bMeta)).Delete(key("tally", b))); err != nil {
				return err
			}
		}
		return nil
	})
}

// ToFormat3 takes away what format 4 added: the index, and the sums of what apps used.
func (s *Store) ToFormat3() error {
	if err := s.ToFormat7(); err != nil {
		return err
	}
	err := commit(s.file, func(w *writer) error {
		var sums [][]byte
		for k := range w.tx.From(bUses, nil) {
			if strings.HasSuffix(string(k), number(allReleases)) {
				sums = append(sums, bytes.Clone(k))
			}
		}
		var err error
		for _, k := range sums {
			err = errors.Join(err, w.remove(bUses, k))
		}
		return errors.Join(err, put(w, bMeta, []byte("format"), 3))
	})
	return errors.Join(err, boltOf(s.file).Update(func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte(bIndex)), tx.Bucket([]byte(bMeta)).Delete(key("tally", bIndex)))
	}))
}

// ToFormat7 takes away what format 8 added: what groups have.
func (s *Store) ToFormat7() error {
	return commit(s.file, func(w *writer) error {
		err := rewrite(w, bReleases, func(r *registry.Release) error {
			r.Group = ""
			return nil
		})
		err = errors.Join(err, rewrite(w, bUnnamed, func(u *registry.Unnamed) error {
			u.Group = ""
			return nil
		}))
		var keys []string
		for k := range w.tx.From(bCounts, nil) {
			if ofGroups(string(k)) {
				keys = append(keys, string(k))
			}
		}
		for _, k := range keys {
			err = errors.Join(err, w.file.Remove(bCounts, []byte(k)))
		}
		return errors.Join(err, put(w, bMeta, []byte("format"), 7))
	})
}

// ToFormat6 takes away what format 7 added: accounts.
func (s *Store) ToFormat6() error {
	if err := s.ToFormat7(); err != nil {
		return err
	}
	err := commit(s.file, func(w *writer) error { return put(w, bMeta, []byte("format"), 6) })
	return errors.Join(err, boltOf(s.file).Update(func(tx *bolt.Tx) error {
		var err error
		for _, b := range []string{bAccounts, bLinks} {
			err = errors.Join(err, tx.DeleteBucket([]byte(b)), tx.Bucket([]byte(bMeta)).Delete(key("tally", b)))
		}
		return err
	}))
}

// LoseEntry takes an entry out of the index, and counts as if that were right.
func (s *Store) LoseEntry() error {
	return commit(s.file, func(w *writer) error {
		k, _ := w.tx.Seek(bIndex, nil)
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
