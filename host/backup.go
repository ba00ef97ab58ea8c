package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/archive"
	"github.com/agora-host/agora/host/internal/boltstore"
)

// notBackedUp is what a backup leaves out: what is made anew, other copies, logs and samples of
// calls, of which little is kept anyway, and what is of this process alone.
var notBackedUp = []string{cacheDir, snapshotsDir, logsDir, samplesDir, startsFile}

// copier is a store that can be copied while it is used.
type copier interface {
	Copy(ctx context.Context, take boltstore.CopyFunc) error
}

// Backup writes everything that the node keeps, as it is at this moment, while it
// goes on serving. One runs at a time; others wait.
//
// The order makes the parts fit: what a journal loses meanwhile is in the state,
// which is copied after it; what the state names is among the blobs, which are
// listed after it. Usage that is in both counts once, since cells are merged by
// maximum.
func (h *Host) Backup(ctx context.Context, w io.Writer) error {
	actor, err := h.allow(ctx, access.RoleOperator)
	if err != nil {
		return err
	}
	if err := h.beginCopy(ctx); err != nil {
		return err
	}
	defer h.endCopy()
	defer h.files.Hold()() // the apps' files are copied after the list of them
	h.log.InfoContext(ctx, "a backup begins", "user", actor.User)
	stores := func(a *archive.Writer, p *pace) error {
		for _, f := range storeFiles {
			err := f.copy(h).Copy(ctx, func(size int64, write func(io.Writer) error) error {
				return a.Add(f.name, size, func(w io.Writer) error { return write(pacedWriter{w, p}) })
			})
			if err != nil {
				return fmt.Errorf("copy the %s: %w", f.about, err)
			}
		}
		return nil
	}
	a := archive.NewWriter(w, h.o.Now(), h.o.Version)
	if err := writeArchive(ctx, a, h.o.DataDir, newPace(ctx, h.resting), stores); err != nil {
		return err
	}
	h.log.InfoContext(ctx, "a backup is complete", "user", actor.User)
	return nil
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
		unlock, err := boltstore.Lock(path)
		if err != nil {
			return err
		}
		defer unlock()
		if damaged := f.verify(path, nil); len(damaged) > 0 {
			return &boltstore.DamagedError{Path: path, Damage: damaged}
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

func (h *Host) beginCopy(ctx context.Context) error {
	select {
	case h.copying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Host) endCopy() { <-h.copying }
