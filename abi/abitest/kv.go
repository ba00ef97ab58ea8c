package abitest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// kvQuota is what the link under test has to be bound with.
var kvQuota = abi.KVQuota{Bytes: 2 * abi.MaxKVValue, Keys: 1100}

// KV runs the table of kv. open returns a link to an empty space with a quota,
// and a function that lets time pass.
func KV(t *testing.T, open func(t *testing.T, quota abi.KVQuota) (link abi.Link, pass func(time.Duration))) {
	link, pass := open(t, kvQuota)
	complete(t, "kv", link)
	for _, c := range kvCalls() {
		c.check(t, link)
	}
	t.Run("expiry", func(t *testing.T) {
		kvExpiry(t, link, pass)
	})
	t.Run("scan", func(t *testing.T) { kvScan(t, link) })
}

func key(s string) []byte                     { return []byte(s) }
func set(k, v string) []byte                  { return abi.AppendKVSet(nil, k, []byte(v)) }
func put(k, v string, d time.Duration) []byte { return abi.AppendKVPut(nil, k, []byte(v), d) }

// swap makes a request from strings, of which nil means that there is nothing.
func swap(k string, was, becomes any) []byte {
	optional := func(v any) []byte {
		if v == nil {
			return nil
		}
		return append([]byte{}, v.(string)...)
	}
	return abi.AppendKVSwap(nil, abi.KVWrite{Key: k, Old: optional(was), Value: optional(becomes)})
}

func listed(keys ...string) (out []byte) {
	for _, k := range keys {
		out = abi.AppendKVKey(out, k)
	}
	return out
}

func kvCalls() []call {
	long := strings.Repeat("k", abi.MaxKVKey+1)
	full := strings.Repeat("v", abi.MaxKVValue)
	return []call{
		{"nothing is there", "get", key("x"), nil, abi.ErrnoNotFound},
		{"what is set is there", "set", set("x", "1"), nil, 0},
		{"what is set is there", "get", key("x"), []byte("1"), 0},
		{"setting again replaces", "set", set("x", "22"), nil, 0},
		{"setting again replaces", "get", key("x"), []byte("22"), 0},
		{"an empty value is a value", "set", set("e", ""), nil, 0},
		{"an empty value is a value", "get", key("e"), nil, 0},
		{"keys are bytes", "set", set("\x00\xff/é", "b"), nil, 0},
		{"keys are bytes", "get", key("\x00\xff/é"), []byte("b"), 0},
		{"all keys, in order", "list", nil, listed("\x00\xff/é", "e", "x"), 0},
		{"keys with a prefix", "list", key("x"), listed("x"), 0},
		{"no key has the prefix", "list", key("y"), nil, 0},

		{"the longest key", "set", set(long[1:], "v"), nil, 0},
		{"the longest key", "delete", key(long[1:]), nil, 0},
		{"an empty key", "set", set("", "v"), nil, abi.ErrnoInvalid},
		{"an empty key", "get", nil, nil, abi.ErrnoInvalid},
		{"an empty key", "delete", nil, nil, abi.ErrnoInvalid},
		{"an empty key", "swap", swap("", nil, "v"), nil, abi.ErrnoInvalid},
		{"a key too long", "get", key(long), nil, abi.ErrnoTooLarge},
		{"a key too long", "set", set(long, "v"), nil, abi.ErrnoTooLarge},
		{"a key too long", "delete", key(long), nil, abi.ErrnoTooLarge},
		{"a prefix too long", "list", key(long), nil, abi.ErrnoTooLarge},
		{"a cursor too long", "scan", abi.AppendKVScan(nil, "", long), nil, abi.ErrnoTooLarge},
		{"a value too long", "set", set("y", full+"v"), nil, abi.ErrnoTooLarge},
		{"a value too long", "put", put("y", full+"v", 0), nil, abi.ErrnoTooLarge},
		{"a value too long", "swap", swap("y", nil, full+"v"), nil, abi.ErrnoTooLarge},

		{"no length", "set", nil, nil, abi.ErrnoInvalid},
		{"a length that lies", "set", []byte{255, 255, 255, 255, 'x'}, nil, abi.ErrnoInvalid},
		{"no time", "put", []byte("1234567"), nil, abi.ErrnoInvalid},
		{"a time beyond all bounds", "put", append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, set("y", "v")...), nil, abi.ErrnoInvalid},
		{"a swap that ends early", "swap", swap("x", "22", "3")[:20], nil, abi.ErrnoInvalid},
		{"a swap with more behind it", "swap", append(swap("x", "22", "3"), 0), nil, abi.ErrnoInvalid},
		{"a scan that ends early", "scan", []byte{1, 0, 0}, nil, abi.ErrnoInvalid},
		{"nothing of that changed anything", "get", key("x"), []byte("22"), 0},

		{"a swap expects another value", "swap", swap("x", "1", "3"), nil, abi.ErrnoConflict},
		{"a swap expects nothing", "swap", swap("x", nil, "3"), nil, abi.ErrnoConflict},
		{"a swap expects what is not there", "swap", swap("none", "", "3"), nil, abi.ErrnoConflict},
		{"a refused swap changes nothing", "get", key("x"), []byte("22"), 0},
		{"a swap", "swap", swap("x", "22", "3"), nil, 0},
		{"a swap", "get", key("x"), []byte("3"), 0},
		{"a swap of an empty value", "swap", swap("e", "", "4"), nil, 0},
		{"a swap that adds", "swap", swap("new", nil, ""), nil, 0},
		{"a swap that adds, again", "swap", swap("new", nil, ""), nil, abi.ErrnoConflict},
		{"a swap that deletes", "swap", swap("new", "", nil), nil, 0},
		{"a swap that deletes, again", "swap", swap("new", "", nil), nil, abi.ErrnoConflict},
		{"a swap of nothing for nothing", "swap", swap("new", nil, nil), nil, 0},

		{"deleting", "delete", key("x"), nil, 0},
		{"deleting what is not there", "delete", key("x"), nil, 0},
		{"deleted", "get", key("x"), nil, abi.ErrnoNotFound},
		{"deleting", "delete", key("e"), nil, 0},
		{"deleting", "delete", key("\x00\xff/é"), nil, 0},
		{"all gone", "list", nil, nil, 0},

		{"up to the quota", "set", set("a", full), nil, 0},
		{"over the quota", "set", set("b", full), nil, abi.ErrnoQuota},
		{"over the quota", "swap", swap("b", nil, full), nil, abi.ErrnoQuota},
		{"over the quota", "put", put("b", full, time.Minute), nil, abi.ErrnoQuota},
		{"what is over the quota is not there", "get", key("b"), nil, abi.ErrnoNotFound},
		{"up to the quota, to the byte", "set", set("b", full[2:]), nil, 0},
		{"replacing does not count twice", "set", set("b", full[3:]), nil, 0},
		{"one byte is free", "set", set("b", full[2:]), nil, 0},
		{"one byte more is not", "set", set("b", full[1:]), nil, abi.ErrnoQuota},
		{"deleting frees", "delete", key("a"), nil, 0},
		{"deleting frees", "set", set("c", full[2:]), nil, 0},
		{"deleting", "delete", key("b"), nil, 0},
		{"deleting", "delete", key("c"), nil, 0},
	}
}

func kvExpiry(t *testing.T, link abi.Link, pass func(time.Duration)) {
	full := strings.Repeat("v", abi.MaxKVValue)
	steps := []struct {
		pass time.Duration
		call
	}{
		{0, call{"a life", "put", put("t", "1", 10*time.Second), nil, 0}},
		{9 * time.Second, call{"before its end", "get", key("t"), []byte("1"), 0}},
		{time.Second, call{"at its end", "get", key("t"), nil, abi.ErrnoNotFound}},
		{0, call{"what has expired is not listed", "list", nil, nil, 0}},
		{0, call{"what has expired is not there", "swap", swap("t", "1", "2"), nil, abi.ErrnoConflict}},
		{0, call{"what has expired can be added", "swap", swap("t", nil, "2"), nil, 0}},
		{time.Hour, call{"which has no end", "get", key("t"), []byte("2"), 0}},
		{0, call{"a new life", "put", put("t", "3", 10*time.Second), nil, 0}},
		{5 * time.Second, call{"a longer one", "put", put("t", "3", 10*time.Second), nil, 0}},
		{9 * time.Second, call{"a longer one", "get", key("t"), []byte("3"), 0}},
		{0, call{"set takes the end away", "set", set("t", "4"), nil, 0}},
		{time.Hour, call{"set takes the end away", "get", key("t"), []byte("4"), 0}},
		{0, call{"deleting", "delete", key("t"), nil, 0}},

		{0, call{"half of the quota", "put", put("a", full[1:], time.Second), nil, 0}},
		{0, call{"all of it", "put", put("b", full[1:], time.Minute), nil, 0}},
		{0, call{"no more", "set", set("c", "v"), nil, abi.ErrnoQuota}},
		{2 * time.Second, call{"what has expired does not count", "set", set("c", full[1:]), nil, 0}},
		{0, call{"one of them lives", "list", nil, listed("b", "c"), 0}},
		{time.Minute, call{"the other does not", "list", nil, listed("c"), 0}},
		{0, call{"a place that expired is taken again", "set", set("b", full[1:]), nil, 0}},
		{0, call{"deleting", "delete", key("b"), nil, 0}},
		{0, call{"deleting", "delete", key("c"), nil, 0}},
		{0, call{"nothing is left", "list", nil, nil, 0}},
	}
	for _, s := range steps {
		pass(s.pass)
		s.check(t, link)
	}
}

// kvScan walks over more keys than one response has, up to the quota of keys.
func kvScan(t *testing.T, link abi.Link) {
	var keys []string
	for i := range int(kvQuota.Keys) {
		keys = append(keys, fmt.Sprintf("k/%04d", i))
		call{"a key", "set", set(keys[i], ""), nil, 0}.check(t, link)
	}
	for _, c := range []call{
		{"one key too many", "set", set("l", ""), nil, abi.ErrnoQuota},
		{"one key too many", "swap", swap("l", nil, ""), nil, abi.ErrnoQuota},
		{"replacing is no new key", "set", set(keys[0], "v"), nil, 0},
		{"a list has a bound", "list", nil, listed(keys[:abi.MaxKVList]...), 0},
		{"from the first", "scan", abi.AppendKVScan(nil, "k/", ""), listed(keys[:abi.MaxKVList]...), 0},
		{"after a key", "scan", abi.AppendKVScan(nil, "k/", keys[999]), listed(keys[1000:]...), 0},
		{"after a key that is not there", "scan", abi.AppendKVScan(nil, "k/", "k/1049x"), listed(keys[1050:]...), 0},
		{"after a key before the prefix", "scan", abi.AppendKVScan(nil, "k/109", "a"), listed(keys[1090:]...), 0},
		{"after the last", "scan", abi.AppendKVScan(nil, "k/", keys[len(keys)-1]), nil, 0},
		{"after all of the prefix", "scan", abi.AppendKVScan(nil, "k/0", "k/1"), nil, 0},
	} {
		c.check(t, link)
	}
}
