package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/node/internal/archive"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// restoreLimits bound what a file that calls itself a backup may write.
var restoreLimits = archive.Limits{Bytes: 1 << 40, Members: 10_000_000}

// Contents says what a backup holds.
type Contents struct {
	Made    time.Time `json:"made"`
	Version string    `json:"version"` // of the agora that made it
	Files   int       `json:"files"`
	Bytes   int64     `json:"bytes"`
}

// VerifyBackup does all that Restore does, in a temporary directory, and throws
// the result away.
func VerifyBackup(ctx context.Context, file string) (Contents, error) {
	dir, contents, err := unpack(ctx, file, os.TempDir())
	if err != nil {
		return contents, err
	}
	return contents, os.RemoveAll(dir)
}

// Restore makes a data directory of a backup. It checks the whole backup before
// it writes, and the result before it gets its name: dir is there entirely or
// not at all. It must not exist, or be empty.
func Restore(ctx context.Context, file, dir string) (Contents, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Contents{}, err
	}
	if len(entries) > 0 {
		return Contents{}, fmt.Errorf("%s is not empty: restore into a directory that does not exist, and move it in place of the other when the node is stopped", dir)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return Contents{}, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return Contents{}, err
	}
	staging, contents, err := unpack(ctx, file, parent)
	if err != nil {
		return contents, err
	}
	// The files are durable, and now their names are: before the one that says that
	// all of it is there.
	if err := durable.SyncTree(staging); err != nil {
		return contents, errors.Join(err, os.RemoveAll(staging))
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return contents, errors.Join(err, os.RemoveAll(staging))
	}
	if err := os.Rename(staging, dir); err != nil {
		return contents, errors.Join(err, os.RemoveAll(staging))
	}
	return contents, durable.SyncDir(parent)
}

// unpack reads a backup twice: once to know that it is whole, and once to write
// it into a new directory below parent, which it checks.
func unpack(ctx context.Context, file, parent string) (dir string, c Contents, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", c, err
	}
	defer f.Close()
	manifest, err := archive.Read(f, restoreLimits, func(string, int64, io.Reader) error { return ctx.Err() })
	if err != nil {
		return "", c, fmt.Errorf("%s: %w", file, err)
	}
	c = Contents{manifest.Made, manifest.Version, len(manifest.Members), manifest.Size()}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", c, err
	}
	if dir, err = os.MkdirTemp(parent, ".agora-restore-*"); err != nil {
		return "", c, err
	}
	if err := fill(ctx, f, dir); err != nil {
		return "", c, errors.Join(fmt.Errorf("%s: %w", file, err), os.RemoveAll(dir))
	}
	return dir, c, nil
}

func fill(ctx context.Context, f io.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // no name leads out of it, whatever it is
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = archive.Read(f, restoreLimits, func(name string, _ int64, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return writeBelow(root, name, r)
	})
	if err != nil {
		return err
	}
	if err := checkRestored(ctx, dir); err != nil {
		return err
	}
	return settle(ctx, dir)
}

// settle brings the usage of the journals to the state, ends the node's last
// epoch, and takes the node's id away: whoever starts here is another node, also
// when the first one lives on, and neither bills what the other did.
func settle(ctx context.Context, dir string) error {
	log := slog.New(slog.DiscardHandler)
	file, err := boltstore.Open(filepath.Join(dir, stateFile), time.Now)
	if err != nil {
		return err
	}
	meter, err := openMeter(ctx, Options{DataDir: dir, Now: time.Now}, file, log, nil)
	if err != nil {
		return errors.Join(fmt.Errorf("read the journals in it: %w", err), file.Close())
	}
	err = errors.Join(meter.Close(ctx), endEpochs(ctx, dir, file), file.Close())
	if err != nil {
		return fmt.Errorf("settle the usage in it: %w", err)
	}
	return os.Remove(filepath.Join(dir, nodeFile))
}

// endEpochs ends all epochs, whose journals are in the state now.
func endEpochs(ctx context.Context, dir string, file *boltstore.Store) error {
	epochs, err := file.Epochs(ctx)
	if err != nil {
		return err
	}
	for _, e := range epochs {
		if e.Ended {
			continue
		}
		if err := file.Merge(ctx, metering.Flush{Node: e.Node, Epoch: e.Number, Ended: true}); err != nil {
			return err
		}
	}
	journals, err := filepath.Glob(filepath.Join(dir, journalDir, "*.journal"))
	for _, path := range journals {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func writeBelow(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkRestored reads what a node would read, and refuses what a node would.
func checkRestored(ctx context.Context, dir string) error {
	if err := complete(dir); err != nil {
		return err
	}
	for _, s := range storeFiles {
		at := filepath.Join(dir, s.name)
		if damaged := s.verify(at, nil); len(damaged) > 0 {
			return fmt.Errorf("the %s in it is damaged, and was when the backup was made: %w", s.about, damaged[0])
		}
	}
	blobs, err := blobstore.Open(filepath.Join(dir, blobsDir))
	if err != nil {
		return err
	}
	if _, damaged := blobs.Check(ctx); len(damaged) > 0 {
		return fmt.Errorf("a module in it is damaged, and was when the backup was made: %w", damaged[0])
	}
	return nil
}

// RestoreSnapshot puts the stores of a snapshot ("latest" or its name) in place of
// a stopped node's, and keeps those that it replaces beside them. It returns the
// snapshot's name and where the replaced files are. Usage since then is in the
// journals that are kept, and is counted again at the next start.
func RestoreSnapshot(ctx context.Context, dir, name string) (string, []string, error) {
	name, err := findSnapshot(dir, name)
	if err != nil {
		return "", nil, err
	}
	from := filepath.Join(dir, snapshotsDir, name)
	for _, s := range storeFiles {
		if damaged := s.verify(filepath.Join(from, s.name), nil); len(damaged) > 0 {
			return name, nil, fmt.Errorf("the snapshot is damaged, too: %w", damaged[0])
		}
		unlock, err := checked.Lock(filepath.Join(dir, s.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return name, nil, err
		}
		defer unlock()
	}
	var kept []string
	aside := filepath.Join(dir, snapshotsDir, "replaced-"+time.Now().UTC().Format(snapshotLayout))
	if err := durable.MakeDir(dir, aside); err != nil {
		return name, nil, err
	}
	for _, s := range storeFiles {
		if err := ctx.Err(); err != nil {
			return name, kept, err
		}
		was, err := replace(filepath.Join(from, s.name), filepath.Join(dir, s.name), filepath.Join(aside, s.name))
		if err != nil {
			return name, kept, err
		}
		kept = append(kept, was...)
	}
	disk, err := journal.Disk(filepath.Join(dir, journalDir))
	if err != nil {
		return name, kept, err
	}
	if _, err := metering.Recall(disk); err != nil {
		return name, kept, fmt.Errorf("the stores are restored; usage since then is not: %w", err)
	}
	return name, kept, durable.SyncDir(dir)
}

// replace copies a file in place of another, which goes to aside.
func replace(from, to, aside string) (kept []string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), ".restore-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	if _, err := io.Copy(temp, in); err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	switch err := os.Rename(to, aside); {
	case err == nil:
		kept = []string{aside}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return kept, os.Rename(temp.Name(), to)
}
