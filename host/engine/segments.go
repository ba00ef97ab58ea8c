package engine

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/agora-host/agora/abi/wasm"
)

// segmentGap is how many zeros are written rather than beginning another segment.
const segmentGap = 64

// joinSegments joins data segments that lie close to each other. Go's linker makes a
// segment of every few bytes that are not zero, 33,000 for a small program, and
// the engine evaluates the offset of each when it reads them, when it validates
// them, and for each instance.
//
// What is in memory afterwards is the same, and so is whether all of it fits. What
// it costs was counted before (fuel.Result.InitCost). It is done only where no
// instruction can name a segment, and no two say what is at one place.
func joinSegments(m *wasm.Module) {
	if m.DataCount != nil || len(m.Data) < 2 {
		return
	}
	type part struct {
		at    uint64
		bytes []byte
	}
	parts := make([]part, len(m.Data))
	for i, d := range m.Data {
		at, ok := constantOffset(d.Offset)
		if d.Mode != wasm.Active || !ok {
			return
		}
		parts[i] = part{uint64(at), d.Bytes}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.at, b.at) })
	var joined []part
	for _, p := range parts {
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			end := last.at + uint64(len(last.bytes))
			if p.at < end {
				return // one writes over the other
			}
			if p.at-end <= segmentGap {
				last.bytes = append(append(last.bytes, make([]byte, p.at-end)...), p.bytes...)
				continue
			}
		}
		joined = append(joined, part{p.at, slices.Clip(p.bytes)})
	}
	m.Data = m.Data[:0:0]
	for _, p := range joined {
		m.Data = append(m.Data, wasm.Data{Offset: append(wasm.AppendS64([]byte{wasm.OpI32Const}, int64(int32(uint32(p.at)))), wasm.OpEnd), Bytes: p.bytes})
	}
}

// constantOffset reads an offset that is one constant.
func constantOffset(expr []byte) (uint32, bool) {
	if len(expr) < 3 || expr[0] != wasm.OpI32Const || expr[len(expr)-1] != wasm.OpEnd {
		return 0, false
	}
	// Signed: bits beyond the 32nd are copies of the sign.
	v, n := binary.Uvarint(expr[1:])
	if n != len(expr)-2 {
		return 0, false
	}
	if sign := uint(7 * n); sign < 64 && v>>(sign-1)&1 == 1 {
		v |= ^uint64(0) << sign
	}
	return uint32(v), true
}
