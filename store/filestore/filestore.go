package filestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
)

// piece is how many bytes a checksum covers.
const piece = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Index lists what apps keep: a note for each name. What it acknowledged is
// durable.
type Index interface {
	// BlobRoom returns abi.ErrnoQuota if so many bytes have no room.
	BlobRoom(ctx context.Context, app, name string, size int64, quota abi.KVQuota) error
	// PutBlob returns the note that it replaces, nil for none, or abi.ErrnoQuota.
	PutBlob(ctx context.Context, app, name string, size int64, note []byte, quota abi.KVQuota) (old []byte, err error)
	DeleteBlob(ctx context.Context, app, name string) (old []byte, err error)
	// Blob returns a note, or abi.ErrnoNotFound.
	Blob(ctx context.Context, app, name string) (note []byte, err error)
	Blobs(ctx context.Context, app, prefix, after string, limit int) ([]abi.BlobInfo, error)
	EachBlob(see func(app, name string, note []byte) error) error
	// EraseBlobs forgets all notes of an app.
	EraseBlobs(ctx context.Context, app string) error
}

// note is what the index keeps for a file.
type note struct {
	File     string   `json:"file"` // 32 hexadecimal digits
	Size     int64    `json:"size"`
	Modified int64    `json:"modified"` // Unix milliseconds
	Digest   []byte   `json:"digest"`   // SHA-256
	Sums     []uint32 `json:"sums"`     // CRC-32C of each piece
}

// Store is a directory of files and the index that names them.
type Store struct {
	dir   string
	index Index
	now   func() time.Time

	mu      sync.Mutex // guards all below
	holds   int
	removed []string // once no one holds any more
}

// Open opens or makes a directory whose parent is there, and removes the files that nothing names.
func Open(dir string, index Index, now func() time.Time) (*Store, error) {
	if err := durable.MakeDir(filepath.Dir(dir), dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, index: index, now: now}
	named := map[string]bool{}
	err := index.EachBlob(func(app, _ string, raw []byte) error {
		n, err := decode(raw)
		if err != nil {
			return err
		}
		named[s.path(app, n.File)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || named[path] {
			return err
		}
		return os.Remove(path)
	})
}

// Look returns a store of a directory that another process may keep; it changes
// nothing.
func Look(dir string, index Index) *Store { return &Store{dir: dir, index: index} }

func decode(raw []byte) (n note, err error) {
	if err := json.Unmarshal(raw, &n); err != nil || len(n.File) != 32 || len(n.Digest) != sha256.Size {
		return n, fmt.Errorf("the note of a blob cannot be read: %w", storage.ErrCorrupt)
	}
	return n, nil
}

// path is where a file is. Names of apps are names of directories, too.
func (s *Store) path(app, file string) string { return filepath.Join(s.dir, app, file[:2], file[2:]) }

// Put keeps a blob under a name, in place of what was there. It answers
// abi.ErrnoQuota if there is no room for it.
func (s *Store) Put(ctx context.Context, app, name string, b []byte, quota abi.KVQuota) error {
	if err := s.index.BlobRoom(ctx, app, name, int64(len(b)), quota); err != nil {
		return err // before anything is written
	}
	n := newNote(b, s.now())
	path := s.path(app, n.File)
	if err := durable.Replace(s.dir, path, b); err != nil {
		return err
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	old, err := s.index.PutBlob(ctx, app, name, n.Size, raw, quota)
	if err != nil {
		// Nothing names it, unless the index wrote and could not say so: whatever
		// is left over is removed at the next start.
		if _, refused := errors.AsType[abi.Errno](err); refused {
			return errors.Join(err, os.Remove(path))
		}
		return err
	}
	return s.drop(app, old)
}

func newNote(b []byte, now time.Time) note {
	var id [16]byte
	rand.Read(id[:])
	sum := sha256.Sum256(b)
	n := note{File: hex.EncodeToString(id[:]), Size: int64(len(b)), Modified: now.UnixMilli(), Digest: sum[:]}
	for at := 0; at < len(b); at += piece {
		n.Sums = append(n.Sums, crc32.Checksum(b[at:min(len(b), at+piece)], castagnoli))
	}
	return n
}

// drop removes the file of a note that the index no longer has.
func (s *Store) drop(app string, raw []byte) error {
	if raw == nil {
		return nil
	}
	n, err := decode(raw)
	if err != nil {
		return err
	}
	path := s.path(app, n.File)
	s.mu.Lock()
	held := s.holds > 0
	if held {
		s.removed = append(s.removed, path)
	}
	s.mu.Unlock()
	if !held {
		_ = os.Remove(path) // what stays is removed at the next start
	}
	return nil
}

// Hold keeps every file in its place until the answered function is called, so
// that files can be copied that an earlier copy of the index names.
func (s *Store) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.holds--; s.holds > 0 {
			return
		}
		for _, path := range s.removed {
			_ = os.Remove(path)
		}
		s.removed = nil
	})
}

// Delete forgets a blob. Deleting what is not there succeeds.
func (s *Store) Delete(ctx context.Context, app, name string) error {
	old, err := s.index.DeleteBlob(ctx, app, name)
	if err != nil {
		return err
	}
	return s.drop(app, old)
}

// ErrHeld: a copy of the files is being made, which needs them where they are.
var ErrHeld = errors.New("the files are held for a copy")

// Erase removes all blobs of an app that writes none any more. ErrHeld if a copy is being made
// whose list may name the files: they go when it is called again. It may be called again.
func (s *Store) Erase(ctx context.Context, app string) error {
	if err := registry.ValidName(app); err != nil {
		return err // it is the name of a directory
	}
	if err := s.index.EraseBlobs(ctx, app); err != nil {
		return err
	}
	s.mu.Lock()
	held := s.holds > 0 // a copy that begins after this has a list without them
	s.mu.Unlock()
	if held {
		return fmt.Errorf("erase the files of app %q: %w", app, ErrHeld)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, app)); err != nil {
		return err
	}
	return durable.SyncDir(s.dir)
}

// Stat tells what is known of a blob; abi.ErrnoNotFound if there is none.
func (s *Store) Stat(ctx context.Context, app, name string) (abi.BlobInfo, error) {
	n, err := s.note(ctx, app, name)
	if err != nil {
		return abi.BlobInfo{}, err
	}
	i := abi.BlobInfo{Name: name, Size: n.Size, Modified: time.UnixMilli(n.Modified).UTC()}
	copy(i.Digest[:], n.Digest)
	return i, nil
}

func (s *Store) note(ctx context.Context, app, name string) (note, error) {
	raw, err := s.index.Blob(ctx, app, name)
	if err != nil {
		return note{}, err
	}
	return decode(raw)
}

// List returns up to limit blobs with a prefix that sort behind after.
func (s *Store) List(ctx context.Context, app, prefix, after string, limit int) ([]abi.BlobInfo, error) {
	return s.index.Blobs(ctx, app, prefix, after, limit)
}

// Get reads up to length bytes of a blob from an offset on: fewer where it ends,
// none behind its end. abi.ErrnoNotFound if there is no such blob.
func (s *Store) Get(ctx context.Context, app, name string, offset, length int64) ([]byte, error) {
	for try := 0; ; try++ {
		n, err := s.note(ctx, app, name)
		if err != nil {
			return nil, err
		}
		b, err := s.read(app, n, offset, length)
		// Replaced or deleted since it was looked up: what is there now?
		if errors.Is(err, fs.ErrNotExist) && try < 10 {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the file of blob %q of app %q is gone: %w", name, app, storage.ErrCorrupt)
		}
		return b, err
	}
}

func (s *Store) read(app string, n note, offset, length int64) ([]byte, error) {
	if offset >= n.Size || length <= 0 {
		return nil, nil
	}
	end := offset + min(length, n.Size-offset)
	from := offset / piece * piece
	f, err := os.Open(s.path(app, n.File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, min(n.Size, (end+piece-1)/piece*piece)-from)
	if _, err := f.ReadAt(b, from); err != nil {
		return nil, fmt.Errorf("%s is shorter than it was: %w", f.Name(), storage.ErrCorrupt)
	}
	for at := 0; at < len(b); at += piece {
		i := (int(from) + at) / piece
		if i >= len(n.Sums) || crc32.Checksum(b[at:min(len(b), at+piece)], castagnoli) != n.Sums[i] {
			return nil, fmt.Errorf("%s does not match its checksum: %w", f.Name(), storage.ErrCorrupt)
		}
	}
	return b[offset-from : end-from], nil
}

// Check reads every file. It returns how many there are, and what is damaged:
// *storage.Damage for each.
func (s *Store) Check(ctx context.Context) (n int, problems []error) {
	release := s.Hold() // what is replaced meanwhile is still there
	defer release()
	err := s.index.EachBlob(func(app, name string, raw []byte) error {
		n++
		if detail, path := s.check(app, raw); detail != "" {
			problems = append(problems, &storage.Damage{File: path, Item: fmt.Sprintf("blob %q of app %q", name, app), Detail: detail})
		}
		return ctx.Err()
	})
	if err != nil {
		problems = append(problems, err)
	}
	return n, problems
}

// check returns what is wrong with the file of a note: "" for nothing.
func (s *Store) check(app string, raw []byte) (detail, path string) {
	n, err := decode(raw)
	if err != nil {
		return err.Error(), ""
	}
	path = s.path(app, n.File)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("is missing, with its %d bytes", n.Size), path
	case err != nil:
		return "cannot be read: " + err.Error(), path
	case info.Size() != n.Size:
		return fmt.Sprintf("has %d bytes, and had %d", info.Size(), n.Size), path
	}
	switch _, err = s.read(app, n, 0, n.Size); {
	case errors.Is(err, storage.ErrCorrupt):
		return "is not what was written: its checksum does not match", path
	case err != nil:
		return "cannot be read: " + err.Error(), path
	}
	return "", path
}
