package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// Snapshots are copies of the stores, to go back to when a file is damaged. They
// lie in the same directory as the stores and do not outlive its disk: that is
// what backups are for.
const (
	snapshotEvery  = time.Hour
	snapshotKeep   = 24
	snapshotLayout = "20060102T150405Z"
)

// snapshot copies the stores, reads the copies as a whole, and only then lets
// them take the place of the oldest.
func (u *Upkeep) snapshot(ctx context.Context) error {
	if err := u.beginCopy(ctx); err != nil {
		return err
	}
	defer u.endCopy()
	parent := filepath.Join(u.dir, snapshotsDir)
	if err := durable.MakeDir(u.dir, parent); err != nil {
		return err
	}
	if err := u.roomFor(); err != nil {
		return err
	}
	// Its name is the time before the copies: what is removed later, they may name.
	name := u.now().UTC().Format(snapshotLayout)
	staging, err := os.MkdirTemp(parent, ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	for _, s := range storeFiles {
		if err := u.copyStore(ctx, s, filepath.Join(staging, s.name)); err != nil {
			return fmt.Errorf("copy the %s: %w", s.about, err)
		}
	}
	if err := errors.Join(durable.SyncDir(staging), os.Rename(staging, filepath.Join(parent, name)), durable.SyncDir(parent)); err != nil {
		return err
	}
	return forgetSnapshots(u.dir)
}

// copyStore makes a durable copy and reads it back.
func (u *Upkeep) copyStore(ctx context.Context, s storeFile, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	p := newPace(ctx, u.resting)
	err = s.copy(u.stores).Copy(ctx, func(_ int64, write func(io.Writer) error) error { return write(pacedWriter{f, p}) })
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if damaged := s.verify(to, p.rest); len(damaged) > 0 {
		return &checked.DamagedError{Path: filepath.Join(u.dir, s.name), Damage: damaged}
	}
	return nil
}

// roomFor refuses a snapshot that would take the last of the disk: apps need it
// more.
func (u *Upkeep) roomFor() error {
	var need int64
	for _, s := range storeFiles {
		info, err := os.Stat(filepath.Join(u.dir, s.name))
		if err != nil {
			return err
		}
		need += info.Size()
	}
	free, _, err := u.reserve.room()
	if err != nil {
		return err
	}
	if free < 2*need {
		return fmt.Errorf("the disk has %d bytes left, and a copy of the stores needs %d and leaves as many: make room", free, need)
	}
	return u.reserve.low(need)
}

// snapshots lists a data directory's snapshots by name, oldest first.
func snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if _, err := time.Parse(snapshotLayout, e.Name()); err == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

func findSnapshot(dir, name string) (string, error) {
	all, err := snapshots(dir)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no snapshots: restore a backup with `agora restore FILE --data DIR`", dir)
	}
	if name == "latest" {
		return all[len(all)-1], nil
	}
	if !slices.Contains(all, name) {
		return "", fmt.Errorf("there is no snapshot %q: choose latest or one of %s", name, strings.Join(all, ", "))
	}
	return name, nil
}

// forgetSnapshots deletes the oldest, and what a killed process left unfinished.
func forgetSnapshots(dir string) error {
	all, err := snapshots(dir)
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, snapshotsDir, ".new-*"))
	if err != nil {
		return err
	}
	for _, name := range all[:max(0, len(all)-snapshotKeep)] {
		left = append(left, filepath.Join(dir, snapshotsDir, name))
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// oldestCopy is the time of the oldest copy of the state in a data directory, snapshots and
// what a snapshot replaced; zero if there is none.
func oldestCopy(dir string) (oldest time.Time, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return oldest, nil
	}
	for _, e := range entries {
		at, parseErr := time.Parse(snapshotLayout, strings.TrimPrefix(e.Name(), "replaced-"))
		if parseErr == nil && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, err
}
