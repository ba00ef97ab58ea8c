package abitest

import (
	"bytes"
	"crypto/sha256"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// Blob runs the table of blob. open returns a link to an empty space with a
// quota, at a time at which its clock stands.
func Blob(t *testing.T, open func(t *testing.T, quota abi.KVQuota) (link abi.Link, now time.Time)) {
	link, now := open(t, abi.KVQuota{Bytes: abi.MaxBlob + 1000, Keys: 3})
	complete(t, "blob", link)
	for _, c := range blobCalls(now) {
		c.check(t, link)
	}
}

// contents are bytes of which no two pieces are alike.
func contents(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16) ^ byte(i>>8) ^ byte(i)*7
	}
	return b
}

func blobCalls(now time.Time) []call {
	put := func(name string, b []byte) []byte { return abi.AppendBlobPut(nil, name, b) }
	get := func(name string, offset, length int64) []byte { return abi.AppendBlobGet(nil, name, offset, length) }
	list := func(prefix, after string) []byte { return abi.AppendKVScan(nil, prefix, after) }
	listed := func(names ...string) (out []byte) {
		for _, n := range names {
			name, size, _ := strings.Cut(n, "=")
			out = abi.AppendBlobEntry(out, name, int64(len(size)))
		}
		return out
	}
	stat := func(b []byte) []byte {
		return abi.AppendBlobStat(nil, abi.BlobInfo{Size: int64(len(b)), Modified: now, Digest: sha256.Sum256(b)})
	}
	const all, quarter = math.MaxInt64, 256 << 10
	long := strings.Repeat("n", abi.MaxBlobName+1)
	big, full := contents(3*quarter+77), contents(abi.MaxBlob)
	return []call{
		{"nothing is there", "get", get("x", 0, all), nil, abi.ErrnoNotFound},
		{"nothing is there", "stat", key("x"), nil, abi.ErrnoNotFound},
		{"nothing is there", "list", list("", ""), nil, 0},
		{"what is put is there", "put", put("x", []byte("hello")), nil, 0},
		{"what is put is there", "get", get("x", 0, all), []byte("hello"), 0},
		{"what is put is there", "stat", key("x"), stat([]byte("hello")), 0},
		{"putting again replaces", "put", put("x", []byte("bye")), nil, 0},
		{"putting again replaces", "get", get("x", 0, all), []byte("bye"), 0},
		{"an empty blob", "put", put("e", nil), nil, 0},
		{"an empty blob", "get", get("e", 0, all), nil, 0},
		{"an empty blob", "stat", key("e"), stat(nil), 0},
		{"names are bytes", "put", put("\x00../é", []byte("b")), nil, 0},
		{"names are bytes", "get", get("\x00../é", 0, all), []byte("b"), 0},
		{"all of them", "list", list("", ""), listed("\x00../é=1", "e=", "x=333"), 0},
		{"after one", "list", list("", "e"), listed("x=333"), 0},
		{"with a prefix", "list", list("x", ""), listed("x=333"), 0},
		{"one blob too many", "put", put("y", nil), nil, abi.ErrnoQuota},
		{"deleting", "delete", key("\x00../é"), nil, 0},
		{"deleting again", "delete", key("\x00../é"), nil, 0},
		{"deleted", "get", get("\x00../é", 0, 1), nil, abi.ErrnoNotFound},
		{"deleting", "delete", key("e"), nil, 0},

		{"several pieces", "put", put("big", big), nil, 0},
		{"all of it", "get", get("big", 0, all), big, 0},
		{"nothing of it", "get", get("big", 5, 0), nil, 0},
		{"its first byte", "get", get("big", 0, 1), big[:1], 0},
		{"across a border", "get", get("big", quarter-1, 2), big[quarter-1 : quarter+1], 0},
		{"one piece", "get", get("big", quarter, quarter), big[quarter : 2*quarter], 0},
		{"across three", "get", get("big", quarter-1, quarter+2), big[quarter-1 : 2*quarter+1], 0},
		{"its end", "get", get("big", 3*quarter+76, all), big[3*quarter+76:], 0},
		{"behind its end", "get", get("big", 3*quarter+77, all), nil, 0},
		{"far behind its end", "get", get("big", all, all), nil, 0},
		{"deleting", "delete", key("big"), nil, 0},

		{"the largest", "put", put("x", full), nil, 0},
		{"the largest", "get", get("x", abi.MaxBlob-10, 100), full[abi.MaxBlob-10:], 0},
		{"a blob too large", "put", put("y", append(bytes.Clone(full), 1)), nil, abi.ErrnoTooLarge},
		{"up to the quota, to the byte", "put", put("y", make([]byte, 998)), nil, 0},
		{"one byte more is not", "put", put("y", make([]byte, 999)), nil, abi.ErrnoQuota},
		{"what was refused changes nothing", "get", get("y", 997, 5), []byte{0}, 0},
		{"smaller is always allowed", "put", put("y", make([]byte, 10)), nil, 0},
		{"deleting frees", "delete", key("x"), nil, 0},
		{"deleting frees", "put", put("z", full), nil, 0},

		{"an empty name", "put", put("", nil), nil, abi.ErrnoInvalid},
		{"an empty name", "get", get("", 0, 1), nil, abi.ErrnoInvalid},
		{"an empty name", "stat", nil, nil, abi.ErrnoInvalid},
		{"an empty name", "delete", nil, nil, abi.ErrnoInvalid},
		{"a name too long", "put", put(long, nil), nil, abi.ErrnoTooLarge},
		{"a name too long", "get", get(long, 0, 1), nil, abi.ErrnoTooLarge},
		{"a name too long", "stat", key(long), nil, abi.ErrnoTooLarge},
		{"a name too long", "delete", key(long), nil, abi.ErrnoTooLarge},
		{"a prefix too long", "list", list(long, ""), nil, abi.ErrnoTooLarge},
		{"a cursor too long", "list", list("", long), nil, abi.ErrnoTooLarge},
		{"no length", "put", nil, nil, abi.ErrnoInvalid},
		{"a length that lies", "put", []byte{255, 255, 255, 255, 'x'}, nil, abi.ErrnoInvalid},
		{"no offset", "get", []byte("123456789012345"), nil, abi.ErrnoInvalid},
		{"an offset below zero", "get", get("z", -1, 1), nil, abi.ErrnoInvalid},
		{"a length below zero", "get", get("z", 0, -1), nil, abi.ErrnoInvalid},
		{"a list that ends early", "list", []byte{9, 0, 0, 0}, nil, abi.ErrnoInvalid},
	}
}
