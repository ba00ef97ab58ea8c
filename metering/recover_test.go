package metering

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/journal"
)

// TestReplay: what is read from a journal is what a list of its records adds up
// to, although a reader keeps what records share and where they belong.
func TestReplay(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		want, running := newCells(), map[string]said{}
		raw := journalOf(t, func(put func(kind, time.Time, *Invocation)) {
			for range 2000 {
				one := say(r, running)
				put(one.kind, one.at, one.v)
				switch one.kind {
				case kindCheckpoint:
					running[one.v.ID] = one
					continue
				case kindInvocation:
					delete(running, one.v.ID)
				}
				one.count(want)
			}
		})
		for _, one := range running {
			one.kind, one.v.Fault = kindInvocation, FaultCutOff
			one.count(want)
		}
		got, err := replay(bytes.NewReader(raw), nil)
		if err != nil || len(got.cells.m) != len(want.m) || len(running) == 0 {
			t.Fatalf("seed %d: %d cells, want %d, %v", seed, len(got.cells.m), len(want.m), err)
		}
		for k, c := range want.m {
			if has := got.cells.m[k]; has == nil || !has.Equal(c.Usage) {
				t.Fatalf("seed %d, %+v:\ngot %+v\nwant %+v", seed, k, has, c.Usage)
			}
		}
	}
}

// said is what a test puts into a journal.
type said struct {
	kind kind
	at   time.Time
	v    *Invocation
}

func (s said) count(all cells) {
	var calls uint64
	if s.kind == kindInvocation {
		calls = 1
	}
	c := all.at(hourOf(s.at), &s.v.Tags)
	u := c.Usage.Add(Usage{Calls: calls, Counts: s.v.Counts, Uses: s.v.Uses})
	if s.v.Fault != "" {
		u = u.Add(Usage{Errors: map[string]uint64{s.v.Fault: calls}})
	}
	c.Usage = u
}

// say makes up a record: of few apps, so that neighbours differ in one thing.
func say(r *rand.Rand, running map[string]said) said {
	s := said{kind: kindInvocation, at: time.Unix(1_770_000_000, 0).Add(time.Duration(r.IntN(3)) * time.Hour)}
	if r.IntN(4) == 0 {
		s.kind = kind(1 + r.IntN(3))
	}
	v := Invocation{
		ID: fmt.Sprintf("%024x", r.Uint64()), Tags: Tags{App: fmt.Sprint("app-", r.IntN(3)), Release: r.IntN(2), Tier: "pilot", Trigger: []string{TriggerHTTP, TriggerCron}[r.IntN(2)]},
		Fault:  []string{"", "trap", "tram"}[r.IntN(3)],
		Counts: Counts{Instructions: r.Uint64N(1 << 40), GuestMicros: r.Uint64N(2), BytesOut: r.Uint64N(300)},
	}
	for i := range r.IntN(3) {
		v.Uses = append(v.Uses, abi.Use{Capability: "fetch", Meter: abi.MeterBytesSent, Subject: fmt.Sprint(i, r.IntN(4)), N: 1 + r.Uint64N(500)})
	}
	if ids := slices.Sorted(maps.Keys(running)); len(ids) > 10 { // one of them goes on, or ends
		v.ID = ids[r.IntN(len(ids))]
		v.Tags = running[v.ID].v.Tags
	}
	s.v = &v
	return s
}

// journalOf returns the bytes of a closed journal.
func journalOf(t testing.TB, fill func(put func(kind, time.Time, *Invocation))) []byte {
	disk, err := journal.Disk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(disk, "x", journal.Header{Node: "000102030405060708090a0b0c0d0e0f", Epoch: 7}, nil, func(uint64) {})
	if err != nil {
		t.Fatal(err)
	}
	fill(func(k kind, at time.Time, v *Invocation) {
		payload, err := appendRecord(nil, k, at, v)
		if err == nil {
			_, _, err = j.Append(journal.Process, payload)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := disk.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	raw, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestFewerCounts: a record from before a count was added has none of it, whatever
// the record before it had.
func TestFewerCounts(t *testing.T) {
	full, less := sample(), sample()
	less.Counts = Counts{}
	a, err := appendRecord(nil, kindInvocation, time.Unix(1, 0), &full)
	if err != nil {
		t.Fatal(err)
	}
	b, err := appendRecord(nil, kindInvocation, time.Unix(1, 0), &less)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]byte{6}, make([]byte, 6)...)
	if !bytes.Contains(b, all) {
		t.Fatal("the counts are not where they were")
	}
	b = bytes.Replace(b, all, slices.Concat([]byte{5}, make([]byte, 5)), 1)
	d, r := newDecoder(), record{}
	for _, raw := range [][]byte{a, b} {
		if err := d.decode(raw, &r); err != nil {
			t.Fatal(err)
		}
	}
	if r.Counts != (Counts{}) {
		t.Errorf("counts of the record before: %+v", r.Counts)
	}
}
