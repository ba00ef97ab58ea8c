package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/meteringtest"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/store/boltstore"
)

func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStoreConforms(t *testing.T) {
	n := 0
	dir := t.TempDir()
	statetest.TestStore(t, func(now func() time.Time) (state.Store, func()) {
		n++
		s, err := boltstore.Open(filepath.Join(dir, fmt.Sprint(n)), now)
		if err != nil {
			t.Fatal(err)
		}
		return s, func() {
			if problems := s.Check(context.Background()); len(problems) > 0 {
				t.Error(problems)
			}
			_ = s.Close()
		}
	})
}

func TestMeteringConforms(t *testing.T) {
	meteringtest.TestStore(t, func(t *testing.T) metering.Store { return open(t, filepath.Join(t.TempDir(), "db")) })
}

// TestRevisions: many writers at once, some of which fail, make revisions and
// events without gaps, in one order, and watchers see each.
func TestRevisions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, err := s.Update(t.Context(), fmt.Sprint(w), func(tx state.Tx) error {
					tx.Emit("test", "a", strconv.Itoa(i), nil)
					tx.Emit("test", "a", strconv.Itoa(i), nil)
					if i%3 == 0 {
						return errors.New("no")
					}
					return nil
				})
				if (err != nil) != (i%3 == 0) {
					t.Error(err)
				}
			}
		})
	}
	const committed = writers * (each - (each+2)/3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Wait(ctx, committed-1); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	events, err := s.Events(t.Context(), state.EventQuery{After: 0, Limit: 10_000})
	if err != nil || len(events) != 2*committed {
		t.Fatalf("%d events, %v; want %d", len(events), err, 2*committed)
	}
	for i, e := range events {
		if e.Rev != abi.Rev(i/2+1) || e.Seq != i%2 {
			t.Fatalf("event %d is revision %d, %d", i, e.Rev, e.Seq)
		}
	}
	if later, err := s.Events(t.Context(), state.EventQuery{After: committed - 1, Limit: 10}); err != nil || len(later) != 2 {
		t.Errorf("events after the last but one: %v, %v", later, err)
	}
	if problems := s.Check(t.Context()); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestDamageIsFound: a record whose bytes were changed is named, and not used.
func TestDamageIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	const marker = "a title that stands out"
	if _, err := s.Update(t.Context(), "x", func(tx state.Tx) error {
		return tx.PutApp(registry.App{Name: "a", Title: marker})
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(strings.ReplaceAll(string(raw), marker, "a title that stood out!"))
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	named := `app "a"`
	if _, err := boltstore.Open(path, time.Now); !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), named) || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file was opened: %v", err)
	}
	// The same while the store is open: the disk changes under it.
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx state.Reader) error { _, err := tx.App("a"); return err })
	if !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a damaged record was read: %v", err)
	}
	if problems := s.Check(t.Context()); len(problems) != 1 || !strings.Contains(problems[0].Error(), named) {
		t.Errorf("the check says %v", problems)
	}
}

// TestKill kills a process that writes as fast as it can: what it had
// acknowledged is there, and everything is whole.
func TestKill(t *testing.T) {
	if dir := os.Getenv("BOLTSTORE_TEST_DIR"); dir != "" {
		writeForEver(t, dir)
		return
	}
	dir := t.TempDir()
	for range 4 {
		acknowledged := killWriter(t, dir)
		s := open(t, filepath.Join(dir, "db"))
		rev, err := s.Rev(t.Context())
		if err != nil || rev < acknowledged || rev > acknowledged+1 {
			t.Fatalf("revision %d, %v; acknowledged %d", rev, err, acknowledged)
		}
		events, err := s.Events(t.Context(), state.EventQuery{After: 0, Limit: 1_000_000})
		if err != nil || abi.Rev(len(events)) != rev {
			t.Errorf("%d events for revision %d, %v", len(events), rev, err)
		}
		if problems := s.Check(t.Context()); len(problems) > 0 {
			t.Error(problems)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeForEver(t *testing.T, dir string) {
	s := open(t, filepath.Join(dir, "db"))
	for {
		rev, err := s.Update(t.Context(), "x", func(tx state.Tx) error {
			tx.Emit("test", "a", "", nil)
			return tx.PutApp(registry.App{Name: "a", Releases: 1})
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(rev)
	}
}

func killWriter(t *testing.T, dir string) (last abi.Rev) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKill$")
	cmd.Env = append(os.Environ(), "BOLTSTORE_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			continue
		}
		if last == 0 { // it writes: now it has a moment left
			timer := time.AfterFunc(100*time.Millisecond, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
		last = abi.Rev(n)
	}
	_ = cmd.Wait()
	if last == 0 {
		t.Fatal("the writer wrote nothing")
	}
	return last
}
