package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
)

func segment(at uint32, text string) wasm.Data {
	return wasm.Data{Offset: append(wasm.AppendS64([]byte{wasm.OpI32Const}, int64(int32(at))), wasm.OpEnd), Bytes: []byte(text)}
}

// laidOut is what segments make of an empty memory; false if one does not fit.
func laidOut(t *testing.T, data []wasm.Data, size uint64) ([]byte, bool) {
	t.Helper()
	memory := make([]byte, size)
	for _, d := range data {
		at, ok := constantOffset(d.Offset)
		if !ok {
			t.Fatalf("the offset %x is not read", d.Offset)
		}
		if uint64(at)+uint64(len(d.Bytes)) > size {
			return nil, false
		}
		copy(memory[at:], d.Bytes)
	}
	return memory, true
}

// TestJoinedSegments: memory is the same, and so is whether all of it fits.
func TestJoinedSegments(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	fewer := 0
	for range 300 {
		m := &wasm.Module{}
		for range 2 + r.IntN(12) {
			m.Data = append(m.Data, segment(r.Uint32N(4000), "text of a segment"[:r.IntN(17)]))
		}
		before := m.Data
		joinSegments(m)
		if len(m.Data) < len(before) {
			fewer++
		}
		for _, size := range []uint64{3000, 3900, 5000} {
			want, fits := laidOut(t, before, size)
			got, also := laidOut(t, m.Data, size)
			if fits != also || !bytes.Equal(got, want) {
				t.Fatalf("%d segments, joined to %d, make another memory of %d bytes", len(before), len(m.Data), size)
			}
		}
	}
	if fewer < 50 {
		t.Errorf("only %d modules had segments that were joined", fewer)
	}
}

// TestSegmentsThatAreLeft: where a segment has a name, or order matters, nothing is joined.
func TestSegmentsThatAreLeft(t *testing.T) {
	two := uint32(2)
	for name, m := range map[string]*wasm.Module{
		"named by instructions":   {DataCount: &two, Data: []wasm.Data{segment(0, "a"), segment(1, "b")}},
		"one over the other":      {Data: []wasm.Data{segment(0, "abc"), segment(2, "d")}},
		"passive":                 {Data: []wasm.Data{segment(0, "abc"), {Mode: wasm.Passive, Bytes: []byte("d")}}},
		"placed by a global":      {Data: []wasm.Data{segment(0, "abc"), {Offset: []byte{wasm.OpGlobalGet, 0, wasm.OpEnd}, Bytes: []byte("d")}}},
		"far from each other":     {Data: []wasm.Data{segment(0, "abc"), segment(1000, "d")}},
		"at both ends, as signed": {Data: []wasm.Data{segment(1<<32-10, "abc"), segment(8, "d")}},
	} {
		if joinSegments(m); len(m.Data) != 2 {
			t.Errorf("%s: %d segments", name, len(m.Data))
		}
	}
}
