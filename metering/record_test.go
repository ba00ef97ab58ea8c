package metering

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"reflect"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

func sample() Invocation {
	return Invocation{
		ID: "00ff12ab", Tags: Tags{App: "a", Release: 3, Tier: "sandbox", CostCenter: "CC-1", Team: "t", Owner: "ada@example.com", Environment: "prod", Trigger: TriggerCron},
		Fault:  "trap",
		Counts: Counts{Instructions: 1, GuestMicros: 1 << 40, HostMicros: 2, MemoryKiBMS: 3, BytesIn: 4, BytesOut: 5},
		Uses:   []abi.Use{{Capability: "fetch", Meter: abi.MeterBytesSent, Subject: "example.com", N: 1 << 33}, {Capability: "llm", Meter: abi.MeterInputTokens, Subject: "m", N: 7}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	at := time.UnixMicro(1_770_000_000_000_000).UTC()
	for _, id := range []string{"", "00ff12ab", "00FF", "abc", "standing/kv", "éé"} {
		v := sample()
		v.ID = id
		raw, err := appendRecord(nil, kindCheckpoint, at, &v)
		if err != nil {
			t.Fatal(err)
		}
		k, when, got, err := decoded(newDecoder(), raw)
		if err != nil || k != kindCheckpoint || !when.Equal(at) || !reflect.DeepEqual(got, v) {
			t.Errorf("%q: got %v %s %+v, %v\nwant %+v", id, k, when, got, err, v)
		}
	}
	long := string(make([]byte, maxRecordText+1))
	for _, spoil := range []func(*Invocation){
		func(v *Invocation) { v.App = long }, func(v *Invocation) { v.ID = long },
		func(v *Invocation) { v.Uses[0].Subject = long }, func(v *Invocation) { v.Uses = make([]abi.Use, maxRecordUses+1) },
	} {
		v := sample()
		spoil(&v)
		if _, err := appendRecord(nil, kindInvocation, at, &v); err == nil {
			t.Errorf("%.80v: a text over its limit was journaled", v)
		}
	}
}

func decoded(d *decoder, raw []byte) (kind, time.Time, Invocation, error) {
	var r record
	err := d.decode(raw, &r)
	return r.kind, r.at, r.lasting(), err
}

// TestEarlierJournal: a journal in the form before host time was counted, byte
// by byte as it was written then.
func TestEarlierJournal(t *testing.T) {
	payload := []byte{5, 3, 10, 20, 30, 40, 50, 1, 'a', 7}
	payload = append(append(payload, "sandbox"...), 1, 'c', 1, 't', 0)
	raw := earlierRecord("AGJ1", payload)
	r, err := replay(bytes.NewReader(raw), nil)
	if err != nil || r.epoch != 9 || !r.earlier || len(r.cells.m) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for key, u := range r.cells.m {
		if want := (Counts{Instructions: 10, GuestMicros: 20, MemoryKiBMS: 30, BytesIn: 40, BytesOut: 50}); u.Counts != want || key.App != "a" || key.Release != 3 {
			t.Errorf("%+v: %+v, want %+v", key, u.Counts, want)
		}
	}
}

func earlierRecord(magic string, payload []byte) []byte {
	raw := binary.LittleEndian.AppendUint64([]byte(magic), 9)
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(payload)))
	return append(binary.LittleEndian.AppendUint32(raw, crc32.Checksum(payload, castagnoli)), payload...)
}

// FuzzJournal: whatever bytes are found, replay ends, in bounded memory, and
// counts no more calls than there is room for.
func FuzzJournal(f *testing.F) {
	whole := written(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Add([]byte("AGJ1"))
	f.Add(earlierRecord("AGJ2", []byte{5, 3, 10, 20, 25, 30, 40, 50, 0, 0, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, _ := replay(bytes.NewReader(raw), nil)
		if calls := r.cells.total().Calls + r.unproven.Calls; calls > uint64(len(raw)/8) {
			t.Errorf("%d calls in %d bytes", calls, len(raw))
		}
	})
}

// FuzzRecord: decoding what was encoded from what was decoded changes nothing.
func FuzzRecord(f *testing.F) {
	v := sample()
	raw, err := appendRecord(nil, kindInvocation, time.Unix(1, 0), &v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, at, v, err := decoded(newDecoder(), raw)
		if err != nil {
			return
		}
		again, err := appendRecord(nil, k, at, &v)
		if err != nil {
			t.Fatal(err)
		}
		k2, at2, v2, err := decoded(newDecoder(), again)
		if err != nil || k2 != k || !at2.Equal(at) || !reflect.DeepEqual(v, v2) {
			t.Errorf("%v %s %+v, %v\nwas %v %s %+v", k2, at2, v2, err, k, at, v)
		}
	})
}

// written is a journal with a few records.
func written(t testing.TB) []byte {
	return journalOf(t, func(put func(kind, time.Time, *Invocation)) {
		for _, k := range []kind{kindInvocation, kindCheckpoint, kindStanding, kindInvocation} {
			v := sample()
			put(k, time.Unix(1_770_000_000, 0), &v)
		}
	})
}

// BenchmarkReplay reads a journal of a hundred thousand calls of a thousand apps.
func BenchmarkReplay(b *testing.B) {
	raw := journalOf(b, func(put func(kind, time.Time, *Invocation)) {
		for i := range 100_000 {
			v := sample()
			v.ID, v.App, v.Fault, v.Uses = fmt.Sprintf("%024x", i), fmt.Sprint("app-", i%1000), "", nil
			put(kindInvocation, time.Unix(1_770_000_000, 0), &v)
		}
	})
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if r, err := replay(bytes.NewReader(raw), nil); err != nil || r.cells.total().Calls != 100_000 {
			b.Fatal(err)
		}
	}
}
