package fuel

import (
	"slices"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
)

// load may trap.
var load = []byte{wasm.OpI32Const, 0, 0x28, 2, 0, wasm.OpDrop}

// TestPlacement: what each segment takes, and what is left in it for others.
func TestPlacement(t *testing.T) {
	diamond := func(arm []byte) []byte {
		return slices.Concat([]byte{wasm.OpLocalGet, 0, wasm.OpIf, wasm.BlockEmpty}, arm, []byte{wasm.OpElse, wasm.OpNop, wasm.OpNop, wasm.OpEnd, wasm.OpNop, wasm.OpEnd})
	}
	for _, c := range []struct {
		name string
		code []byte
		want []int64 // by segment
	}{
		// The branch leaves 2 to the arms, which leave 2+1 or 2+2-1 to what follows.
		{"nothing traps", diamond([]byte{wasm.OpNop}), []int64{0, 0, 1, 4, 0}},
		// An arm that may trap takes its own and what was left to it, and leaves nothing.
		{"an arm may trap", diamond(load), []int64{0, 5, 4, 1, 0}},
		{"what may trap takes all it costs before it does", append(slices.Clone(load), wasm.OpEnd), []int64{3, 0}},
		// The end of the loop leaves 4 to its head, and so does who comes from outside: 1-4.
		{"a loop", slices.Concat([]byte{wasm.OpLoop, wasm.BlockEmpty, wasm.OpCall, 0, wasm.OpNop, wasm.OpNop, wasm.OpLocalGet, 0, wasm.OpBrIf, 0, wasm.OpEnd, wasm.OpEnd}), []int64{0, 5, 0, 0, 4, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := survey(c.code, Newest)
			var got []int64
			for _, s := range p.segments {
				got = append(got, s.charge)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("charges %v, want %v", got, c.want)
			}
		})
	}
}

// TestHold: the head of a loop reads the local only where that is of use and
// everybody who arrives has set it.
func TestHold(t *testing.T) {
	nops := slices.Repeat([]byte{wasm.OpNop}, dense)
	for _, c := range []struct {
		name string
		body []byte
		want bool
	}{
		{"charges are close", load, true},
		{"charges are far apart", slices.Concat(load, nops), false},
		{"a call, and a charge behind it", slices.Concat([]byte{wasm.OpCall, 0}, load), true},
		{"a call at the end of each of two ways", slices.Concat([]byte{wasm.OpLocalGet, 0, wasm.OpIf, wasm.BlockEmpty, wasm.OpCall, 0, wasm.OpBr, 1, wasm.OpEnd}, load, []byte{wasm.OpCall, 0}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := slices.Concat([]byte{wasm.OpLoop, wasm.BlockEmpty}, c.body, []byte{wasm.OpLocalGet, 0, wasm.OpBrIf, 0, wasm.OpEnd, wasm.OpEnd})
			p := survey(code, Newest)
			if got := p.segments[1].reads; got != c.want {
				t.Errorf("the head reads the local: %v, want %v", got, c.want)
			}
			for _, s := range p.edges() {
				if s.leave == p.segments[1].enter && s.takes() && s.keeps != c.want {
					t.Errorf("who arrives sets the local: %v, want %v", s.keeps, c.want)
				}
			}
		})
	}
}
