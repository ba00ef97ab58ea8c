package node_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// shopNode is a node with an app that was called, data and a key.
func shopNode(t *testing.T) *testNode {
	t.Helper()
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	for range 3 {
		if got := n.get(p.URL); got.Body != "one" {
			t.Fatalf("%+v", got)
		}
	}
	for i := range 20 {
		if err := n.SetApp(t.Context(), "shop", fmt.Sprint("k", i), strings.Repeat("v", 300*i)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *testNode) backup(to string) {
	n.t.Helper()
	f, err := os.Create(to)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx := access.WithActor(n.t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	if err := errors.Join(n.Backup(ctx, f), f.Close()); err != nil {
		n.t.Fatal(err)
	}
}

// TestBackupAndRestore: a backup that is taken while calls and writes go on is
// whole, and what was there when it began is there when it is restored: apps,
// routes, signatures, data, users' tokens, the events and every billed call.
func TestBackupAndRestore(t *testing.T) {
	n := shopNode(t)
	token := n.token(ada, access.RoleDeveloper)
	before, err := n.ada().Usage(t.Context(), client.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	stop, busy := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				busy <- nil
				return
			default:
			}
			if err := n.SetApp(t.Context(), "shop", fmt.Sprint("later", i%50), strings.Repeat("x", i%4000)); err != nil {
				busy <- err
				return
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	n.backup(file)
	close(stop)
	if err := <-busy; err != nil {
		t.Fatal(err)
	}
	events, err := n.ada().Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := node.VerifyBackup(t.Context(), file); err != nil || c.Files < 6 {
		t.Fatalf("%+v, %v", c, err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := node.Restore(t.Context(), file, dir); err != nil {
		t.Fatal(err)
	}
	n.stop()

	r := startIn(t, dir)
	if got := r.get(r.AppURL("shop")); got.Body != "one" {
		t.Errorf("the app: %+v", got)
	}
	for i := range 20 {
		if got, err := r.GetApp(t.Context(), "shop", fmt.Sprint("k", i)); err != nil || got != strings.Repeat("v", 300*i) {
			t.Errorf("k%d: %d bytes, %v", i, len(got), err)
		}
	}
	c, err := client.New("http://"+r.Addr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	after, err := c.Usage(t.Context(), client.UsageQuery{})
	if err != nil || after.Total.Calls != before.Total.Calls+1 { // and the one above
		t.Errorf("%d calls are billed, %v; %d were before", after.Total.Calls, err, before.Total.Calls)
	}
	restored, err := c.Events(t.Context(), 0, 1000)
	if err != nil || len(restored) < 3 || !slices.EqualFunc(restored[:3], events[:3], func(a, b abi.Event) bool { return a.Rev == b.Rev && a.Kind == b.Kind && a.At.Equal(b.At) }) {
		t.Errorf("events: %v, %v", restored, err)
	}
	if p := r.publish(r.ada(), manifest("shop"), says("two")); p.Release.Number != 2 {
		t.Errorf("the next release: %+v", p)
	}
	r.healthy()
	was, _ := os.ReadFile(filepath.Join(n.dir, "node"))
	is, _ := os.ReadFile(filepath.Join(dir, "node"))
	if len(is) == 0 || bytes.Equal(was, is) {
		t.Errorf("the restored node has the id %q; the first one %q", is, was)
	}
}

func (n *testNode) healthy() {
	n.t.Helper()
	checks, err := n.ops().Doctor(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, k := range checks {
		if !k.OK {
			n.t.Errorf("doctor: %+v", k)
		}
	}
}

// TestBackupHoldsEveryFile: a file that changes in place, and is not known as
// such, would be copied while it changes.
func TestBackupHoldsEveryFile(t *testing.T) {
	n := shopNode(t)
	files, err := filepath.Glob(filepath.Join(n.dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(node.StoreFiles(), filepath.Base(f)) {
			t.Errorf("%s is not among host.storeFiles: backups, snapshots and the doctor do not know it", f)
		}
	}
}

// TestRestoreRefuses: nothing is written over, and nothing comes of a backup that
// is damaged anywhere.
func TestRestoreRefuses(t *testing.T) {
	n := shopNode(t)
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	n.backup(file)
	if _, err := node.Restore(t.Context(), file, n.dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restored over a node: %v", err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	for i := range 20 {
		bad := bytes.Clone(whole)
		if i%2 == 0 {
			bad[len(bad)/20*i+11] ^= 4
		} else {
			bad = bad[:len(bad)/20*i]
		}
		path, dir := filepath.Join(t.TempDir(), "bad"), filepath.Join(parent, "node")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Restore(t.Context(), path, dir); err == nil {
			// Between the blocks of a compressed file are bits that mean nothing.
			if !bytes.Equal(unzipped(t, bad), unzipped(t, whole)) {
				t.Errorf("damage %d was not noticed", i)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Fatalf("damage %d left %v behind", i, left)
		}
	}
}

func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSnapshot: a damaged store is not started with; after going back to the
// snapshot, what was there is there, and usage since then is counted again.
func TestSnapshot(t *testing.T) {
	n := shopNode(t)
	if err := n.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		n.get(n.AppURL("shop"))
	}
	before, err := n.ada().Usage(t.Context(), client.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	startIn(t, n.dir).stop() // puts the journal away that has these calls
	state := filepath.Join(n.dir, "agora.db")
	for _, spoil := range []func() error{
		func() error { return flip(state) },
		func() error { return os.Truncate(state, 5000) },
		func() error { return os.Remove(state) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		_, err := node.New(t.Context(), node.Options{DataDir: n.dir, Listen: "127.0.0.1:0"})
		if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), state) || !strings.Contains(err.Error(), "agora restore") {
			t.Fatalf("started: %v", err)
		}
		if checks, err := node.Examine(t.Context(), node.Options{DataDir: n.dir}); err != nil || !names(checks, state) {
			t.Fatalf("the doctor says %+v, %v", checks, err)
		}
		if _, _, err := node.RestoreSnapshot(t.Context(), n.dir, "latest"); err != nil {
			t.Fatal(err)
		}
	}
	r := startIn(t, n.dir)
	if got := r.get(r.AppURL("shop")); got.Body != "one" {
		t.Errorf("%+v", got)
	}
	after, err := r.ada().Usage(t.Context(), client.UsageQuery{})
	if err != nil || after.Total.Calls != before.Total.Calls+1 {
		t.Errorf("%d calls are billed, %v; %d were before", after.Total.Calls, err, before.Total.Calls)
	}
	r.healthy()
}

// flip damages every copy of a word in a store: a store keeps old copies in
// pages that are free, and damage to those alone is none.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b = bytes.ReplaceAll(b, []byte(`"shop"`), []byte(`"siop"`))
	return os.WriteFile(path, b, 0o600)
}

func names(checks []node.Check, file string) bool {
	return slices.ContainsFunc(checks, func(k node.Check) bool {
		for _, d := range k.Damage {
			if d.File == file && !k.OK && k.Remedy.Summary != "" {
				return true
			}
		}
		return false
	})
}

// TestDoctorNamesEachFile damages one file of each kind.
func TestDoctorNamesEachFile(t *testing.T) {
	n := shopNode(t)
	if err := errors.Join(n.PutFile(t.Context(), "shop", "picture", []byte(strings.Repeat("p", 5000))), n.Snapshot(t.Context())); err != nil {
		t.Fatal(err)
	}
	n.stop()
	for _, pattern := range []string{"agora.db", "kv.db", "queue.db", "journal/*.journal", "files/shop/*/*", "blobs/sha256/*/*", "cache/????????????????????????????????????????????????????????????????", "snapshots/*/kv.db"} {
		found, err := filepath.Glob(filepath.Join(n.dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		path := found[0]
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, int64(len(was)/3)); err != nil {
			t.Fatal(err)
		}
		checks, err := node.Examine(t.Context(), node.Options{DataDir: n.dir})
		if err != nil || !names(checks, path) {
			t.Errorf("%s: the doctor says %+v, %v", pattern, checks, err)
		}
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checks, err := node.Examine(t.Context(), node.Options{DataDir: n.dir})
	for _, k := range checks {
		if !k.OK {
			t.Errorf("undamaged: %+v, %v", k, err)
		}
	}
}

// stalled is a reader that takes nothing more once it has the beginning of the stores.
type stalled struct {
	begun, gone chan struct{}
	taken       int
}

func (s *stalled) Write(b []byte) (int, error) {
	if s.taken += len(b); s.taken < 300<<10 {
		return len(b), nil
	}
	select {
	case s.begun <- struct{}{}:
	default:
	}
	<-s.gone
	return 0, errors.New("the reader is gone")
}

// TestStalledBackup: readers that stall keep no snapshot waiting, and no store's file from using
// again what is freed; what the backups name stays; of more backups than there are places the
// others are refused.
func TestStalledBackup(t *testing.T) {
	n := shopNode(t)
	n.SetPace(0)
	n.publish(n.ada(), manifest("shop"), says("two"))
	noise := make([]byte, 2<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // more than is compressed before anything is written
		if err := n.SetApp(t.Context(), "shop", fmt.Sprint("noise", i), string(noise[i<<16:(i+1)<<16])); err != nil {
			t.Fatal(err)
		}
	}
	ctx := access.WithActor(t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	begun, gone, ended := make(chan struct{}, 2), make(chan struct{}), make(chan error, 2)
	leave := sync.OnceFunc(func() { close(gone) })
	t.Cleanup(leave)
	for range 2 {
		go func() { ended <- n.Backup(ctx, &stalled{begun: begun, gone: gone}) }()
	}
	n.eventually("both are stalled", func() bool { return len(begun) == 2 })
	if err := n.Backup(ctx, io.Discard); !errors.Is(err, budget.ErrExhausted) {
		t.Errorf("a third backup: %v", err)
	}
	blobs := func() int {
		all, _ := filepath.Glob(filepath.Join(n.dir, "blobs", "sha256", "*", "*"))
		return len(all)
	}
	named := blobs()
	if err := n.ada().DeleteRelease(t.Context(), "shop", 1); err != nil {
		t.Fatal(err)
	}
	if left := blobs(); left != named {
		t.Errorf("of %d modules and signatures that the backups name %d are left", named, left)
	}
	snapshot, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Snapshot(snapshot); err != nil {
		t.Errorf("a snapshot meanwhile: %v", err)
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(n.dir, "kv.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for i := range 200 {
		if err := n.SetApp(t.Context(), "shop", "again", string(noise[i:i+60<<10])); err != nil {
			t.Fatal(err)
		}
	}
	if grown := size() - before; grown > 6<<20 {
		t.Errorf("the file grew by %d bytes for a value of 60 KiB", grown)
	}
	leave()
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a backup whose reader is gone was complete")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(n.dir, ".backup-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	n.backup(filepath.Join(t.TempDir(), "b.tar.gz")) // the places are given back
}
