package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/store/boltstore"
)

var quota = abi.KVQuota{Bytes: 40, Keys: 3}

// model is the apps' data as it should be: a map for each app.
type model struct {
	now  time.Time
	apps map[string]map[string]modelEntry
	grew int64 // by the last write that took place
}

type modelEntry struct {
	value string
	ends  time.Time // zero: never
}

// write is what boltstore.KV.Write promises.
func (m *model) write(app string, w abi.KVWrite, quota abi.KVQuota) error {
	data := m.live(app)
	was, there := data[w.Key]
	if w.Swap && (there != (w.Old != nil) || was.value != string(w.Old)) {
		return abi.ErrnoConflict
	}
	if w.Value == nil {
		delete(m.apps[app], w.Key)
		return nil
	}
	size, keys := len(w.Key)+len(w.Value), 1
	for name, e := range data {
		if name != w.Key {
			size, keys = size+len(name)+len(e.value), keys+1
		}
	}
	if (int64(size) > quota.Bytes && (!there || len(w.Value) > len(was.value))) || (int64(keys) > quota.Keys && !there) {
		return abi.ErrnoQuota
	}
	grows := len(w.Key) + len(w.Value)
	if there {
		grows = len(w.Value) - len(was.value)
	}
	if quota.Grow != nil && grows > 0 && int64(grows) > quota.Grow.May {
		return abi.ErrnoQuota
	}
	m.grew = int64(grows)
	e := modelEntry{value: string(w.Value)}
	if w.TTL > 0 {
		e.ends = m.now.Add(w.TTL)
	}
	m.apps[app][w.Key] = e
	return nil
}

func (m *model) live(app string) map[string]modelEntry {
	live := maps.Clone(m.apps[app])
	maps.DeleteFunc(live, func(_ string, e modelEntry) bool { return !e.ends.IsZero() && !m.now.Before(e.ends) })
	return live
}

// TestKV compares the apps' data with the model: sets, swaps and deletions, with
// and without an end, in apps whose names are prefixes of each other.
func TestKV(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &model{time.UnixMilli(1_800_000_000_000), map[string]map[string]modelEntry{"a": {}, "ab": {}}, 0}
		kv, err := boltstore.OpenKV(filepath.Join(dir, fmt.Sprint(n)), func() time.Time { return m.now }, nil)
		if err != nil {
			rt.Fatal(err)
		}
		defer kv.Close()
		apps, names := rapid.SampledFrom([]string{"a", "ab"}), rapid.SampledFrom([]string{"k", "kk", "b\x00k", "é"})
		values := rapid.Custom(func(rt *rapid.T) []byte { return []byte(strings.Repeat("v", rapid.IntRange(0, 30).Draw(rt, "size"))) })
		maybe := rapid.OneOf(values, rapid.Just[[]byte](nil))
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				app, w := apps.Draw(rt, "app"), abi.KVWrite{Key: names.Draw(rt, "key"), Value: maybe.Draw(rt, "value")}
				w.TTL = time.Duration(rapid.IntRange(0, 3).Draw(rt, "ttl")) * time.Second
				if w.Swap = rapid.Bool().Draw(rt, "swap"); w.Swap {
					w.Old = maybe.Draw(rt, "old")
					if e, ok := m.live(app)[w.Key]; ok && rapid.Bool().Draw(rt, "as it is") {
						w.Old = []byte(e.value)
					}
				}
				quota := quota
				_, live := m.live(app)[w.Key]
				if _, there := m.apps[app][w.Key]; live == there { // what has expired may count, or be swept
					quota.Grow = &abi.Growth{May: rapid.Int64Range(0, 100).Draw(rt, "grow")}
				}
				want := m.write(app, w, quota)
				if err := kv.Write(t.Context(), app, w, quota); !errors.Is(err, want) || err == nil != (want == nil) {
					rt.Fatalf("%+v: %v, want %v", w, err, want)
				}
				if want == nil && quota.Grow != nil && w.Value != nil && quota.Grow.Did != m.grew {
					rt.Fatalf("%+v: it grew by %d, and says %d", w, m.grew, quota.Grow.Did)
				}
			},
			"pass": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 2500).Draw(rt, "ms")) * time.Millisecond)
			},
			"sweep": func(*rapid.T) { kv.Sweep() },
			"": func(rt *rapid.T) {
				for app := range m.apps {
					compare(rt, kv, app, m.live(app))
				}
				if problems := kv.Check(t.Context()); len(problems) > 0 {
					rt.Fatal(problems)
				}
			},
		})
	})
}

func compare(rt *rapid.T, kv *boltstore.KV, app string, want map[string]modelEntry) {
	keys, err := kv.List(context.Background(), app, "", "", 100)
	if err != nil || !slices.Equal(keys, slices.Sorted(maps.Keys(want))) {
		rt.Fatalf("list %s: %q, %v; want %v", app, keys, err, want)
	}
	size := 0
	for name, e := range want {
		size += len(name) + len(e.value)
		if got, err := kv.Get(context.Background(), app, name); err != nil || string(got) != e.value {
			rt.Fatalf("get %s %q: %q, %v; want %q", app, name, got, err, e.value)
		}
	}
	// What has expired may be counted until it is swept, and nothing else.
	u, err := kv.Used(context.Background(), app)
	if err != nil || u.Keys < int64(len(want)) || u.Keys == int64(len(want)) && u.Bytes != int64(size) {
		rt.Fatalf("%s keeps %+v, %v; want %d keys of %d bytes", app, u, err, len(want), size)
	}
}

// TestSweep: what has expired is removed by itself, and its room is free.
func TestSweep(t *testing.T) {
	var mu sync.Mutex
	now := time.UnixMilli(1_800_000_000_000)
	kv, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv"), func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	roomy := abi.KVQuota{Bytes: 1 << 20, Keys: 1 << 20}
	for _, app := range []string{"a", "b"} {
		for i := range 20 {
			w := abi.KVWrite{Key: strconv.Itoa(i), Value: []byte("v"), TTL: time.Duration(i%2) * time.Minute}
			if err := kv.Write(t.Context(), app, w, roomy); err != nil {
				t.Fatal(err)
			}
		}
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	deadline := time.Now().Add(20 * time.Second)
	for _, app := range []string{"a", "b"} {
		for {
			u, err := kv.Used(t.Context(), app)
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("%s keeps %+v, %v", app, u, err)
			}
			if u.Keys == 10 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if problems := kv.Check(t.Context()); len(problems) > 0 {
		t.Error(problems)
	}
}
