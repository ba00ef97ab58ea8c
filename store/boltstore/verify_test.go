package boltstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

func set(t testing.TB, kv *boltstore.KV, app, name string, value []byte, quota int64) error {
	w := abi.KVWrite{Key: name, Value: value}
	if len(value)%7 == 1 {
		w.TTL = time.Hour
	}
	return kv.Write(t.Context(), app, w, abi.KVQuota{Bytes: quota, Keys: 1 << 20})
}

// fill writes until the file has branch pages, overflow pages and free ones.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	kv, err := boltstore.OpenKV(path, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		app, name := fmt.Sprintf("app-%d", r.IntN(5)), fmt.Sprintf("key-%04d", r.IntN(n))
		if err := set(t, kv, app, name, make([]byte, r.IntN(400)), 1<<30); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			if err := set(t, kv, app, fmt.Sprintf("key-%04d", r.IntN(n)), nil, 1<<30); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := set(t, kv, "app-0", "large", make([]byte, 20_000), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReaderAgreesWithBbolt: our reader of the format finds what bbolt does, and
// nothing wrong with files that bbolt wrote.
func TestReaderAgreesWithBbolt(t *testing.T) {
	for _, n := range []int{0, 1, 30, 300} {
		path := filepath.Join(t.TempDir(), "kv.db")
		fill(t, path, n)
		if problems := boltstore.VerifyKV(path, nil); len(problems) > 0 {
			t.Fatalf("%d writes: %v", n, problems)
		}
		ours, err := boltstore.Walk(path)
		if err != nil {
			t.Fatal(err)
		}
		kv, err := boltstore.OpenKV(path, time.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := kv.Dump()
		if err != nil || ours != theirs {
			t.Errorf("%d writes: the readers differ, %v", n, err)
		}
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVanishedRecords: a page that is whole in itself, and has one record less or
// an older one, is noticed by what was counted.
func TestVanishedRecords(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(b *bolt.Bucket) error // behind the store's back
	}{
		{"lost", "some are lost", func(b *bolt.Bucket) error { return b.Delete([]byte("a\x00k")) }},
		{"came back", "some came back", func(b *bolt.Bucket) error { return b.Put([]byte("a\x00x"), boltstore.Seal("data", "a\x00x", "1")) }},
		{"older", "not the ones", func(b *bolt.Bucket) error { return b.Put([]byte("a\x00k"), boltstore.Seal("data", "a\x00k", "VALUE")) }},
	} {
		path := filepath.Join(t.TempDir(), "kv.db")
		kv, err := boltstore.OpenKV(path, time.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"k", "other"} {
			if err := set(t, kv, "a", k, []byte("value"), 1000); err != nil {
				t.Fatal(err)
			}
		}
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := bolt.Open(path, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error { return c.change(tx.Bucket([]byte("data"))) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if problems := fmt.Sprint(boltstore.VerifyKV(path, nil)); !strings.Contains(problems, c.says) {
			t.Errorf("%s: %s", c.name, problems)
		}
		if _, err := boltstore.OpenKV(path, time.Now, nil); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: opened, %v", c.name, err)
		}
	}
}

// TestPageUsedTwice: a page that is in use and listed as free would be written
// over, by and by.
func TestPageUsedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	fill(t, path, 100)
	root, free, size, err := boltstore.Pages(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := raw[int64(free)*size:]
	if n := binary.LittleEndian.Uint16(list[10:]); n == 0 || n == 0xffff {
		t.Fatalf("%d pages are free: this test needs some", n)
	}
	binary.LittleEndian.PutUint64(list[16:], root)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("lists page %d as free", root)
	if problems := fmt.Sprint(boltstore.VerifyKV(path, nil)); !strings.Contains(problems, want) {
		t.Errorf("found %s; want %s", problems, want)
	}
}

// TestCutOff: a file that ends too early, or is empty, is not opened and does
// not end the process.
func TestCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	fill(t, path, 300)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := info.Size() - 4096*20; size >= 0; size -= info.Size() / 23 {
		if err := os.Truncate(path, max(0, size/3)); err != nil {
			t.Fatal(err)
		}
		if _, err := boltstore.OpenKV(path, time.Now, nil); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", size/3, err)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.OpenKV(path, time.Now, nil); !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "empty") {
		t.Errorf("empty: %v", err)
	}
}

// TestFormat1: a store without tallies is counted at its first opening.
func TestFormat1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	fill(t, path, 50)
	db, err := bolt.Open(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		used, counts := tx.Bucket([]byte("used")), map[string][]byte{}
		err := used.ForEach(func(k, v []byte) error { counts[string(k)] = append([]byte{}, v[5:13]...); return nil })
		for k, v := range counts { // eight bytes, and no checksum
			err = errors.Join(err, used.Put([]byte(k), v))
		}
		return errors.Join(err, tx.DeleteBucket([]byte("meta")), tx.DeleteBucket([]byte("expiry")))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	kv, err := boltstore.OpenKV(path, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	if problems := kv.Check(t.Context()); len(problems) > 0 {
		t.Error(problems)
	}
	if err := set(t, kv, "app-1", "k", []byte{}, 1<<30); err != nil {
		t.Error(err)
	}
}

// TestCheckWhileWriting: the check sees one moment, and others go on.
func TestCheckWhileWriting(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			_, err := s.Update(t.Context(), "x", func(tx state.Tx) error {
				tx.Emit("test", "a", fmt.Sprint(i), nil)
				return tx.PutApp(registry.App{Name: fmt.Sprint("a", i%50), Title: strings.Repeat("x", i%900)})
			})
			if err == nil {
				err = s.Merge(t.Context(), metering.Flush{Epoch: 1, Cells: []metering.Cell{{Key: metering.Key{Hour: time.Unix(3600*int64(i), 0), Tags: metering.Tags{App: "a"}}, Usage: metering.Usage{Calls: 1}}}})
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 30 {
		if problems := s.Check(t.Context()); len(problems) > 0 {
			t.Fatal(problems)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// FuzzStoreFile: whatever a file is, reading it neither fails nor hangs; and if
// nothing is found wrong with it, bbolt reads the same.
func FuzzStoreFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "kv.db")
	fill(f, path, 60)
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), uint64(0), uint16(0))
	f.Add(uint32(2*4096+10), uint64(0xffff), uint16(0))
	f.Add(uint32(3*4096), uint64(1)<<40, uint16(9))
	f.Fuzz(func(t *testing.T, at uint32, xor uint64, cut uint16) {
		b := append([]byte{}, raw[:len(raw)-int(cut)%len(raw)]...)
		if i := int(at) % len(raw); i+8 <= len(b) {
			binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^xor)
		}
		path := filepath.Join(t.TempDir(), "kv.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		kv, err := boltstore.OpenKV(path, time.Now, nil)
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		defer kv.Close()
		ours, err := boltstore.Walk(path)
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err := kv.Dump(); err != nil || ours != theirs {
			t.Fatalf("bbolt reads something else: %v", err)
		}
	})
}

// TestRefusedWriteIsNotCorruption: an app's own mistakes stay the app's.
func TestRefusedWriteIsNotCorruption(t *testing.T) {
	kv, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv.db"), time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	if err := set(t, kv, "a", "k", make([]byte, 100), 10); !errors.Is(err, abi.ErrnoQuota) || errors.Is(err, storage.ErrUnwritable) {
		t.Error(err)
	}
}
