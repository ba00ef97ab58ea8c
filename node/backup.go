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

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/node/internal/archive"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// notBackedUp is what a backup leaves out: what is made anew, other copies, logs and samples of
// calls, of which little is kept anyway, and what is of this process alone.
var notBackedUp = []string{cacheDir, snapshotsDir, logsDir, samplesDir, startsFile}

// copier is a store that can be copied while it is used.
type copier interface {
	Copy(ctx context.Context, take checked.CopyFunc) error
}

// Backup writes everything that the node keeps, as it is at this moment, while it
// goes on serving. No reader holds it up: the stores are copied aside first, and a
// store's transaction, which keeps its file from reusing what is freed, ends before the
// reader sees the copy. Only as many run as there are places; others are refused.
//
// The order makes the parts fit: what a journal loses meanwhile is in the state,
// which is copied after it; what the state names is among the blobs, which are
// listed after it. Usage that is in both counts once, since cells are merged by
// maximum.
func (u *Upkeep) Backup(ctx context.Context, w io.Writer) error {
	actor := access.ActorFrom(ctx)
	if err := access.MayBackUp(actor, u.now()); err != nil {
		return err
	}
	done, err := u.places.Take(ctx, actor.User, 1, 0)
	if err != nil {
		return err
	}
	defer done()
	defer u.files.Hold()() // the apps' files are copied after the list of them
	if err := u.noteBackup(ctx, actor); err != nil {
		return err
	}
	brisk := &briskWriter{w: w}
	stores := func(a *archive.Writer, p *pace) error {
		if err := u.roomFor(); err != nil {
			u.log.WarnContext(ctx, "a backup copies the stores to its reader, and not aside", "err", err)
			return u.copyThrough(ctx, a, p, brisk)
		}
		return u.copyAside(ctx, a, p)
	}
	a := archive.NewWriter(brisk, u.now(), u.version)
	if err := writeArchive(ctx, a, u.dir, newPace(ctx, u.resting), stores); err != nil {
		return err
	}
	u.log.InfoContext(ctx, "a backup is complete", "user", actor.User)
	return nil
}

// noteBackup tells operators of a backup before its first byte leaves: it holds the node's keys.
// On a disk that takes no change the backup is made all the same, since it is what helps then, and
// stands in the log.
func (u *Upkeep) noteBackup(ctx context.Context, actor access.Actor) error {
	u.log.InfoContext(ctx, "a backup begins", "user", actor.User, "via", actor.Via)
	_, err := u.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		tx.Emit("backup.read", "", actor.User, map[string]string{"via": string(actor.Via)})
		return nil
	})
	if errors.Is(err, storage.ErrUnwritable) {
		u.log.WarnContext(ctx, "a backup could not be noted in the feed", "user", actor.User, "err", err)
		return nil
	}
	return err
}

const (
	backupsAtOnce = 2
	asideFiles    = ".backup-*" // a name with a dot: no backup takes it for data
)

// copyAside copies the stores to files without a name, and then to the archive: what a
// killed process leaves of them is nothing.
func (u *Upkeep) copyAside(ctx context.Context, a *archive.Writer, p *pace) error {
	var copies []*os.File
	defer func() {
		for _, f := range copies {
			_ = f.Close()
		}
	}()
	aside := func(_ *archive.Writer, s storeFile) error {
		f, err := os.CreateTemp(u.dir, asideFiles)
		if err != nil {
			return err
		}
		copies = append(copies, f)
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
		return s.copy(u.stores).Copy(ctx, func(_ int64, write func(io.Writer) error) error { return write(pacedWriter{f, p}) })
	}
	if err := u.eachStore(ctx, a, aside); err != nil {
		return err
	}
	for i, s := range storeFiles {
		size, err := copies[i].Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		err = a.Add(s.name, size, func(w io.Writer) error {
			_, err := io.Copy(pacedWriter{w, p}, io.NewSectionReader(copies[i], 0, size))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// copyThrough copies the stores to the archive, for a disk without room for copies: whoever
// has little room needs a backup most. Its reader has to be brisk then.
func (u *Upkeep) copyThrough(ctx context.Context, a *archive.Writer, p *pace, reader *briskWriter) error {
	reader.begin()
	defer reader.end()
	return u.eachStore(ctx, a, func(a *archive.Writer, s storeFile) error {
		return s.copy(u.stores).Copy(ctx, func(size int64, write func(io.Writer) error) error {
			return a.Add(s.name, size, func(w io.Writer) error { return write(pacedWriter{w, p}) })
		})
	})
}

// eachStore copies one store after the other, while no snapshot does.
func (u *Upkeep) eachStore(ctx context.Context, a *archive.Writer, copy func(*archive.Writer, storeFile) error) error {
	if err := u.beginCopy(ctx); err != nil {
		return err
	}
	defer u.endCopy()
	for _, s := range storeFiles {
		if err := copy(a, s); err != nil {
			return fmt.Errorf("copy the %s: %w", s.about, err)
		}
	}
	return nil
}

// A reader that holds a store's transaction open takes this much, or is given up.
const (
	briskAfter  = 10 * time.Second
	briskEnough = 1 << 20 // bytes a second
)

// briskWriter gives a reader up that is slow while it has to be brisk. The time that the reader
// takes counts, not that of the node.
type briskWriter struct {
	w       io.Writer
	hurried bool
	took    time.Duration
	written int64
}

func (b *briskWriter) begin() { b.hurried, b.took, b.written = true, 0, 0 }
func (b *briskWriter) end()   { b.hurried = false }

func (b *briskWriter) Write(p []byte) (int, error) {
	if b.hurried && b.took > briskAfter && b.written < int64(b.took.Seconds()*briskEnough) {
		return 0, fmt.Errorf("the reader took %d bytes in %s, which is too slow while the disk has no room to copy the stores aside: make room, or read faster", b.written, b.took.Round(time.Second))
	}
	began := time.Now()
	n, err := b.w.Write(p)
	b.took += time.Since(began)
	b.written += int64(n)
	return n, err
}

// forgetAside removes what a process left that was killed before it took a copy's name away.
func forgetAside(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, asideFiles))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// BackupDir is Backup of a node that does not run. It refuses what is damaged: a
// backup is for what can be restored.
func BackupDir(ctx context.Context, o Options, w io.Writer) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if err := complete(o.DataDir); err != nil {
		return err
	}
	for _, f := range storeFiles {
		path := filepath.Join(o.DataDir, f.name)
		unlock, err := checked.Lock(path)
		if err != nil {
			return err
		}
		defer unlock()
		if damaged := f.verify(path, nil); len(damaged) > 0 {
			return &checked.DamagedError{Path: path, Damage: damaged}
		}
	}
	a := archive.NewWriter(w, o.Now(), o.Version)
	return writeArchive(ctx, a, o.DataDir, nil, func(a *archive.Writer, _ *pace) error {
		for _, f := range storeFiles {
			if err := a.AddFile(f.name, filepath.Join(o.DataDir, f.name), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeArchive writes the journals, then the stores, then all other files.
func writeArchive(ctx context.Context, a *archive.Writer, dir string, p *pace, stores func(*archive.Writer, *pace) error) error {
	if err := addFiles(ctx, a, dir, p, func(name string) bool { return strings.HasPrefix(name, journalDir+"/") }); err != nil {
		return err
	}
	if err := stores(a, p); err != nil {
		return err
	}
	err := addFiles(ctx, a, dir, p, func(name string) bool {
		top, _, _ := strings.Cut(name, "/")
		return top != journalDir && !slices.Contains(notBackedUp, top) &&
			!slices.ContainsFunc(storeFiles, func(f storeFile) bool { return f.name == name })
	})
	if err != nil {
		return err
	}
	return a.Close()
}

// addFiles adds what is in a directory now, but for unfinished files, whose names
// begin with a dot. A file that is gone when its turn comes was replaced by what
// comes later in the backup.
func addFiles(ctx context.Context, a *archive.Writer, dir string, p *pace, take func(name string) bool) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		rel, relErr := filepath.Rel(dir, path)
		name := filepath.ToSlash(rel)
		switch {
		case err != nil, relErr != nil:
			return relErr
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular() || !take(name):
			return ctx.Err()
		}
		err = a.AddFile(name, path, func(w io.Writer) io.Writer { return pacedWriter{w, p} })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ctx.Err()
	})
}
