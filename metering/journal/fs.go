package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrLocked: another process has the directory.
var ErrLocked = errors.New("another process has the journal directory")

// FS is a flat directory. It is an interface so that a test can lose power.
type FS interface {
	// Lock takes the directory for this process, until what it returns is closed or the
	// process ends. ErrLocked if another has it.
	Lock() (io.Closer, error)
	List() ([]Entry, error)
	// Create makes a file that must not be there.
	Create(name string) (File, error)
	// SyncFile makes durable what a file has, which an earlier process may have
	// written and not synced.
	SyncFile(name string) error
	// Open reads a file, from the disk if it can be had and not from a cache.
	Open(name string) (io.ReadCloser, error)
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes what was created, renamed and removed durable.
	Sync() error
}

// Entry is a file in the directory.
type Entry struct {
	Name string
	Size int64 // bytes
}

// File is a file that is written.
type File interface {
	io.WriterAt
	// Sync makes the bytes durable that were written before, and the length that is
	// needed to read them.
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Disk is a directory of the operating system. It makes it, durably, if it is not
// there; the one above it is.
func Disk(dir string) (FS, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Each time: a process may have been killed between the two.
	return disk(dir), disk(filepath.Dir(dir)).Sync()
}

type disk string

func (d disk) path(name string) string { return filepath.Join(string(d), name) }

func (d disk) List() ([]Entry, error) {
	entries, err := os.ReadDir(string(d))
	var files []Entry
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Type().IsRegular() {
			files = append(files, Entry{e.Name(), info.Size()})
		}
	}
	return files, err
}

func (d disk) Create(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (d disk) Open(name string) (io.ReadCloser, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	return uncached(f), nil
}

func (d disk) SyncFile(name string) error {
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	return errors.Join(datasync(f), f.Close())
}

func (d disk) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d disk) Remove(name string) error { return os.Remove(d.path(name)) }

func (d disk) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Look is Disk for a directory that is only read: neither it nor its lock's file
// is made if it is not there.
func Look(dir string) FS { return look{disk(dir)} }

type look struct{ disk }

func (l look) List() ([]Entry, error) {
	files, err := l.disk.List()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

func (l look) Lock() (io.Closer, error) {
	f, err := l.lock(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil // no process was ever here
	}
	return f, err
}

const lockName = "lock"

func (d disk) Lock() (io.Closer, error) { return d.lock(os.O_CREATE | os.O_RDWR) }

func (d disk) lock(flag int) (io.Closer, error) {
	f, err := os.OpenFile(d.path(lockName), flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: stop it, or use another data directory (%s: %w)", ErrLocked, d.path(lockName), err), f.Close())
	}
	return f, nil
}

type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return datasync(f.File) }
