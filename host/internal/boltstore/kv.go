package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/abi"
)

const (
	bData = "data"
	bUsed = "used" // bytes of keys and values, by app
)

// KV keeps the apps' own data. Writes are durable before they return; those
// that wait at the same time share one commit.
type KV struct {
	db *bolt.DB
	*committer
}

// OpenKV opens or makes the file.
func OpenKV(path string) (*KV, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range []string{bData, bUsed} {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return &KV{db, newCommitter(db)}, nil
}

// Close commits what waits and closes the file. It may be called again.
func (s *KV) Close() error {
	s.stop()
	return s.db.Close()
}

// Get reads a value; abi.ErrnoNotFound if there is none.
func (s *KV) Get(_ context.Context, app, name string) (value []byte, err error) {
	k := key(app, name)
	err = faultSafe(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			record := tx.Bucket([]byte(bData)).Get(k)
			if record == nil {
				return abi.ErrnoNotFound
			}
			raw, err := unseal(bData, k, record)
			value = append([]byte{}, raw...)
			return err
		})
	})
	return value, err
}

// Set stores a value, unless the app would then keep more than quota bytes of
// keys and values.
func (s *KV) Set(ctx context.Context, app, name string, value []byte, quota int64) error {
	if len(name) > abi.MaxKVKey || len(value) > abi.MaxKVValue {
		return abi.ErrnoTooLarge
	}
	k := key(app, name)
	record := seal(bData, k, value)
	return s.write(ctx, func(tx *bolt.Tx) error {
		grows := int64(len(name) + len(value))
		if old := tx.Bucket([]byte(bData)).Get(k); old != nil {
			grows -= int64(len(name) + len(old) - 5)
		}
		used := usedBytes(tx, app) + grows
		if used > quota && grows > 0 {
			return abi.ErrnoQuota
		}
		if err := tx.Bucket([]byte(bData)).Put(k, record); err != nil {
			return err
		}
		return putUsed(tx, app, used)
	})
}

// Delete forgets a key. Deleting an absent one succeeds.
func (s *KV) Delete(ctx context.Context, app, name string) error {
	k := key(app, name)
	return s.write(ctx, func(tx *bolt.Tx) error {
		old := tx.Bucket([]byte(bData)).Get(k)
		if old == nil {
			return nil
		}
		used := usedBytes(tx, app) - int64(len(name)+len(old)-5)
		if err := tx.Bucket([]byte(bData)).Delete(k); err != nil {
			return err
		}
		return putUsed(tx, app, used)
	})
}

// List answers up to limit keys that start with prefix, in order.
func (s *KV) List(_ context.Context, app, prefix string, limit int) (keys []string, err error) {
	start := key(app, prefix)
	err = faultSafe(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(bData)).Cursor()
			for k, _ := c.Seek(start); k != nil && hasPrefix(k, start) && len(keys) < limit; k, _ = c.Next() {
				keys = append(keys, string(k[len(app)+1:]))
			}
			return nil
		})
	})
	return keys, err
}

// Used is how many bytes of keys and values an app keeps.
func (s *KV) Used(_ context.Context, app string) (n int64, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		n = usedBytes(tx, app)
		return nil
	})
	return n, err
}

// Check reads every record and compares what apps keep with what was counted.
func (s *KV) Check(context.Context) []error {
	var problems []error
	err := s.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			problems = append(problems, err)
		}
		kept := map[string]int64{}
		err := tx.Bucket([]byte(bData)).ForEach(func(k, record []byte) error {
			raw, err := unseal(bData, k, record)
			if err != nil {
				problems = append(problems, err)
				return nil
			}
			for i, c := range k {
				if c == 0 {
					kept[string(k[:i])] += int64(len(k) - i - 1 + len(raw))
					break
				}
			}
			return nil
		})
		for app, n := range kept {
			if counted := usedBytes(tx, app); counted != n {
				problems = append(problems, fmt.Errorf("app %q keeps %d bytes, and %d are counted", app, n, counted))
			}
		}
		return err
	})
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}

func usedBytes(tx *bolt.Tx, app string) int64 {
	if b := tx.Bucket([]byte(bUsed)).Get([]byte(app)); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func putUsed(tx *bolt.Tx, app string, n int64) error {
	return tx.Bucket([]byte(bUsed)).Put([]byte(app), binary.BigEndian.AppendUint64(nil, uint64(n)))
}
