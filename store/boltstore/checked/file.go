package checked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/internal/storage"
)

// lockTimeout is how long a process that is just ending may keep a file.
const lockTimeout = 2 * time.Second

// ErrLocked: another process has the file open.
var ErrLocked = errors.New("another agora process uses")

// File is an open file.
type File struct {
	db    *bolt.DB
	shape *Shape
}

// Open opens or makes a file. One that is there is read as a whole first,
// without bbolt, and is opened only if nothing of it is damaged: see walker.
func Open(path string, s *Shape) (*File, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeFile(path, s); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
	}
	o := &bolt.Options{FreelistType: bolt.FreelistMapType, OpenFile: func(path string, _ int, _ os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		// Locked first: what another process writes would look like damage. bbolt
		// locks the same open file again, which succeeds.
		if err := lock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if err := damaged(path, verify(f, f, path, s)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}}
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, o)
		return err
	})
	if _, ok := errors.AsType[*DamagedError](err); ok {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f := &File{db, s}
	if err := f.Commit((*Writer).prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return f, nil
}

// makeFile makes an empty store under another name, so that a file under its own
// name was whole once: an empty one is never taken for a new one.
func makeFile(path string, s *Shape) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return err
	}
	db, err := bolt.Open(temp.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	err = (&File{db, s}).Commit((*Writer).prepare)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what another process made meanwhile.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

func lock(f *os.File) error {
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w %s: stop it, or choose another directory with --data", ErrLocked, filepath.Dir(f.Name()))
		}
	}
}

// Close closes the file. It may be called again.
func (f *File) Close() error { return f.db.Close() }

// View reads the file as it is at this moment. Others may go on.
func (f *File) View(read func(Tx) error) error {
	return guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error { return read(Tx{tx: tx}) })
	})
}

// Commit is the one way to change a file, one after the other. An error of change
// is returned as it is; when the change itself is right and cannot be made durable, the error is
// storage.ErrUnwritable. Either way nothing happened.
func (f *File) Commit(change func(*Writer) error) error {
	var refused error
	err := guard(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			w := newWriter(tx, f.shape)
			if refused = change(w); refused == nil {
				refused = w.close()
			}
			return refused
		})
	})
	if err == nil || refused != nil || errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", storage.ErrUnwritable, f.db.Path(), err)
}

// guard turns what bbolt does about a damaged file into an error: it panics, or
// reads a page of the mapped file that the disk does not have.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = fmt.Errorf("the disk cannot be read at %#x: %w", p.Addr(), storage.ErrCorrupt)
		case string: // bbolt's assertions; ours begin with BUG
			if strings.HasPrefix(p, "BUG") {
				panic(p)
			}
			err = fmt.Errorf("%s: %w", p, storage.ErrCorrupt)
		default:
			panic(p)
		}
	}()
	return f()
}
