//go:build !wasip1

package kv_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi"
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
