package blobstore_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/store/blobstore"
)

func TestBlobs(t *testing.T) {
	dir := t.TempDir()
	s, err := blobstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Put(t.Context(), []byte("bytes"))
	if err != nil || d != registry.DigestOf([]byte("bytes")) {
		t.Fatalf("%s, %v", d, err)
	}
	if again, err := s.Put(t.Context(), []byte("bytes")); err != nil || again != d {
		t.Errorf("%s, %v", again, err)
	}
	if b, err := s.Get(t.Context(), d); err != nil || string(b) != "bytes" {
		t.Errorf("%q, %v", b, err)
	}
	for _, bad := range []registry.Digest{registry.DigestOf([]byte("none")), "sha256:../../etc/passwd", "", "md5:00"} {
		if _, err := s.Get(t.Context(), bad); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// Bytes that changed on the disk are never returned.
	path := filepath.Join(dir, "sha256", string(d[7:9]), string(d[9:]))
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("Bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), d); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("damaged bytes: %v", err)
	}
	if n, problems := s.Check(t.Context()); n != 1 || len(problems) != 1 {
		t.Errorf("the check finds %d blobs and %v", n, problems)
	}
	// What a crash left unfinished is removed.
	part := filepath.Join(filepath.Dir(path), ".part-1")
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blobstore.Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(part); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unfinished blob stays: %v", err)
	}
}

// TestCorruptions damages blobs at random: each is named, none is answered.
func TestCorruptions(t *testing.T) {
	dir := t.TempDir()
	s, err := blobstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for i := range 200 {
		whole := make([]byte, 1+r.IntN(20_000))
		for j := range whole {
			whole[j] = byte(r.Uint32())
		}
		d, err := s.Put(t.Context(), whole)
		if err != nil {
			t.Fatal(err)
		}
		hex := strings.TrimPrefix(string(d), "sha256:")
		path := filepath.Join(dir, "sha256", hex[:2], hex[2:])
		bad, at := append([]byte{}, whole...), r.IntN(len(whole))
		switch i % 3 {
		case 0:
			bad[at] ^= 1 << r.IntN(8)
		case 1:
			bad = bad[:at]
		default:
			bad = append(bad[:at], make([]byte, len(bad)-at+1)...)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), d); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%d: answered, %v", i, err)
		}
		n, problems := s.Check(t.Context())
		if n != 1 || len(problems) != 1 || !strings.Contains(problems[0].Error(), path) {
			t.Errorf("%d: the check says %v", i, problems)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRemove: a blob goes if nothing names it and no one is about to.
func TestRemove(t *testing.T) {
	s, err := blobstore.Open(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Put(t.Context(), []byte("module"))
	if err != nil {
		t.Fatal(err)
	}
	named := func(is bool, err error) func(registry.Digest) (bool, error) {
		return func(registry.Digest) (bool, error) { return is, err }
	}
	trouble := errors.New("the store is away")
	unpin, again := s.Pin(d), s.Pin(d, "sha256:"+registry.Digest(strings.Repeat("0", 64)))
	for _, k := range []struct {
		name  string
		do    func()
		named func(registry.Digest) (bool, error)
		gone  bool
		err   error
	}{
		{"pinned twice", func() {}, named(false, nil), false, nil},
		{"pinned once more, and one end told twice", func() { unpin(); unpin() }, named(false, nil), false, nil},
		{"named", again, named(true, nil), false, nil},
		{"not known", func() {}, named(false, trouble), false, trouble},
		{"not named", func() {}, named(false, nil), true, nil},
		{"gone already", func() {}, named(false, nil), true, nil},
	} {
		k.do()
		gone, err := s.Remove(d, k.named)
		if gone != k.gone || !errors.Is(err, k.err) {
			t.Errorf("%s: %v, %v", k.name, gone, err)
		}
		size, err := s.Size(d)
		if there := err == nil && size == 6; there == k.gone || (k.gone && !errors.Is(err, registry.ErrNotFound)) {
			t.Errorf("%s: its size is %d, %v", k.name, size, err)
		}
		found := 0
		if err := s.Each(func(registry.Digest) error { found++; return nil }); err != nil || (found == 1) == k.gone {
			t.Errorf("%s: %d are listed, %v", k.name, found, err)
		}
	}
}
