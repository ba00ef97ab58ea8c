package metering

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func sample() Invocation {
	return Invocation{
		App: "a", Release: 3, Tier: "sandbox", CostCenter: "CC-1", Team: "t", Fault: "trap", At: time.UnixMicro(1_770_000_000_000_000).UTC(),
		Counts: Counts{1, 1 << 40, 3, 4, 5},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	v := sample()
	raw, err := appendRecord(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(raw[recordPrefix:])
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, v)
	}
	v.App = string(make([]byte, maxRecordText+1))
	if _, err := appendRecord(nil, &v); err == nil {
		t.Error("a text over its limit was journaled")
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
