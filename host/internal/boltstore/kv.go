package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

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
	db     *bolt.DB
	writes chan write
	done   chan struct{}
	close  sync.Once
	ended  sync.WaitGroup
}

type write struct {
	apply func(*bolt.Tx) error
	reply chan error
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
	kv := &KV{db: db, writes: make(chan write), done: make(chan struct{})}
	kv.ended.Go(kv.commit)
	return kv, nil
}

// Close commits what waits and closes the file. It may be called again.
func (s *KV) Close() error {
	s.close.Do(func() { close(s.done) })
	s.ended.Wait()
	return s.db.Close()
}

// commit is the one writer. While a commit syncs, the next writes gather: the
// disk sets the pace, and no timer is needed.
func (s *KV) commit() {
	for {
		var batch []write
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		case <-s.done:
			return
		}
		for gathering := true; gathering && len(batch) < 256; {
			select {
			case w := <-s.writes:
				batch = append(batch, w)
			default:
				gathering = false
			}
		}
		s.commitBatch(batch)
	}
}

// commitBatch applies all writes in one transaction. A write that is refused with
// an errno fails alone; any other error fails all.
func (s *KV) commitBatch(batch []write) {
	replies := make([]error, len(batch))
	err := s.db.Update(func(tx *bolt.Tx) error {
		for i, w := range batch {
			// apply decides before it writes, so a refused one leaves nothing behind.
			replies[i] = w.apply(tx)
			if _, refused := errors.AsType[abi.Errno](replies[i]); replies[i] != nil && !refused {
				return replies[i]
			}
		}
		return nil
	})
	for i, w := range batch {
		if err != nil {
			w.reply <- err
		} else {
			w.reply <- replies[i]
		}
	}
}

func (s *KV) write(ctx context.Context, apply func(*bolt.Tx) error) error {
	w := write{apply, make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.done:
		return abi.ErrnoUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
	// Once taken, it will be decided: waiting for less would leave its fate unknown.
	return <-w.reply
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
