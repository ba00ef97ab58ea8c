package kv_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/kv"
	"github.com/agora-host/agora/store/boltstore"
)

// clock is a clock that stands still unless it is told otherwise. The store's sweep reads it meanwhile.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func open(t *testing.T) (*kv.KV, *clock) {
	t.Helper()
	c := new(clock)
	c.nanos.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	store, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv"), c.now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return kv.New(store, slog.New(slog.DiscardHandler)), c
}

func TestConforms(t *testing.T) {
	abitest.KV(t, func(t *testing.T, quota abi.KVQuota) (abi.Link, func(time.Duration)) {
		c, clock := open(t)
		return c.Bind("a", quota, quiet), clock.advance
	})
}

// TestApart: an app neither sees nor counts what another keeps, whatever its
// keys look like.
func TestApart(t *testing.T) {
	c, _ := open(t)
	quota := abi.KVQuota{Bytes: 10, Keys: 2}
	a, b := c.Bind("a", quota, quiet), c.Bind("ab", quota, quiet)
	if _, errno := a["set"](t.Context(), abi.AppendKVSet(nil, "b\x00x", []byte("1234567"))); errno != 0 {
		t.Fatal(errno)
	}
	for _, key := range []string{"x", "\x00x", "b\x00x", "a\x00b\x00x"} {
		if _, errno := b["get"](t.Context(), []byte(key)); errno != abi.ErrnoNotFound {
			t.Errorf("%q: %v", key, errno)
		}
	}
	if keys, errno := b["list"](t.Context(), nil); len(keys) > 0 || errno != 0 {
		t.Errorf("listed %q, %v", keys, errno)
	}
	if _, errno := b["set"](t.Context(), abi.AppendKVSet(nil, "x", []byte("123456789"))); errno != 0 {
		t.Errorf("the other's data counts: %v", errno)
	}
}

// broken is a store whose disk is gone.
type broken struct{ kv.Store }

func (broken) Write(context.Context, string, abi.KVWrite, abi.KVQuota) error {
	return errors.New("disk")
}

// TestNotes: what an app did, and what it could not do, is noted by prefix.
func TestNotes(t *testing.T) {
	c, _ := open(t)
	var r abi.Recorder
	ctx := abi.WithRecorder(t.Context(), &r)
	link := c.Bind("a", abi.KVQuota{Bytes: 100, Keys: 10}, quiet)
	link["set"](ctx, abi.AppendKVSet(nil, "note/1", []byte("x")))
	link["set"](ctx, abi.AppendKVSet(nil, "note/2", []byte("x")))
	link["set"](ctx, abi.AppendKVSet(nil, "note/3", make([]byte, 100)))
	link["get"](ctx, []byte("plain"))
	link["list"](ctx, []byte("note/"))
	link = kv.New(broken{}, slog.New(slog.DiscardHandler)).Bind("a", abi.KVQuota{}, quiet)
	if _, errno := link["set"](ctx, abi.AppendKVSet(nil, "x:y", nil)); errno != abi.ErrnoUnavailable {
		t.Errorf("a store that fails: %v", errno)
	}
	want := []abi.Use{
		{Capability: "kv", Meter: "failed", Subject: "x:", N: 1}, {Capability: "kv", Meter: "quota_exceeded", Subject: "note/", N: 1},
		{Capability: "kv", Meter: "reads", N: 1}, {Capability: "kv", Meter: "reads", Subject: "note/", N: 1},
		{Capability: "kv", Meter: "writes", Subject: "note/", N: 2},
	}
	if got := r.Uses(); !slices.Equal(got, want) {
		t.Errorf("noted %+v\nwant  %+v", got, want)
	}
}

func quiet(error) {}
