//go:build !wasip1

package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/internal/call"
)

var memory = newFake(abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20}, time.Now)

// Reset forgets everything, between tests.
func Reset() { memory = newFake(memory.quota, time.Now) }

// SetQuota bounds what may be kept, in bytes of names and contents and in blobs.
func SetQuota(size, blobs int64) { memory.quota = abi.KVQuota{Bytes: size, Keys: blobs} }

// fake behaves as the node does, from a map.
type fake struct {
	data  map[string]kept
	quota abi.KVQuota
	now   func() time.Time
}

type kept struct {
	contents []byte
	at       time.Time
}

func newFake(quota abi.KVQuota, now func() time.Time) *fake {
	return &fake{map[string]kept{}, quota, now}
}

func (f *fake) link() abi.Link {
	named := func(do func(name string) ([]byte, abi.Errno)) abi.HostFunc {
		return func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			if errno := checkName(string(in), true); errno != abi.ErrnoOK {
				return nil, errno
			}
			return do(string(in))
		}
	}
	return abi.Link{
		"put": f.put, "get": f.get, "list": f.list,
		"stat": named(f.stat),
		"delete": named(func(name string) ([]byte, abi.Errno) {
			delete(f.data, name)
			return nil, abi.ErrnoOK
		}),
	}
}

func checkName(name string, ok bool) abi.Errno {
	switch {
	case !ok, name == "":
		return abi.ErrnoInvalid
	case len(name) > abi.MaxBlobName:
		return abi.ErrnoTooLarge
	}
	return abi.ErrnoOK
}

func (f *fake) put(_ context.Context, in []byte) ([]byte, abi.Errno) {
	name, contents, ok := abi.DecodeBlobPut(in)
	if errno := checkName(name, ok); errno != abi.ErrnoOK {
		return nil, errno
	}
	if len(contents) > abi.MaxBlob {
		return nil, abi.ErrnoTooLarge
	}
	was, there := f.data[name]
	total, blobs := int64(len(name)+len(contents)), int64(1)
	for n, k := range f.data {
		if n != name {
			total, blobs = total+int64(len(n)+len(k.contents)), blobs+1
		}
	}
	if grows := !there || len(contents) > len(was.contents); total > f.quota.Bytes && grows || blobs > f.quota.Keys && !there {
		return nil, abi.ErrnoQuota
	}
	f.data[name] = kept{bytes.Clone(contents), f.now()}
	return nil, abi.ErrnoOK
}

func (f *fake) get(_ context.Context, in []byte) ([]byte, abi.Errno) {
	name, offset, length, ok := abi.DecodeBlobGet(in)
	if errno := checkName(name, ok); errno != abi.ErrnoOK {
		return nil, errno
	}
	k, ok := f.data[name]
	if !ok {
		return nil, abi.ErrnoNotFound
	}
	from := min(offset, int64(len(k.contents)))
	return bytes.Clone(k.contents[from : from+min(length, int64(len(k.contents))-from)]), abi.ErrnoOK
}

func (f *fake) stat(name string) ([]byte, abi.Errno) {
	k, ok := f.data[name]
	if !ok {
		return nil, abi.ErrnoNotFound
	}
	return abi.AppendBlobStat(nil, abi.BlobInfo{Size: int64(len(k.contents)), Modified: k.at, Digest: sha256.Sum256(k.contents)}), abi.ErrnoOK
}

func (f *fake) list(_ context.Context, in []byte) (out []byte, errno abi.Errno) {
	prefix, after, ok := abi.DecodeKVScan(in)
	switch {
	case !ok:
		return nil, abi.ErrnoInvalid
	case len(prefix) > abi.MaxBlobName, len(after) > abi.MaxBlobName:
		return nil, abi.ErrnoTooLarge
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(f.data)) {
		if n < abi.MaxKVList && strings.HasPrefix(name, prefix) && (after == "" || name > after) {
			out = abi.AppendBlobEntry(out, name, int64(len(f.data[name].contents)))
			n++
		}
	}
	return out, abi.ErrnoOK
}

func put(in []byte) ([]byte, error)        { return call.Do(memory.link(), "put", in) }
func get(in []byte, _ int) ([]byte, error) { return call.Do(memory.link(), "get", in) }
func stat(in []byte) ([]byte, error)       { return call.Do(memory.link(), "stat", in) }
func remove(in []byte) ([]byte, error)     { return call.Do(memory.link(), "delete", in) }
func list(in []byte) ([]byte, error)       { return call.Do(memory.link(), "list", in) }
