//go:build linux && !race

package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/crashdisk"
	"github.com/agora-host/agora/internal/strace"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/secrets"
)

// TestPowerLoss records every file operation of a node under load, from an empty
// directory through a kill and a recovery, and has the power go at random moments
// of the record; package crashdisk says what is left then. The next process opens
// each image: every file of it is whole, every call that was answered by then is
// journaled once and billed, unless its app asked for `process`, and every value,
// event, secret and release that was acknowledged is there.
func TestPowerLoss(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("AGORA_IMAGES"))
	if err != nil || n < 1 {
		n = 40
	}
	var k *known
	for left := n; left > 0 && !t.Failed(); left -= imagesOfOne {
		began := time.Now()
		r := recordNode(t)
		recorded := time.Since(began)
		k = r.prove()
		images := min(left, imagesOfOne)
		for _, w := range k.images(images, rand.Uint64(), 3, nil) {
			t.Errorf("an image is wrong: %s", w)
		}
		t.Logf("%d steps, %d answers, recorded in %v; %d images in %v", k.steps, len(r.told), recorded, images, time.Since(began)-recorded)
	}
	t.Run("CanFail", k.canFail)
}

// imagesOfOne is how many images are made of one record, which is one way in which
// a node's calls may meet.
const imagesOfOne = 500

// canFail plays the same record on disks that ignore some syncs: each must
// leave images that are wrong.
func (k *known) canFail(t *testing.T) {
	for _, name := range []string{"agora.db", "kv.db", "queue.db", "journal", "blobs", "files", "trust", "snapshots", ""} {
		wrong := k.images(200, rand.Uint64(), 1, func(path string) bool {
			top, _, _ := strings.Cut(path, "/")
			return top == name
		})
		if len(wrong) == 0 {
			t.Errorf("no sync of %q has an effect, and no image is wrong: this test cannot fail", name)
		} else {
			t.Logf("without the syncs of %q: %.300s", name, wrong[0])
		}
	}
}

// known is a record that was played to its end.
type known struct {
	*record
	steps   int
	moments [3][]int        // all steps; ends of syncs; changes of names
	calls   map[string]bool // that are journaled at the end
}

// prove plays the whole record and compares what comes of it with the directory,
// byte by byte: nothing that changes a file is missing from the record.
func (r *record) prove() *known {
	r.t.Helper()
	k := &known{record: r, calls: map[string]bool{}}
	p, steps, err := r.play(nil, func(p *strace.Player, e strace.Event) error {
		k.moments[0] = append(k.moments[0], p.Steps)
		switch e.Name {
		case "fsync", "fdatasync":
			k.moments[1] = append(k.moments[1], p.Steps)
		case "write", "pwrite64", "accept4":
		default:
			k.moments[2] = append(k.moments[2], p.Steps)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	differ(r.t, r.dir, p.Disk.Root)
	if r.t.Failed() {
		r.t.FailNow()
	}
	for _, to := range r.told {
		step, ok := steps[to.line]
		if !ok {
			r.t.Fatalf("a client was told %+v, and the record has no such answer", to)
		}
		to.step = step
	}
	k.steps = p.Steps
	journaled, wrong := journaledCalls(filepath.Join(r.dir, "journal"))
	for _, w := range wrong {
		r.t.Error(w)
	}
	for id := range journaled {
		k.calls[id] = true
	}
	return k
}

func differ(t *testing.T, path string, dir *crashdisk.Dir) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		switch n := dir.Node(e.Name()).(type) {
		case *crashdisk.Dir:
			differ(t, filepath.Join(path, e.Name()), n)
		case *crashdisk.File:
			raw, err := os.ReadFile(filepath.Join(path, e.Name()))
			if err != nil || !bytes.Equal(raw, n.Bytes()) {
				t.Errorf("%s/%s is not what the record makes of it: %v", path, e.Name(), err)
			}
		}
	}
	if !slices.Equal(names, dir.Names()) {
		t.Errorf("%s has %q, the record makes %q", path, names, dir.Names())
	}
}

// lost is a disk after the loss of power.
type lost struct {
	disk  *crashdisk.Disk
	step  int
	event strace.Event // the last one before
}

var errEnough = errors.New("enough images were wrong")

// images has the power go up to n times, and returns what is wrong with which
// image; when so many as enough are, it ends.
func (k *known) images(n int, seed uint64, enough int, unsynced func(path string) bool) (wrong []string) {
	k.t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	moments := map[int]int{}
	for i := range n { // of each kind as many
		of := k.moments[i%len(k.moments)]
		moments[of[random.IntN(len(of))]]++
	}
	parent, err := os.MkdirTemp(memory(), "agora-images-*")
	if err != nil {
		k.t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	made := make(chan lost)
	var mu sync.Mutex
	var work sync.WaitGroup
	for i := range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for m := range made {
				found := k.check(m, filepath.Join(parent, strconv.Itoa(i)))
				if len(found) > 0 {
					mu.Lock()
					wrong = append(wrong, fmt.Sprintf("after step %d, %s(%.100s), seed %d: %.1500s", m.step, m.event.Name, strings.Join(m.event.Args(), ", "), seed, strings.Join(found, "\n")))
					mu.Unlock()
				}
			}
		})
	}
	_, _, err = k.play(unsynced, func(p *strace.Player, e strace.Event) error {
		for range moments[p.Steps] {
			made <- lost{p.Disk.AfterPowerLoss(random), p.Steps, e}
			mu.Lock()
			found := len(wrong)
			mu.Unlock()
			if found >= enough {
				return errEnough
			}
		}
		return nil
	})
	close(made)
	work.Wait()
	if err != nil && !errors.Is(err, errEnough) {
		k.t.Fatal(err)
	}
	return wrong
}

// memory is a file system without a disk, if there is one.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// check opens an image as the next process would, and returns everything that is
// wrong with it.
func (k *known) check(m lost, dir string) (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	defer os.RemoveAll(dir)
	if err := m.disk.Root.CopyTo(dir); err != nil {
		return []string{err.Error()}
	}
	journaled, wrong := journaledCalls(filepath.Join(dir, "journal"))
	ctx, o := context.Background(), node.Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}
	report := func(who string, checks []node.Check, err error) {
		if err != nil {
			add("%s: %v", who, err)
		}
		for _, c := range checks {
			if !c.OK && c.Name != "compiled code" { // which is never synced, and made again
				add("%s: %s: %s %+v", who, c.Name, c.Detail, c.Damage)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "agora.db")); err == nil { // a node was there, and not just begun
		checks, err := node.Examine(ctx, o)
		report("before the start", checks, err)
	}
	h, err := node.OpenData(ctx, o)
	if err != nil {
		return append(wrong, "the next process does not start: "+err.Error())
	}
	defer func() {
		if err := h.Stop(ctx); err != nil {
			add("stop: %v", err)
		}
	}()
	checks, err := h.CheckData(ctx)
	report("after the start", checks, err)
	for id, n := range journaled {
		if n != 1 {
			add("call %s is journaled %d times", id, n)
		}
		if !k.calls[id] {
			add("call %s is journaled and was never made", id)
		}
	}
	if billed, err := h.BilledCalls(ctx); err != nil || billed != uint64(len(journaled)) {
		add("%d calls are billed, %d are in the journals: %v", billed, len(journaled), err)
	}
	return append(wrong, k.acknowledged(ctx, m.step, h, journaled)...)
}

// acknowledged compares an image with what clients had been told.
func (k *known) acknowledged(ctx context.Context, step int, h *node.Node, journaled map[string]int) (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	waiting, err := h.Waiting(ctx)
	if err != nil {
		add("the queue: %v", err)
	}
	release := 0
	values := map[string]int{}
	for _, to := range k.told {
		if to.step > step {
			continue
		}
		if to.call != "" && journaled[to.call] == 0 {
			add("call %s was answered and is in no journal", to.call)
		}
		if to.event != "" && waiting[to.event] != 1 {
			add("event %s was acknowledged and waits %d times", to.event, waiting[to.event])
		}
		release = max(release, to.release)
		if to.writer != "" {
			values[to.writer] = max(values[to.writer], to.value)
		}
	}
	if serves, err := h.Serves(ctx, "shop"); release > 0 && (err != nil || serves < release) {
		add("release %d of shop was acknowledged, it serves %d: %v", release, serves, err)
	}
	for writer, begun := range k.begun {
		if writer == "shop releases" {
			continue
		}
		if err := k.value(ctx, h, writer, values[writer], begun); err != nil {
			add("%s: %v", writer, err)
		}
	}
	return wrong
}

// value checks that a writer's value is whole, and none from before the one that
// was acknowledged.
func (k *known) value(ctx context.Context, h *node.Node, writer string, acknowledged, begun int) error {
	app, name, _ := strings.Cut(writer, " ")
	var got []byte
	var err error
	switch app {
	case "keys":
		var text string
		text, err = h.GetApp(ctx, app, name)
		got = []byte(text)
	case "files":
		got, err = h.FileOf(ctx, app, name)
	case "vault":
		got, err = h.SecretOf(ctx, app, name)
	}
	if acknowledged == 0 && (errors.Is(err, abi.ErrnoNotFound) || errors.Is(err, secrets.ErrNotFound)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("value %d was acknowledged: %w", acknowledged, err)
	}
	n := 0
	if _, err := fmt.Sscanf(string(got[:min(8, len(got))]), "%d", &n); err != nil || n < acknowledged || n > begun {
		return fmt.Errorf("it is %.8q, acknowledged were %d of %d", got, acknowledged, begun)
	}
	if !bytes.Equal(got, content(n)) {
		return fmt.Errorf("value %d is not whole", n)
	}
	return nil
}

// journaledCalls counts the calls in a directory of journals, which no process
// has open.
func journaledCalls(dir string) (calls map[string]int, wrong []string) {
	calls = map[string]int{}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, []string{err.Error()}
	}
	there := map[string]bool{}
	for _, f := range files {
		there[f.Name()] = true
	}
	for name := range there {
		if epoch, copied := strings.CutSuffix(name, ".journal.gz"); copied && there[epoch[:min(16, len(epoch))]+".journal"] {
			continue // the power went between the copy and the removal
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, []string{err.Error()}
		}
		_, err = metering.ReadJournal(name, io.Reader(bytes.NewReader(raw)), func(e metering.Entry) error {
			if e.Proven && e.Kind == metering.EntryCall {
				calls[e.ID]++
			}
			return nil
		})
		if err != nil && !errors.Is(err, journal.ErrNotJournal) && !errors.Is(err, journal.ErrNoHeader) {
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
		}
	}
	return calls, wrong
}
