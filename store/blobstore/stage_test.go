package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/store/blobstore"
)

// TestStage: staged bytes are a blob once they are kept, and nothing otherwise.
func TestStage(t *testing.T) {
	dir := t.TempDir()
	s, err := blobstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	raw := bytes.Repeat([]byte("bytes"), 100_000)
	stage := func() *blobstore.Staged {
		t.Helper()
		b, err := s.Stage(t.Context(), bytes.NewReader(raw))
		if err != nil || b.Digest() != registry.DigestOf(raw) || b.Size() != int64(len(raw)) {
			t.Fatalf("%+v, %v", b, err)
		}
		return b
	}
	parts := func() int {
		left, _ := filepath.Glob(filepath.Join(dir, "sha256", ".part-*"))
		return len(left)
	}
	dropped := stage()
	if err := errors.Join(dropped.Discard(), dropped.Discard()); err != nil || parts() != 0 {
		t.Errorf("%d are left, %v", parts(), err)
	}
	if _, err := s.Get(t.Context(), dropped.Digest()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("discarded: %v", err)
	}
	for range 2 { // the second finds the first
		b := stage()
		if got, err := b.Bytes(); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if err := errors.Join(b.Keep(), b.Discard()); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), b.Digest()); err != nil || !bytes.Equal(got, raw) || parts() != 0 {
			t.Errorf("%d bytes, %v, %d are left", len(got), err, parts())
		}
	}
	// Bytes that changed on the disk are not given out.
	b := stage()
	left, _ := filepath.Glob(filepath.Join(dir, "sha256", ".part-*"))
	if err := os.WriteFile(left[0], raw[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Bytes(); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("changed bytes: %v", err)
	}
	// What a process that was killed left is removed at the next start.
	if _, err := blobstore.Open(dir); err != nil || parts() != 0 {
		t.Errorf("%d are left, %v", parts(), err)
	}
}

// TestStageBreaksOff: a sender that breaks off, or whose caller leaves, leaves nothing behind.
func TestStageBreaksOff(t *testing.T) {
	dir := t.TempDir()
	s, err := blobstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("broke off")
	if _, err := s.Stage(t.Context(), io.MultiReader(strings.NewReader("x"), broken{cause})); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	pieces := 0
	_, err = s.Stage(ctx, endless{func() {
		if pieces++; pieces == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || pieces > 4 {
		t.Errorf("%v after %d pieces", err, pieces)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "sha256", ".part-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

type endless struct{ read func() }

func (e endless) Read(b []byte) (int, error) { e.read(); return len(b), nil }
