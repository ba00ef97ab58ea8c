package abi

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Bounds of one entry of the kv capability, in bytes, and of how long an entry
// may be told to live.
const (
	MaxKVKey   = 512
	MaxKVValue = 256 << 10
	MaxKVTTL   = 10 * 365 * 24 * time.Hour
	MaxKVList  = 1000 // keys of one response
)

// KVQuota bounds what an app keeps with kv. An entry that has expired no longer
// counts.
type KVQuota struct {
	Bytes int64 // of keys and values
	Keys  int64
	// Grow bounds by how many bytes one change may make it more, and learns by how many it did; nil: what there
	// is room for.
	Grow *Growth
}

// Growth is by how many bytes a change may make what an app keeps more, and by how many it has.
type Growth struct{ May, Did int64 }

// Grows returns a *GrowthError if a change may not add so many bytes, and notes them otherwise.
func (q KVQuota) Grows(bytes int64) error {
	if q.Grow == nil {
		return nil
	}
	if bytes > max(0, q.Grow.May) {
		return &GrowthError{bytes, q.Grow.May}
	}
	q.Grow.Did = bytes
	return nil
}

// GrowthError is ErrnoQuota for a change that adds more bytes than it may, where there is room for it.
type GrowthError struct{ Adds, May int64 }

func (e *GrowthError) Error() string {
	return fmt.Sprintf("the change adds %d bytes, and may add %d", e.Adds, e.May)
}

// Unwrap returns ErrnoQuota.
func (e *GrowthError) Unwrap() error { return ErrnoQuota }

// KVWrite is a change of one entry.
type KVWrite struct {
	Key   string
	Value []byte        // nil: the entry goes away
	TTL   time.Duration // for how long it stays; 0: for ever
	// Swap makes the change only if the entry's value is Old, where nil means
	// that there is none; otherwise it is refused with ErrnoConflict.
	Swap bool
	Old  []byte
}

// absent stands for the length of what is not there.
const absent = 1<<32 - 1

// AppendKVSet appends the request of kv's set: key length, key, value.
func AppendKVSet(dst []byte, key string, value []byte) []byte {
	return append(appendSized(dst, key), value...)
}

// DecodeKVSet reads the request of kv's set. The value aliases b.
func DecodeKVSet(b []byte) (w KVWrite, ok bool) {
	key, value, ok := cutSized(b)
	return KVWrite{Key: string(key), Value: present(value)}, ok
}

// AppendKVPut appends the request of kv's put: milliseconds to live, then as set.
func AppendKVPut(dst []byte, key string, value []byte, ttl time.Duration) []byte {
	return AppendKVSet(appendTTL(dst, ttl), key, value)
}

// DecodeKVPut reads the request of kv's put. The value aliases b.
func DecodeKVPut(b []byte) (w KVWrite, ok bool) {
	ttl, rest, ok := cutTTL(b)
	if !ok {
		return KVWrite{}, false
	}
	w, ok = DecodeKVSet(rest)
	w.TTL = ttl
	return w, ok
}

// AppendKVSwap appends the request of kv's swap: milliseconds to live, then key,
// old and new value, each with its length before it. Nil is what is not there.
func AppendKVSwap(dst []byte, w KVWrite) []byte {
	return appendOptional(appendOptional(appendSized(appendTTL(dst, w.TTL), w.Key), w.Old), w.Value)
}

// DecodeKVSwap reads the request of kv's swap. The values alias b.
func DecodeKVSwap(b []byte) (w KVWrite, ok bool) {
	w.Swap = true
	if w.TTL, b, ok = cutTTL(b); !ok {
		return w, false
	}
	key, b, ok := cutSized(b)
	if !ok {
		return w, false
	}
	w.Key = string(key)
	if w.Old, b, ok = cutOptional(b); !ok {
		return w, false
	}
	w.Value, b, ok = cutOptional(b)
	return w, ok && len(b) == 0
}

// AppendKVScan appends the request of kv's scan: prefix length, prefix, and the
// key after which to begin.
func AppendKVScan(dst []byte, prefix, after string) []byte {
	return append(appendSized(dst, prefix), after...)
}

// DecodeKVScan reads the request of kv's scan.
func DecodeKVScan(b []byte) (prefix, after string, ok bool) {
	first, rest, ok := cutSized(b)
	return string(first), string(rest), ok
}

// AppendKVKey appends one key to the response of kv's list and scan.
func AppendKVKey(dst []byte, key string) []byte { return appendSized(dst, key) }

// DecodeKVKeys reads the response of kv's list and scan.
func DecodeKVKeys(b []byte) (keys []string, ok bool) {
	for len(b) > 0 {
		key, rest, ok := cutSized(b)
		if !ok {
			return nil, false
		}
		keys = append(keys, string(key))
		b = rest
	}
	return keys, true
}

func appendTTL(dst []byte, ttl time.Duration) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64((ttl+time.Millisecond-1)/time.Millisecond))
}

func cutTTL(b []byte) (ttl time.Duration, rest []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	ms := binary.LittleEndian.Uint64(b)
	if ms > uint64(MaxKVTTL/time.Millisecond) {
		return 0, nil, false
	}
	return time.Duration(ms) * time.Millisecond, b[8:], true
}

// SumError is ErrnoQuota where not the app's own quota is used up, but one of what several apps keep in sum.
// It names no person.
type SumError struct{ Quota, Per string } // Per: "person", "group" or "node"

func (e *SumError) Error() string {
	whose := map[string]string{"person": "the person who owns the app", "group": "the group that owns the app", "node": "this node"}[e.Per]
	return fmt.Sprintf("the quota %q of %s is used up by what the apps keep in sum", e.Quota, whose)
}

// Unwrap returns ErrnoQuota.
func (e *SumError) Unwrap() error { return ErrnoQuota }
