package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/registry"
)

// Store is a directory of blobs: <dir>/sha256/<first two digits>/<the rest>.
type Store struct{ dir string }

var digestForm = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// Open opens or makes a store in a directory whose parent is there, and removes what a crash left unfinished.
func Open(dir string) (*Store, error) {
	s := &Store{dir: filepath.Join(dir, "sha256")}
	if err := durable.MakeDir(filepath.Dir(dir), s.dir); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "*", durable.Unfinished+"*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Look answers a store of a directory that another process may keep; it changes
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
		return "", fmt.Errorf("store blob %s: %w: %w", d, registry.ErrUnwritable, err)
	}
	return d, nil
}

// Get reads a blob and checks it. registry.ErrNotFound, registry.ErrCorrupt.
func (s *Store) Get(_ context.Context, d registry.Digest) ([]byte, error) {
	path, err := s.path(d)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", d, registry.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d, err)
	}
	if registry.DigestOf(b) != d {
		return nil, &registry.Damage{File: path, Item: "blob " + string(d), Detail: "does not match its digest"}
	}
	return b, nil
}

// Check reads every blob. It answers how many there are, and what is damaged.
func (s *Store) Check(ctx context.Context) (n int, problems []error) {
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".part-") {
			return err
		}
		n++
		if len(e.Name()) != 62 || filepath.Dir(filepath.Dir(path)) != s.dir {
			problems = append(problems, &registry.Damage{File: path, Detail: "is no blob: nothing here has that name"})
			return ctx.Err()
		}
		d := registry.Digest("sha256:" + filepath.Base(filepath.Dir(path)) + e.Name())
		if _, err := s.Get(ctx, d); err != nil {
			problems = append(problems, err) // *registry.Damage, or the disk's own words
		}
		return ctx.Err()
	})
	if err != nil {
		problems = append(problems, err)
	}
	return n, problems
}
