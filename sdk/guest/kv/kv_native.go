//go:build !wasip1

package kv

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/internal/call"
)

var memory = newFake(abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20})

// Reset forgets everything, between tests.
func Reset() { memory = newFake(memory.quota) }

// SetQuota bounds what may be kept, in bytes of keys and values and in keys.
func SetQuota(size, keys int64) { memory.quota = abi.KVQuota{Bytes: size, Keys: keys} }

// Pass lets time pass, for what has been put with a time to live.
func Pass(d time.Duration) { memory.passed += d }

// fake behaves as the node does, from a map.
type fake struct {
	data   map[string]fakeEntry
	quota  abi.KVQuota
	passed time.Duration // since it was made
}

type fakeEntry struct {
	value []byte
	ends  time.Duration // 0: never
}

func newFake(quota abi.KVQuota) *fake { return &fake{data: map[string]fakeEntry{}, quota: quota} }

func (f *fake) link() abi.Link {
	writes := func(decode func([]byte) (abi.KVWrite, bool)) abi.HostFunc {
		return func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := decode(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			return nil, f.write(w)
		}
	}
	return abi.Link{
		"set": writes(abi.DecodeKVSet), "put": writes(abi.DecodeKVPut), "swap": writes(abi.DecodeKVSwap),
		"delete": writes(func(key []byte) (abi.KVWrite, bool) { return abi.KVWrite{Key: string(key)}, true }),
		"get":    func(_ context.Context, key []byte) ([]byte, abi.Errno) { return f.get(string(key)) },
		"list":   func(_ context.Context, prefix []byte) ([]byte, abi.Errno) { return f.list(string(prefix), "") },
		"scan": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			prefix, after, ok := abi.DecodeKVScan(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			return f.list(prefix, after)
		},
	}
}

func (f *fake) get(key string) ([]byte, abi.Errno) {
	if errno := checkKey(key); errno != abi.ErrnoOK {
		return nil, errno
	}
	f.sweep()
	e, ok := f.data[key]
	if !ok {
		return nil, abi.ErrnoNotFound
	}
	return bytes.Clone(e.value), abi.ErrnoOK
}

func (f *fake) write(w abi.KVWrite) abi.Errno {
	if errno := checkKey(w.Key); errno != abi.ErrnoOK {
		return errno
	}
	if len(w.Value) > abi.MaxKVValue {
		return abi.ErrnoTooLarge
	}
	f.sweep()
	was, there := f.data[w.Key]
	switch {
	case w.Swap && (there != (w.Old != nil) || !bytes.Equal(was.value, w.Old)):
		return abi.ErrnoConflict
	case w.Value == nil:
		delete(f.data, w.Key)
		return abi.ErrnoOK
	case !f.fits(w.Key, len(w.Value)):
		return abi.ErrnoQuota
	}
	e := fakeEntry{value: bytes.Clone(w.Value)}
	if w.TTL > 0 {
		e.ends = f.passed + w.TTL
	}
	f.data[w.Key] = e
	return abi.ErrnoOK
}

// fits reports whether a value has room beside what else is there.
func (f *fake) fits(key string, size int) bool {
	was, there := f.data[key]
	if there && size <= len(was.value) {
		return true
	}
	total, keys := int64(len(key)+size), int64(1)
	for k, e := range f.data {
		if k != key {
			total, keys = total+int64(len(k)+len(e.value)), keys+1
		}
	}
	return total <= f.quota.Bytes && (there || keys <= f.quota.Keys)
}

func (f *fake) list(prefix, after string) (out []byte, errno abi.Errno) {
	if len(prefix) > abi.MaxKVKey || len(after) > abi.MaxKVKey {
		return nil, abi.ErrnoTooLarge
	}
	f.sweep()
	n := 0
	for _, key := range slices.Sorted(maps.Keys(f.data)) {
		if n < abi.MaxKVList && strings.HasPrefix(key, prefix) && (after == "" || key > after) {
			out = abi.AppendKVKey(out, key)
			n++
		}
	}
	return out, abi.ErrnoOK
}

func (f *fake) sweep() {
	maps.DeleteFunc(f.data, func(_ string, e fakeEntry) bool { return e.ends != 0 && e.ends <= f.passed })
}

func checkKey(key string) abi.Errno {
	switch {
	case key == "":
		return abi.ErrnoInvalid
	case len(key) > abi.MaxKVKey:
		return abi.ErrnoTooLarge
	}
	return abi.ErrnoOK
}

func get(in []byte) ([]byte, error)    { return call.Do(memory.link(), "get", in) }
func set(in []byte) ([]byte, error)    { return call.Do(memory.link(), "set", in) }
func put(in []byte) ([]byte, error)    { return call.Do(memory.link(), "put", in) }
func swap(in []byte) ([]byte, error)   { return call.Do(memory.link(), "swap", in) }
func remove(in []byte) ([]byte, error) { return call.Do(memory.link(), "delete", in) }
func list(in []byte) ([]byte, error)   { return call.Do(memory.link(), "list", in) }
func scan(in []byte) ([]byte, error)   { return call.Do(memory.link(), "scan", in) }
