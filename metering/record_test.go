package metering

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"testing"
	"time"
)

func sample() Invocation {
	return Invocation{
		App: "a", Release: 3, Tier: "sandbox", CostCenter: "CC-1", Team: "t", Fault: "trap", At: time.UnixMicro(1_770_000_000_000_000).UTC(),
		Counts: Counts{Instructions: 1, GuestMicros: 1 << 40, HostMicros: 2, MemoryKiBMS: 3, BytesIn: 4, BytesOut: 5},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	v := sample()
	raw, err := appendRecord(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(raw[recordPrefix:], true)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, v)
	}
	v.App = string(make([]byte, maxRecordText+1))
	if _, err := appendRecord(nil, &v); err == nil {
		t.Error("a text over its limit was journaled")
	}
}

// TestEarlierJournal: a journal in the form before host time was counted, byte
// by byte as it was written then.
func TestEarlierJournal(t *testing.T) {
	payload := []byte{5, 3, 10, 20, 30, 40, 50, 1, 'a', 7}
	payload = append(append(payload, "sandbox"...), 1, 'c', 1, 't', 0)
	raw := binary.LittleEndian.AppendUint64([]byte("AGJ1"), 9)
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(payload)))
	raw = append(binary.LittleEndian.AppendUint32(raw, crc32.Checksum(payload, castagnoli)), payload...)
	epoch, cells, err := replay(bytes.NewReader(raw))
	if err != nil || epoch != 9 || len(cells.m) != 1 {
		t.Fatalf("epoch %d, %d cells, %v", epoch, len(cells.m), err)
	}
	for key, u := range cells.m {
		if want := (Counts{Instructions: 10, GuestMicros: 20, MemoryKiBMS: 30, BytesIn: 40, BytesOut: 50}); u.Counts != want || key.App != "a" || key.Release != 3 {
			t.Errorf("%+v: %+v, want %+v", key, u.Counts, want)
		}
	}
}

// FuzzJournal: whatever bytes are found, replay ends, in bounded memory, and
// counts no more calls than there is room for.
func FuzzJournal(f *testing.F) {
	v := sample()
	whole, err := appendRecord(appendHeader(nil, 7), &v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte("AGJ1"))
	f.Add(append([]byte("AGJ1"), whole[4:]...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, cells, _ := replay(bytes.NewReader(raw))
		var calls uint64
		for _, u := range cells.m {
			calls += u.Calls
		}
		if calls > uint64(len(raw)/recordPrefix) {
			t.Errorf("%d calls in %d bytes", calls, len(raw))
		}
	})
}
