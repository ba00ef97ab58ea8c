package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Unfinished begins the names of files that a crash left half written, beside
// those that they should have become.
const Unfinished = ".part-"

// Replace writes a file in one step, in place of what was there. Directories from
// root down to it are made if need be, and are durable, too.
func Replace(root, path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil { // what it made is synced at the end
		return err
	}
	f, err := os.CreateTemp(dir, Unfinished+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return name(root, f.Name(), path)
}

// Adopt gives a file that is complete a name in one step, in place of what was there. It is on
// the same disk, and directories are made as by Replace.
func Adopt(root, from, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return name(root, from, path)
}

// name makes a durable file's new name durable.
func name(root, from, path string) error {
	if err := os.Rename(from, path); err != nil {
		return err
	}
	return syncDirs(root, filepath.Dir(path))
}

// MakeDir makes a directory below root, which is there, unless it is there, too.
func MakeDir(root, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDirs(root, filepath.Dir(dir))
}

// SyncNames makes a file's name durable, and those of the directories from root
// down to it: it may have been given by another, who has not synced yet or was
// killed.
func SyncNames(root, path string) error { return syncDirs(root, filepath.Dir(path)) }

// SyncTree makes durable what names there are in a directory, and below it.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = SyncDir(path)
		}
		return err
	})
}

// syncDirs syncs a directory and those above it, up to root. All of them, each
// time: one that is there may have been made by a process that was killed before
// it synced.
func syncDirs(root, dir string) error {
	for {
		if err := SyncDir(dir); err != nil || dir == root || !strings.HasPrefix(dir, root) {
			return err
		}
		dir = filepath.Dir(dir)
	}
}

// SyncDir makes durable what names a directory has.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
