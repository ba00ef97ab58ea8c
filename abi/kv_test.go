package abi_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

func TestKVPayloads(t *testing.T) {
	for _, w := range []abi.KVWrite{
		{Key: "k", Value: []byte("v"), Swap: true},
		{Key: "k", Value: []byte{}, Swap: true, Old: []byte("o"), TTL: time.Second},
		{Key: "", Value: nil, Swap: true, Old: []byte{}, TTL: abi.MaxKVTTL},
	} {
		if got, ok := abi.DecodeKVSwap(abi.AppendKVSwap(nil, w)); !ok || !reflect.DeepEqual(got, w) {
			t.Errorf("swap = %+v %v, want %+v", got, ok, w)
		}
	}
	put := abi.KVWrite{Key: "k", Value: []byte{}, TTL: 1500 * time.Microsecond}
	got, ok := abi.DecodeKVPut(abi.AppendKVPut(nil, put.Key, put.Value, put.TTL))
	if put.TTL = 2 * time.Millisecond; !ok || !reflect.DeepEqual(got, put) { // rounded up: nothing ends early
		t.Errorf("put = %+v %v", got, ok)
	}
	if got, ok := abi.DecodeKVSet(abi.AppendKVSet(nil, "k", []byte("v"))); !ok || got.Key != "k" || string(got.Value) != "v" {
		t.Errorf("set = %+v %v", got, ok)
	}
	if prefix, after, ok := abi.DecodeKVScan(abi.AppendKVScan(nil, "p", "a")); !ok || prefix != "p" || after != "a" {
		t.Errorf("scan = %q %q %v", prefix, after, ok)
	}
	keys, ok := abi.DecodeKVKeys(abi.AppendKVKey(abi.AppendKVKey(nil, "a"), ""))
	if !ok || strings.Join(keys, ",") != "a," {
		t.Errorf("keys = %q %v", keys, ok)
	}
}

// FuzzKV: what is decoded is, encoded again, what it was.
func FuzzKV(f *testing.F) {
	f.Add(abi.AppendKVSet(nil, "k", []byte("v")))
	f.Add(abi.AppendKVPut(nil, "k", nil, time.Hour))
	f.Add(abi.AppendKVSwap(nil, abi.KVWrite{Key: "k", Value: []byte("v"), TTL: time.Second}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, again []byte, ok bool) {
			if ok && string(again) != string(b) {
				t.Errorf("%s: %x becomes %x", what, b, again)
			}
		}
		set, ok := abi.DecodeKVSet(b)
		same("set", abi.AppendKVSet(nil, set.Key, set.Value), ok)
		put, ok := abi.DecodeKVPut(b)
		same("put", abi.AppendKVPut(nil, put.Key, put.Value, put.TTL), ok)
		swap, ok := abi.DecodeKVSwap(b)
		same("swap", abi.AppendKVSwap(nil, swap), ok)
		prefix, after, ok := abi.DecodeKVScan(b)
		same("scan", abi.AppendKVScan(nil, prefix, after), ok)
		keys, ok := abi.DecodeKVKeys(b)
		var again []byte
		for _, key := range keys {
			again = abi.AppendKVKey(again, key)
		}
		same("keys", again, ok)
	})
}

func TestPrefixOf(t *testing.T) {
	for key, want := range map[string]string{"": "", "plain": "", "note/1/2": "note/", "a:b": "a:", ".x": ".", "user-1": "user-", "é_x": "é_"} {
		if got := abi.PrefixOf(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
