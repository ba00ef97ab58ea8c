//go:build linux && !race

package node_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agora-host/agora/internal/crashdisk"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/internal/strace"
	"github.com/agora-host/agora/node"
)

// TestPowerLossInRestore has the power go while a backup, or a snapshot, is
// restored. A directory that has its name is whole; what was restored in place is
// whole, or does not start and says what to do; and once it is done, it stays.
func TestPowerLossInRestore(t *testing.T) {
	n := shopNode(t)
	// What is billed since the snapshot is in journals alone.
	if err := n.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.SetApp(t.Context(), "shop", "k3", "later"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if got := n.get(n.AppURL("shop")); got.Body != "one" {
			t.Fatalf("%+v", got)
		}
	}
	backup := filepath.Join(t.TempDir(), "backup")
	n.backup(backup)
	n.stop()
	t.Run("backup", func(t *testing.T) {
		lossInRestore(t, backup, filepath.Join(realDir(t), "restored"), len("later"), nil)
	})
	t.Run("snapshot", func(t *testing.T) {
		lossInRestore(t, "latest", n.dir, 900, func(err error) bool { return errors.Is(err, storage.ErrCorrupt) })
	})
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// lossInRestore records a restore, which brings back a value of some size, and
// opens images of its steps. midway tells which errors may keep a node from
// starting before it is done.
func lossInRestore(t *testing.T, what, dir string, size int, midway func(error) bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Dir(dir)
	disk := crashdisk.New()
	readInto(t, disk, disk.Root, parent)
	disk.Synced()
	cmd := command(t, dir)
	cmd.Env = append(cmd.Env, ownRestore+"="+what)
	recording, err := strace.Record(cmd)
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	recording.Started()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	events, err := recording.Events()
	if err != nil {
		t.Fatal(err)
	}
	p := &strace.Player{Dir: parent, Disk: disk}
	images, to := 0, filepath.Join(t.TempDir(), "image")
	lose := func(done bool) error {
		images++
		seed := rand.Uint64()
		defer os.RemoveAll(to)
		if err := disk.AfterPowerLoss(rand.New(rand.NewPCG(seed, 1))).Root.CopyTo(to); err != nil {
			return err
		}
		sizes := []int{size}
		if midway != nil && !done {
			sizes = append(sizes, len("later")) // as it was before
		}
		if err := restored(t, filepath.Join(to, filepath.Base(dir)), sizes...); err != nil && (done || midway == nil && !os.IsNotExist(err) || midway != nil && !midway(err)) {
			return fmt.Errorf("after step %d, seed %d: %w", p.Steps, seed, err)
		}
		return nil
	}
	err = p.Play(events, func(e strace.Event) error {
		if rand.IntN(4) == 0 || e.Name == "renameat" {
			return lose(false)
		}
		return nil
	})
	for i := 0; i < 30 && err == nil; i++ {
		err = lose(true)
	}
	if err != nil {
		t.Error(err)
	}
	differ(t, parent, disk.Root)
	t.Logf("%d images of %d steps", images, p.Steps)
}

// readInto has a disk begin with what is in a directory.
func readInto(t *testing.T, disk *crashdisk.Disk, dir *crashdisk.Dir, path string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var n crashdisk.Node
		if from := filepath.Join(path, e.Name()); e.IsDir() {
			made := disk.NewDir()
			readInto(t, disk, made, from)
			n = made
		} else {
			raw, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			n = crashdisk.NewFile(raw)
		}
		if err := dir.Link(e.Name(), n); err != nil {
			t.Fatal(err)
		}
	}
}

// restored opens a directory, which has all that shopNode and seven calls left, and
// a value of one of the sizes.
func restored(t *testing.T, dir string, sizes ...int) (err error) {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	ctx, o := t.Context(), node.Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}
	h, err := node.OpenData(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Stop(ctx)) }()
	checks, err := h.CheckData(ctx)
	for _, c := range checks {
		if !c.OK {
			err = errors.Join(err, fmt.Errorf("%s: %s %+v", c.Name, c.Detail, c.Damage))
		}
	}
	if billed, e := h.BilledCalls(ctx); e != nil || billed != 7 {
		err = errors.Join(err, e, fmt.Errorf("%d calls are billed, of 7", billed))
	}
	if value, e := h.GetApp(ctx, "shop", "k3"); e != nil || !slices.Contains(sizes, len(value)) {
		err = errors.Join(err, e, fmt.Errorf("a value has %d bytes", len(value)))
	}
	if number, e := h.Serves(ctx, "shop"); e != nil || number != 1 {
		err = errors.Join(err, e, fmt.Errorf("shop serves release %d", number))
	}
	return err
}
