package boltstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/spoil"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

type dumper interface {
	Dump() (string, error)
	Close() error
}

// TestCorruptions damages files at random. None of them ends the process, and
// each is either named as damaged and not opened, or holds every record as it was.
func TestCorruptions(t *testing.T) {
	dir := t.TempDir()
	state, data := filepath.Join(dir, "agora.db"), filepath.Join(dir, "kv.db")
	fillState(t, state)
	fill(t, data, 250)
	for _, c := range []struct {
		path   string
		open   func(path string) (dumper, error)
		verify func(path string, rest func() error) []error
	}{
		{state, func(path string) (dumper, error) { return boltstore.Open(path, time.Now) }, boltstore.Verify},
		{data, func(path string) (dumper, error) { return boltstore.OpenKV(path, time.Now, nil) }, boltstore.VerifyKV},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			whole, err := os.ReadFile(c.path)
			if err != nil {
				t.Fatal(err)
			}
			dump := func(path string) (string, error) {
				s, err := c.open(path)
				if err != nil {
					return "", err
				}
				text, err := s.Dump()
				return text, errors.Join(err, s.Close())
			}
			want, err := dump(c.path)
			if err != nil {
				t.Fatal(err)
			}
			var named, harmless int
			seed := uint64(time.Now().UnixNano())
			for i := range spoil.Times(t) / 2 {
				bad, how := spoil.Bytes(rand.New(rand.NewPCG(seed, uint64(i))), whole)
				path := filepath.Join(t.TempDir(), "db")
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				problems := c.verify(path, nil)
				got, err := dump(path)
				switch {
				case len(problems) > 0 && errors.Is(err, storage.ErrCorrupt) && strings.Contains(err.Error(), path):
					named++
				case len(problems) == 0 && err == nil && got == want:
					harmless++
				default:
					t.Errorf("seed %d, %d: %s: found %v, opened %v, as it was: %v", seed, i, how, problems, err, got == want)
				}
			}
			t.Logf("%d damaged files were named and not opened, %d had damage in free space", named, harmless)
			if named == 0 {
				t.Error("nothing was found at all")
			}
		})
	}
}

func fillState(t *testing.T, path string) {
	t.Helper()
	s, err := boltstore.Open(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		_, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
			app := fmt.Sprintf("app-%d", i%40)
			tx.Emit("release.published", app, fmt.Sprint(i), map[string]string{"digest": strings.Repeat("d", i)})
			if i%10 == 9 {
				if err := tx.DeleteKey(fmt.Sprint("key-", i-9)); err != nil {
					return err
				}
			}
			return errors.Join(
				tx.PutApp(registry.App{Name: app, Title: strings.Repeat("t", i%90)}),
				tx.AddActivation(registry.Activation{App: app, Release: i}),
				tx.AddRelease(registry.Release{App: app, Number: i + 1}),
				tx.PutKey(registry.Key{Hint: fmt.Sprint("key-", i)}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var cells []metering.Cell
	for i := range 300 {
		cells = append(cells, metering.Cell{Key: metering.Key{Hour: time.Unix(int64(i)*3600, 0).UTC(), Tags: metering.Tags{App: "app-1"}}, Usage: metering.Usage{Calls: 1}})
	}
	if err := errors.Join(s.Merge(t.Context(), metering.Flush{Node: "n", Epoch: 1, Cells: cells}), s.Close()); err != nil {
		t.Fatal(err)
	}
}
