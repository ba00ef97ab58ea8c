//go:build !wasip1

package kv_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/sdk/guest/kv"
)

func TestInMemory(t *testing.T) {
	kv.Reset()
	if _, ok, err := kv.Get("a"); ok || err != nil {
		t.Errorf("an absent key: %v, %v", ok, err)
	}
	for _, k := range []string{"b", "a", "c/1"} {
		if err := kv.Set(k, []byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	if v, ok, err := kv.Get("a"); string(v) != "a" || !ok || err != nil {
		t.Errorf("got %q, %v, %v", v, ok, err)
	}
	if keys, err := kv.List(""); !slices.Equal(keys, []string{"a", "b", "c/1"}) || err != nil {
		t.Errorf("got %v, %v", keys, err)
	}
	if err := kv.Delete("a"); err != nil {
		t.Error(err)
	}
	if _, ok, _ := kv.Get("a"); ok {
		t.Error("deleted, and still there")
	}
	if err := kv.Set("", nil); !errors.Is(err, abi.ErrnoInvalid) {
		t.Errorf("an empty key: %v", err)
	}
}

// TestStandIn: what stands in for the node behaves as the node does.
func TestStandIn(t *testing.T) {
	abitest.KV(t, func(_ *testing.T, quota abi.KVQuota) (abi.Link, func(time.Duration)) {
		f := kv.NewFake(quota)
		return f.Link(), f.Pass
	})
}

func TestSwap(t *testing.T) {
	kv.Reset()
	if added, err := kv.Add("n", []byte("1")); !added || err != nil {
		t.Fatal(added, err)
	}
	if added, err := kv.Add("n", []byte("1")); added || err != nil {
		t.Error("added again", err)
	}
	if swapped, err := kv.Swap("n", []byte("2"), []byte("3")); swapped || err != nil {
		t.Error("swapped for another value", err)
	}
	if added, err := kv.Add("empty", nil); !added || err != nil {
		t.Error(added, err)
	}
	if v, ok, err := kv.Get("empty"); len(v) > 0 || !ok || err != nil {
		t.Errorf("an empty value: %q, %v, %v", v, ok, err)
	}
	tries := 0
	err := kv.Update("n", func(old []byte) []byte {
		if tries++; tries == 1 { // something comes between
			if err := kv.Set("n", []byte("5")); err != nil {
				t.Fatal(err)
			}
		}
		return append(old, '+')
	})
	if v, _, _ := kv.Get("n"); string(v) != "5+" || err != nil || tries != 2 {
		t.Errorf("%q after %d tries, %v", v, tries, err)
	}
	if err := kv.Put("n", []byte("x"), time.Second); err != nil {
		t.Fatal(err)
	}
	kv.Pass(time.Second)
	if _, ok, _ := kv.Get("n"); ok {
		t.Error("its time is over, and it is there")
	}
	if err := kv.Put("n", nil, 0); !errors.Is(err, abi.ErrnoInvalid) {
		t.Errorf("no time at all: %v", err)
	}
}

func TestKeys(t *testing.T) {
	kv.Reset()
	for i := range 2500 {
		if err := kv.Set(fmt.Sprintf("k/%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for key, err := range kv.Keys("k/") {
		if err != nil || key != fmt.Sprintf("k/%04d", n) {
			t.Fatalf("key %d is %q, %v", n, key, err)
		}
		n++
	}
	if n != 2500 {
		t.Errorf("%d keys", n)
	}
}
