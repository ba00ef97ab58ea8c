package node_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/spoil"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/node"
)

// image is a data directory as kill -9 leaves it, and what is true of it.
type image struct {
	files   map[string][]byte // by path below the directory
	kinds   map[string][]string
	flushed map[string]map[string]uint64 // by journal in use and app: calls that are in the state
	truth   state
}

// state is what a node says that started in a directory: what is billed, and what
// apps' files hold.
type state struct {
	billed map[string]metering.Usage // by app; calls and counts
	blobs  map[string]string         // "" if it was refused
}

// more tells that something is billed that was not used.
func (s state) more(than state) bool {
	for app, u := range s.billed {
		if !u.Less(than.billed[app]).IsZero() {
			return true
		}
	}
	return false
}

func (s state) equal(o state) bool {
	return !s.more(o) && !o.more(s) && maps.Equal(s.blobs, o.blobs)
}

var blobSizes = map[string]int{"a": 1, "b": 700, "c": 5000, "d": 70_000, "e": 300_000}

// images runs a node through four lives. The first image has journals that are
// kept, and one in use of which a part is in the state; the second one that was
// closed and is not put away, and one of which nothing is in the state.
func images(t *testing.T) []image {
	t.Helper()
	dir := t.TempDir()
	var urls []string
	life := func(calls int) *testNode {
		n := startIn(t, dir, func(o *node.Options) { o.FlushEvery = time.Hour })
		if urls == nil {
			urls = []string{n.publish(n.ada(), manifest("shop"), says("one")).URL, n.publish(n.ada(), manifest("swift", `durability = "process"`), says("two")).URL}
			as := access.WithActor(t.Context(), access.Actor{User: ada, Roles: []access.Role{access.RoleDeveloper}})
			if _, err := n.SetSecret(as, "shop", "token", []byte("hush")); err != nil {
				t.Fatal(err)
			}
			for name, size := range blobSizes {
				if err := n.PutFile(t.Context(), "shop", name, bytes.Repeat([]byte(name), size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		n.calls(urls, calls)
		return n
	}
	for range 2 {
		n := life(30)
		n.healthy() // flushes, and puts the journal of the life before away
		n.stop()
	}
	n := life(60)
	n.healthy()
	flushed := read(t, dir)
	n.calls(urls, 60)
	first := imageOf(t, dir, flushed)
	n.stop()
	closed := read(t, dir)
	n = life(60)
	second := imageOf(t, dir, closed)
	n.stop()
	return []image{first, second}
}

// calls makes calls, most of them to the app whose calls need not outlive a loss
// of power.
func (n *testNode) calls(urls []string, times int) {
	n.t.Helper()
	for i := range times {
		if got := n.get(n.AppURL([]string{"shop", "swift", "swift"}[i%3])); got.Status != 200 {
			n.t.Fatalf("%s: %+v", urls, got)
		}
	}
}

// imageOf takes an image. flushed is the directory when the state had the calls
// that it has.
func imageOf(t *testing.T, dir string, flushed map[string][]byte) image {
	t.Helper()
	im := image{files: read(t, dir), kinds: map[string][]string{}, flushed: map[string]map[string]uint64{}}
	for name := range im.files {
		switch base := filepath.Base(name); {
		case strings.HasSuffix(base, ".journal.gz"):
			im.kinds["kept"] = append(im.kinds["kept"], name)
		case strings.HasSuffix(base, ".journal"):
			im.kinds["journal"] = append(im.kinds["journal"], name)
			im.flushed[name] = provenCalls(flushed[name])
		case strings.HasPrefix(name, "files/"):
			im.kinds["file"] = append(im.kinds["file"], name)
		case strings.HasPrefix(name, "blobs/"):
			im.kinds["blob"] = append(im.kinds["blob"], name)
		case name == "node":
			im.kinds["node"] = append(im.kinds["node"], name)
		case name == "secret.keys":
			im.kinds["secrets"] = append(im.kinds["secrets"], name)
		case name == "trust/authority.pem":
			im.kinds["trust"] = append(im.kinds["trust"], name)
		}
	}
	for _, names := range im.kinds {
		slices.Sort(names)
	}
	if len(im.kinds) != 7 {
		t.Fatalf("%v", im.kinds)
	}
	copied := im.write(t)
	n := startIn(t, copied)
	im.truth = n.told()
	n.healthy()
	n.stop()
	return im
}

// read returns all files below a directory but those that are made anew.
func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			if slices.Contains([]string{"cache", "logs", "samples", "snapshots"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (im image) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, b := range im.files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// told asks a node for all that it bills and keeps, once the books are made.
func (n *testNode) told() state {
	n.t.Helper()
	ctx := access.WithActor(n.t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator, access.RoleViewer}})
	now := time.Now().UTC().Truncate(time.Hour)
	r, err := n.Usage(ctx, metering.Query{From: now.Add(-48 * time.Hour), To: now.Add(48 * time.Hour), By: []string{"app"}})
	if err != nil {
		n.t.Fatal(err)
	}
	s := state{map[string]metering.Usage{}, map[string]string{}}
	for _, row := range r.Rows {
		s.billed[row.Group["app"]] = metering.Usage{Calls: row.Calls, Counts: row.Counts}
	}
	for name := range blobSizes {
		b, err := n.GetFile(ctx, "shop", name)
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			n.t.Errorf("blob %s: %v", name, err)
		}
		s.blobs[name] = string(b)
	}
	return s
}

// tells says whether a report names a file: as damaged, or as worth knowing. A
// journal may have got another name, which begins as its first one did.
func tells(checks []node.Check, path string) bool {
	if name := filepath.Base(path); filepath.Base(filepath.Dir(path)) == "journal" {
		path = name[:16]
	}
	for _, c := range checks {
		if strings.Contains(c.Detail, path) {
			return true
		}
		for _, d := range c.Damage {
			if !c.OK && c.Remedy.Summary != "" && strings.Contains(d.File, path) {
				return true
			}
		}
	}
	return false
}

// endIsGone tells that a journal is what it was some calls before, and that it was
// never closed. A node that was killed then leaves the same.
func endIsGone(whole, bad []byte) bool {
	_, was, _ := journal.Read(bytes.NewReader(whole), func(journal.Record, bool) error { return nil })
	_, is, err := journal.Read(bytes.NewReader(bad), func(journal.Record, bool) error { return nil })
	return err == nil && !was.Closed && !is.Torn && is.Last < was.Last && bytes.Equal(whole[:is.Whole], bad[:is.Whole])
}

// provenCalls counts what a journal proves, by app.
func provenCalls(raw []byte) map[string]uint64 {
	n := map[string]uint64{}
	_, _ = metering.ReadJournal("x.journal", bytes.NewReader(raw), func(e metering.Entry) error {
		if e.Kind == metering.EntryCall && e.Proven {
			n[e.App]++
		}
		return nil
	})
	return n
}

// billable returns the calls that have to be billed when a journal in use is bad:
// those that it proves or that were in the state before, no more and no fewer.
// short tells that it has not even the latter.
func (im image) billable(name string, bad []byte) (calls map[string]uint64, short bool) {
	was, is, stored := provenCalls(im.files[name]), provenCalls(bad), im.flushed[name]
	calls = map[string]uint64{}
	for app, u := range im.truth.billed {
		calls[app] = u.Calls - was[app] + max(is[app], stored[app])
		short = short || is[app] < stored[app]
	}
	return calls, short
}

// meaning is what of a file's bytes has a meaning; nil if it has none.
func meaning(kind string, b []byte) []byte {
	switch kind {
	case "kept":
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return nil
		}
		return raw
	case "secrets":
		var keys struct {
			Keys []struct {
				ID  string
				Key []byte
			}
		}
		if json.Unmarshal(b, &keys) != nil {
			return nil
		}
		return fmt.Append(nil, keys)
	case "trust":
		var all []byte
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil { // it has the public key, too, which is not read
				block.Bytes, _ = k.(*ecdsa.PrivateKey).Bytes()
			}
			all = append(all, block.Bytes...)
		}
		return all
	}
	return b
}

// TestRandomCorruptions damages a file of a data directory at random: a journal
// in use or kept, an app's file, a module, the node's id, its keys. The doctor changes
// nothing and the next start does not crash. Then either all is as it was, or both
// doctors name the file, or it is damage that no one can tell from an earlier kill:
// see endIsGone. In each case what is proven is billed, and nothing else.
func TestRandomCorruptions(t *testing.T) {
	all := images(t)
	seed := uint64(time.Now().UnixNano())
	var mu sync.Mutex
	outcomes := map[string]int{}
	t.Run("files", func(t *testing.T) {
		for i := range spoil.Times(t) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			im := all[r.IntN(len(all))]
			kind := []string{"journal", "journal", "journal", "journal", "kept", "kept", "file", "file", "blob", "node", "trust", "secrets"}[r.IntN(12)]
			name := im.kinds[kind][r.IntN(len(im.kinds[kind]))]
			bad, how := spoilRecords(r, kind, im.files[name])
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				outcome := im.corrupt(t, kind, name, bad)
				if t.Failed() {
					t.Logf("seed %d: %s: %s", seed, name, how)
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[kind+" "+outcome]++
			})
		}
	})
	t.Logf("%v", outcomes)
	for _, kind := range []string{"journal", "kept", "file", "blob"} {
		if outcomes[kind+" named"] == 0 {
			t.Errorf("no damage of a %s was named at all", kind)
		}
	}
}

// spoilRecords damages bytes; of a journal, most of the time, what is written and
// not the room behind it, and now and then so that it ends behind a whole record.
func spoilRecords(r *rand.Rand, kind string, b []byte) ([]byte, string) {
	way := r.IntN(8)
	if kind != "journal" || way < 2 {
		return spoil.Bytes(r, b)
	}
	ends := recordEnds(b)
	at := ends[r.IntN(len(ends))]
	switch way {
	case 2:
		return b[:at], fmt.Sprintf("cut to %d, behind a record", at)
	case 3:
		return append(bytes.Clone(b[:at]), make([]byte, len(b)-at)...), fmt.Sprintf("zeroed from %d on, behind a record", at)
	}
	end := ends[len(ends)-1]
	bad, how := spoil.Bytes(r, b[:end])
	if len(bad) < end {
		return bad, how
	}
	return append(bad, b[end:]...), how
}

// recordEnds returns where the header and each record of a journal end.
func recordEnds(b []byte) (ends []int) {
	for at := 32; ; {
		ends = append(ends, at)
		if at+8 > len(b) || b[at+3] != 0xA7 {
			return ends
		}
		at += 8 + int(binary.LittleEndian.Uint32(b[at:])&0xFFFFFF)
	}
}

func (im image) corrupt(t *testing.T, kind, name string, bad []byte) (outcome string) {
	dir := im.write(t)
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	before := read(t, dir)
	stopped, err := node.Examine(t.Context(), node.Options{DataDir: dir})
	if err != nil {
		t.Fatalf("the doctor says %v", err)
	}
	if !maps.EqualFunc(before, read(t, dir), bytes.Equal) {
		t.Error("the doctor changed something")
	}
	offline := tells(stopped, path)
	h, err := node.New(t.Context(), node.Options{DataDir: dir, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		if !offline || !strings.Contains(err.Error(), path) {
			t.Errorf("does not start: %v; the doctor says %+v", err, stopped)
		}
		return "refused"
	}
	n := testNodeOf(h, t, dir)
	n.Start()
	defer n.stop()
	ctx := access.WithActor(context.Background(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	running, err := n.Doctor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := n.told()
	if got.more(im.truth) {
		t.Errorf("billed more than was used: %+v, and true is %+v", got.billed, im.truth.billed)
	}
	if kind == "node" { // then it is a journal that is another node's
		path = filepath.Join(dir, im.kinds["journal"][0])
		offline = tells(stopped, path)
	}
	named := offline && tells(running, path)
	silent := !named && !got.equal(im.truth)
	switch kind {
	case "journal":
		want, short := im.billable(name, bad)
		for app, n := range want {
			if got.billed[app].Calls != n {
				t.Errorf("%d calls of %q are billed, and %d are proven", got.billed[app].Calls, app, n)
			}
		}
		if silent && !short && endIsGone(im.files[name], bad) {
			return "as an earlier kill leaves it"
		}
		silent = silent || !named && short
	case "node": // see above
	default:
		silent = silent || !named && !bytes.Equal(meaning(kind, bad), meaning(kind, im.files[name]))
	}
	switch {
	case silent:
		t.Errorf("silently wrong: billed %+v, and true is %+v; the doctors say %+v and %+v", got.billed, im.truth.billed, stopped, running)
	case named:
		return "named"
	}
	return "harmless"
}
