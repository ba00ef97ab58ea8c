package abi_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

func TestBlobPayloads(t *testing.T) {
	if name, contents, ok := abi.DecodeBlobPut(abi.AppendBlobPut(nil, "n", []byte("c"))); !ok || name != "n" || string(contents) != "c" {
		t.Errorf("put = %q %q %v", name, contents, ok)
	}
	if name, offset, length, ok := abi.DecodeBlobGet(abi.AppendBlobGet(nil, "n", 3, 1<<40)); !ok || name != "n" || offset != 3 || length != 1<<40 {
		t.Errorf("get = %q %d %d %v", name, offset, length, ok)
	}
	if _, _, _, ok := abi.DecodeBlobGet(abi.AppendBlobGet(nil, "n", -1, 1)); ok {
		t.Error("an offset below zero is taken")
	}
	info := abi.BlobInfo{Size: 7, Modified: time.UnixMilli(1234).UTC(), Digest: [32]byte{1, 31: 2}}
	if got, ok := abi.DecodeBlobStat(abi.AppendBlobStat(nil, info)); !ok || got != info {
		t.Errorf("stat = %+v %v", got, ok)
	}
	want := []abi.BlobInfo{{Name: "a", Size: 1}, {Name: "", Size: 0}}
	if got, ok := abi.DecodeBlobEntries(abi.AppendBlobEntry(abi.AppendBlobEntry(nil, "a", 1), "", 0)); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("entries = %+v %v", got, ok)
	}
}

// FuzzBlob: what is decoded is, encoded again, what it was.
func FuzzBlob(f *testing.F) {
	f.Add(abi.AppendBlobPut(nil, "n", []byte("c")))
	f.Add(abi.AppendBlobGet(nil, "n", 1, 2))
	f.Add(abi.AppendBlobStat(nil, abi.BlobInfo{Size: 1, Modified: time.UnixMilli(5)}))
	f.Add(abi.AppendBlobEntry(abi.AppendBlobEntry(nil, "a", 1), "b", 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, again []byte, ok bool) {
			if ok && string(again) != string(b) {
				t.Errorf("%s: %x becomes %x", what, b, again)
			}
		}
		name, contents, ok := abi.DecodeBlobPut(b)
		same("put", abi.AppendBlobPut(nil, name, contents), ok)
		name, offset, length, ok := abi.DecodeBlobGet(b)
		same("get", abi.AppendBlobGet(nil, name, offset, length), ok)
		info, ok := abi.DecodeBlobStat(b)
		same("stat", abi.AppendBlobStat(nil, info), ok)
		all, ok := abi.DecodeBlobEntries(b)
		var again []byte
		for _, i := range all {
			again = abi.AppendBlobEntry(again, i.Name, i.Size)
		}
		same("entries", again, ok)
	})
}
