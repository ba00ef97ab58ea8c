package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/agora-host/agora/internal/durable"
)

func TestReplace(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "file")
	for _, text := range []string{"one", "", "three"} {
		if err := durable.Replace(root, path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != text || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: the file is for this user alone", info.Mode(), err)
	}
}

// TestReplaceFails: what cannot become the file leaves nothing behind, and the
// file as it was.
func TestReplaceFails(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "taken")
	if err := os.MkdirAll(filepath.Join(path, "within"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(root, path, []byte("x")); err == nil {
		t.Error("a directory is replaced by a file")
	}
	left, err := os.ReadDir(root)
	if err != nil || len(left) != 1 || !left[0].IsDir() {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
