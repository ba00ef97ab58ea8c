package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/filestore"
)

var roomy = abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20}

func openIndex(t *testing.T) *boltstore.KV {
	t.Helper()
	index, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv"), time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = index.Close() })
	return index
}

func open(t *testing.T, dir string, index filestore.Index) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir, index, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *filestore.Store, app, name, text string) {
	t.Helper()
	if err := s.Put(t.Context(), app, name, []byte(text), roomy); err != nil {
		t.Fatal(err)
	}
}

// files are the paths of all files below a directory.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestApart: what one app keeps is not there for another, and goes away alone.
func TestApart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, openIndex(t))
	put(t, s, "a", "x", "same")
	put(t, s, "ab", "x", "same")
	if err := s.Delete(t.Context(), "a", "x"); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Get(t.Context(), "ab", "x", 0, 10); string(b) != "same" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Get(t.Context(), "a", "x", 0, 10); !errors.Is(err, abi.ErrnoNotFound) {
		t.Error(err)
	}
	if n := files(t, dir); len(n) != 1 {
		t.Errorf("files are left: %q", n)
	}
}

// crashing is an index that fails: before or after it has written.
type crashing struct {
	*boltstore.KV
	before, after bool
}

var errCrash = errors.New("crash")

func (c *crashing) PutBlob(ctx context.Context, app, name string, size int64, note []byte, quota abi.KVQuota) ([]byte, error) {
	if c.before {
		return nil, errCrash
	}
	old, err := c.KV.PutBlob(ctx, app, name, size, note, quota)
	if c.after && err == nil {
		return nil, errCrash
	}
	return old, err
}

// TestCrash: whichever step is the last one, what the index names is there, and
// what it does not name goes away at the next start.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after bool
		want          string
	}{
		{"before the index is written", true, false, "old"},
		{"after the index is written", false, true, "new"},
	} {
		dir, index := t.TempDir(), openIndex(t)
		failing := &crashing{KV: index}
		s := open(t, dir, failing)
		put(t, s, "a", "x", "old")
		failing.before, failing.after = c.before, c.after
		if err := s.Put(t.Context(), "a", "x", []byte("new"), roomy); !errors.Is(err, errCrash) {
			t.Fatalf("%s: %v", c.name, err)
		}
		if n := files(t, dir); len(n) != 2 {
			t.Fatalf("%s: %q", c.name, n)
		}
		s = open(t, dir, index)
		if b, err := s.Get(t.Context(), "a", "x", 0, 10); string(b) != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.name, b, err)
		}
		if n := files(t, dir); len(n) != 1 {
			t.Errorf("%s: after a start there are %q", c.name, n)
		}
		if n, problems := s.Check(t.Context()); n != 1 || len(problems) > 0 {
			t.Errorf("%s: %d blobs, %v", c.name, n, problems)
		}
	}
}

// TestRefusedLeavesNothing: what has no room is not written at all.
func TestRefusedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, openIndex(t))
	if err := s.Put(t.Context(), "a", "x", make([]byte, 100), abi.KVQuota{Bytes: 100, Keys: 1}); !errors.Is(err, abi.ErrnoQuota) {
		t.Errorf("%v", err)
	}
	if n := files(t, dir); len(n) > 0 {
		t.Errorf("files are left: %q", n)
	}
}

// TestDamage: bytes that changed on the disk, were cut off or went away are never
// answered, and are named.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, openIndex(t))
	content := bytes.Repeat([]byte("0123456789abcdef"), 40_000) // three pieces
	for name, damage := range map[string]func(path string) error{
		"a byte": func(path string) error {
			b := bytes.Clone(content)
			b[300_000] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"its end":    func(path string) error { return os.Truncate(path, int64(len(content)-1)) },
		"everything": os.Remove,
	} {
		put(t, s, "a", "x", string(content))
		if err := damage(files(t, dir)[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "a", "x", 0, 1<<40); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if n, problems := s.Check(t.Context()); n != 1 || len(problems) != 1 {
			t.Errorf("%s: %d, %v", name, n, problems)
		}
		if name == "a byte" { // the other pieces are whole
			if b, err := s.Get(t.Context(), "a", "x", 0, 100); err != nil || !bytes.Equal(b, content[:100]) {
				t.Errorf("another piece: %v", err)
			}
		}
		if err := s.Delete(t.Context(), "a", "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHold: files stay while a person copies them.
func TestHold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, openIndex(t))
	put(t, s, "a", "x", "old")
	first, second := s.Hold(), s.Hold()
	put(t, s, "a", "x", "new")
	if err := s.Delete(t.Context(), "a", "x"); err != nil {
		t.Fatal(err)
	}
	first()
	first()
	if n := files(t, dir); len(n) != 2 {
		t.Errorf("while one holds: %q", n)
	}
	second()
	if n := files(t, dir); len(n) != 0 {
		t.Errorf("afterwards: %q", n)
	}
}

// TestReplacedWhileRead: a reader finds the whole of one of the values, or that
// there is none, whoever replaces and deletes meanwhile.
func TestReplacedWhileRead(t *testing.T) {
	s := open(t, t.TempDir(), openIndex(t))
	put(t, s, "a", "x", "0")
	var work sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				b, err := s.Get(context.Background(), "a", "x", 0, 1<<20)
				if err != nil && !errors.Is(err, abi.ErrnoNotFound) {
					t.Error(err)
					return
				}
				if len(b) > 0 && len(bytes.Trim(b, string(b[:1]))) > 0 {
					t.Errorf("a mixture: %.40q", b)
				}
			}
		})
	}
	for i := range 60 {
		put(t, s, "a", "x", string(bytes.Repeat(fmt.Append(nil, i%10), 1+i*100)))
		if i%10 == 9 {
			if err := s.Delete(t.Context(), "a", "x"); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	work.Wait()
}
