package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
)

// Store is a directory of blobs: <dir>/sha256/<first two digits>/<the rest>.
type Store struct {
	dir string

	mu     sync.Mutex // guards pinned, and is held while a file is removed
	pinned map[registry.Digest]int
}

var digestForm = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// Open opens or makes a store in a directory whose parent is there, and removes what a crash left unfinished.
func Open(dir string) (*Store, error) {
	s := &Store{dir: filepath.Join(dir, "sha256")}
	if err := durable.MakeDir(filepath.Dir(dir), s.dir); err != nil {
		return nil, err
	}
	for _, pattern := range []string{durable.Unfinished + "*", filepath.Join("*", durable.Unfinished+"*")} {
		left, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range left {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Look returns a store of a directory that another process may keep; it changes
// nothing.
func Look(dir string) *Store { return &Store{dir: filepath.Join(dir, "sha256")} }

func (s *Store) path(d registry.Digest) (string, error) {
	if !digestForm.MatchString(string(d)) {
		return "", fmt.Errorf("%q is no digest: %w", d, registry.ErrNotFound)
	}
	hex := string(d[len("sha256:"):])
	return filepath.Join(s.dir, hex[:2], hex[2:]), nil
}

// Put stores bytes. Storing them again writes nothing.
func (s *Store) Put(_ context.Context, b []byte) (registry.Digest, error) {
	d := registry.DigestOf(b)
	path, err := s.path(d)
	if err != nil {
		return "", err
	}
	if _, err = os.Stat(path); err == nil {
		err = durable.SyncNames(s.dir, path)
	} else {
		err = durable.Replace(s.dir, path, b)
	}
	if err != nil {
		return "", fmt.Errorf("store blob %s: %w: %w", d, storage.ErrUnwritable, err)
	}
	return d, nil
}

// Get reads a blob and checks it. registry.ErrNotFound, storage.ErrCorrupt.
func (s *Store) Get(_ context.Context, d registry.Digest) ([]byte, error) {
	path, err := s.path(d)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err == nil && registry.DigestOf(b) != d {
		err = damaged(path, d)
	}
	if err != nil {
		return nil, unread(d, err)
	}
	return b, nil
}

// Pin keeps blobs, whether or not they are stored yet, from being removed until the
// returned function is called: for whoever stores a blob first and names it after.
func (s *Store) Pin(digests ...registry.Digest) (unpin func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pinned == nil {
		s.pinned = map[registry.Digest]int{}
	}
	for _, d := range digests {
		s.pinned[d]++
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, d := range digests {
			if s.pinned[d]--; s.pinned[d] == 0 {
				delete(s.pinned, d)
			}
		}
	})
}

// Remove removes a blob that is not pinned and of which named, asked when no other pin can
// be set, reports that nothing names it. It reports whether the blob is gone; one that was
// never there is.
func (s *Store) Remove(d registry.Digest, named func(registry.Digest) (bool, error)) (gone bool, err error) {
	path, err := s.path(d)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pinned[d] > 0 {
		return false, nil
	}
	if is, err := named(d); is || err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("remove blob %s: %w", d, err)
	}
	return true, nil
}

// Size returns how many bytes a blob has, without reading it. registry.ErrNotFound.
func (s *Store) Size(d registry.Digest) (int64, error) {
	path, err := s.path(d)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("blob %s: %w", d, registry.ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Each lists the digests of all blobs, without reading them.
func (s *Store) Each(see func(registry.Digest) error) error {
	return filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		d := registry.Digest("sha256:" + filepath.Base(filepath.Dir(path)) + e.Name())
		if !digestForm.MatchString(string(d)) || filepath.Dir(filepath.Dir(path)) != s.dir {
			return nil // Check tells of it
		}
		return see(d)
	})
}

func damaged(path string, d registry.Digest) error {
	return &storage.Damage{File: path, Item: "blob " + string(d), Detail: "does not match its digest"}
}

func unread(d registry.Digest, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("blob %s: %w", d, registry.ErrNotFound)
	case errors.Is(err, storage.ErrCorrupt):
		return err
	}
	return fmt.Errorf("blob %s: %w", d, err)
}

// check reads a blob without keeping it.
func (s *Store) check(ctx context.Context, d registry.Digest, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return unread(d, err)
	}
	defer f.Close()
	got, _, err := hashTo(ctx, io.Discard, f)
	if err == nil && got != d {
		err = damaged(path, d)
	}
	if err != nil {
		return unread(d, err)
	}
	return nil
}

// Check reads every blob. It returns how many there are, and what is damaged.
func (s *Store) Check(ctx context.Context) (n int, problems []error) {
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), durable.Unfinished) {
			return err
		}
		n++
		if len(e.Name()) != 62 || filepath.Dir(filepath.Dir(path)) != s.dir {
			problems = append(problems, &storage.Damage{File: path, Detail: "is no blob: nothing here has that name"})
			return ctx.Err()
		}
		d := registry.Digest("sha256:" + filepath.Base(filepath.Dir(path)) + e.Name())
		if err := s.check(ctx, d, path); err != nil && ctx.Err() == nil {
			problems = append(problems, err) // *storage.Damage, or the disk's own words
		}
		return ctx.Err()
	})
	if err != nil {
		problems = append(problems, err)
	}
	return n, problems
}
