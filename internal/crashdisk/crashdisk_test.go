package crashdisk_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agora-host/agora/internal/crashdisk"
)

const sector = 512

// TestWhatMaySurvive writes at random and compares every sector of what is left
// with all that it was since the last sync: none is anything else, and each way to
// lose is met.
func TestWhatMaySurvive(t *testing.T) {
	met := map[string]bool{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := crashdisk.NewFile(bytes.Repeat([]byte{'.'}, r.IntN(20_000)))
		states := [][]byte{f.Bytes()}
		for n := range 1 + r.IntN(6) {
			if r.IntN(5) == 0 {
				f.Truncate(int64(r.IntN(25_000))).End()
			} else {
				f.WriteAt(bytes.Repeat([]byte{byte('a' + n)}, 1+r.IntN(9000)), int64(r.IntN(20_000))).End()
			}
			states = append(states, f.Bytes())
		}
		if r.IntN(3) == 0 {
			f.EndSync(f.BeginSync())
			states = states[len(states)-1:]
		}
		d := crashdisk.New()
		if err := d.Root.Link("f", f); err != nil {
			t.Fatal(err)
		}
		d.Root.EndSync(d.Root.BeginSync())
		left := d.AfterPowerLoss(r).Root.Node("f").(*crashdisk.File).Bytes()
		if !slices.ContainsFunc(states, func(s []byte) bool { return len(s) == len(left) }) {
			t.Fatalf("seed %d: %d bytes are left, and the file never had that many", seed, len(left))
		}
		for at := 0; at < len(left); at += sector {
			end := min(at+sector, len(left))
			if !slices.ContainsFunc(states, func(s []byte) bool { return bytes.Equal(padded(s, at, end), left[at:end]) }) {
				t.Fatalf("seed %d: the sector at %d is %q…, which it never was", seed, at, left[at:min(at+8, end)])
			}
		}
		switch n := slices.IndexFunc(states, func(s []byte) bool { return bytes.Equal(s, left) }); {
		case n < 0:
			met["a mixture"] = true
		case n == 0 && len(states) > 1:
			met["nothing"] = true
		case n == len(states)-1 && n > 0:
			met["everything"] = true
		case n > 0:
			met["a part, in order"] = true
		}
	}
	if len(met) != 4 {
		t.Errorf("in 400 losses only %v was met", met)
	}
}

// padded is a part of a file that may have been shorter.
func padded(s []byte, from, to int) []byte {
	b := make([]byte, to-from)
	if from < len(s) {
		copy(b, s[from:min(to, len(s))])
	}
	return b
}

// TestSync: a sync covers what had ended when it began, and nothing else.
func TestSync(t *testing.T) {
	f := crashdisk.NewFile([]byte("one"))
	before := f.WriteAt([]byte("two"), 0)
	before.End()
	running := f.WriteAt([]byte("TWO"), 0)
	covered := f.BeginSync()
	running.End()
	f.WriteAt([]byte("six"), 3).End()
	f.EndSync(covered)
	d := crashdisk.New()
	if err := d.Root.Link("f", f); err != nil {
		t.Fatal(err)
	}
	d.Root.EndSync(d.Root.BeginSync())
	seen := map[string]bool{}
	for seed := range uint64(300) {
		left := d.AfterPowerLoss(rand.New(rand.NewPCG(seed, 1))).Root.Node("f").(*crashdisk.File).Bytes()
		seen[string(left)] = true
	}
	for text := range seen {
		if len(text) < 3 || text[:3] == "one" {
			t.Errorf("%q: the write before the sync is lost", text)
		}
	}
	for _, want := range []string{"two", "TWOsix"} {
		if !seen[want] {
			t.Errorf("%q was never left: the sync covers what it should not", want)
		}
	}
}

// TestNames: what a directory loses, it loses from some moment on; a rename
// between two is in both or in neither.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(300) {
		d := crashdisk.New()
		a, b := d.NewDir(), d.NewDir()
		link := func(dir *crashdisk.Dir, name string, n crashdisk.Node) {
			if err := dir.Link(name, n); err != nil {
				t.Fatal(err)
			}
		}
		link(d.Root, "a", a)
		link(d.Root, "b", b)
		link(a, "1", crashdisk.NewFile([]byte("1")))
		d.Synced()
		link(a, "2", crashdisk.NewFile([]byte("2")))
		if err := a.Rename("1", b, "1"); err != nil {
			t.Fatal(err)
		}
		link(b, "3", crashdisk.NewFile([]byte("3")))
		left := d.AfterPowerLoss(rand.New(rand.NewPCG(seed, 1))).Root
		seen[fmt.Sprint(left.Node("a").(*crashdisk.Dir).Names(), left.Node("b").(*crashdisk.Dir).Names())] = true
	}
	want := map[string]bool{"[1] []": true, "[1 2] []": true, "[2] [1]": true, "[2] [1 3]": true}
	for s := range seen {
		if !want[s] {
			t.Errorf("%s may not be left", s)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("only %v was left", seen)
	}
}

// TestCopyTo: what is written to a real directory is what the disk has.
func TestCopyTo(t *testing.T) {
	d := crashdisk.New()
	dir := d.NewDir()
	f := crashdisk.NewFile(nil)
	f.Truncate(10_000).End()
	f.WriteAt([]byte("text"), 5000).End()
	if err := dir.Link("f", f); err != nil {
		t.Fatal(err)
	}
	if err := d.Root.Link("dir", dir); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "x")
	if err := d.Root.CopyTo(to); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(to, "dir", "f"))
	if err != nil || !bytes.Equal(raw, f.Bytes()) || len(raw) != 10_000 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
