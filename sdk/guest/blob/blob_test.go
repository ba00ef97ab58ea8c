//go:build !wasip1

package blob

import (
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
)

// TestStandIn: what stands in for the node behaves as the node does.
func TestStandIn(t *testing.T) {
	abitest.Blob(t, func(_ *testing.T, quota abi.KVQuota) (abi.Link, time.Time) {
		now := time.UnixMilli(1_800_000_000_123).UTC()
		return newFake(quota, func() time.Time { return now }).link(), now
	})
}

func TestBlob(t *testing.T) {
	Reset()
	if _, ok, err := Get("a"); ok || err != nil {
		t.Errorf("an absent blob: %v, %v", ok, err)
	}
	if err := Put("a", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if b, ok, err := Get("a"); string(b) != "hello" || !ok || err != nil {
		t.Errorf("%q, %v, %v", b, ok, err)
	}
	if b, err := GetRange("a", 1, 3); string(b) != "ell" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := GetRange("a", -1, 3); !errors.Is(err, abi.ErrnoInvalid) {
		t.Error(err)
	}
	if info, ok, err := Stat("a"); info.Size != 5 || info.Name != "a" || !ok || err != nil {
		t.Errorf("%+v, %v, %v", info, ok, err)
	}
	n := 0
	for info, err := range All("") {
		if n++; info.Name != "a" || info.Size != 5 || err != nil {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if err := Delete("a"); n != 1 || err != nil {
		t.Error(n, err)
	}
	SetQuota(3, 1)
	defer SetQuota(1<<30, 1<<20)
	if err := Put("a", []byte("hello")); !errors.Is(err, abi.ErrnoQuota) {
		t.Error(err)
	}
}
