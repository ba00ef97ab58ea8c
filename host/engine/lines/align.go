package lines

import (
	"bytes"
	"sort"

	"github.com/agora-host/agora/abi/wasm"
)

// origin says that an instruction of a compiled body is one of the author's.
type origin struct{ at, original int } // offsets in both bodies' code

// origins finds the author's instructions in a body that was rewritten. Who
// rewrites (metering/fuel, the engine's mend) adds instructions, locals, globals
// and an import, and keeps the order of what was there; so the author's are looked
// for one after the other. Only those are looked for that can trap or tell
// themselves from what was added: control flow is a rewriter's to change.
//
// An instruction that was added and looks like the next of the author's is taken
// for it. The next that can trap puts that right: those are not added, but for
// `unreachable`, which is there taken for what stands before it.
func origins(m, compiled *wasm.Module, body int) []origin {
	a := &aligner{imported: uint32(m.Imported(wasm.KindFunc)), params: uint32(len(m.Types[m.Funcs[body]].Params))}
	a.added = uint32(compiled.Imported(wasm.KindFunc)) - a.imported
	a.moved = uint32(len(compiled.Types[compiled.Funcs[body]].Params)) - a.params
	var found []origin
	old, now := wasm.NewCode(m.Bodies[body].Code, bounds), wasm.NewCode(compiled.Bodies[body].Code, bounds)
	var o, n wasm.Instr
	for old.Next(&o) {
		if !telling(o) {
			continue
		}
		for {
			if !now.Next(&n) {
				return nil // it is not what we know: better no lines than wrong ones
			}
			if a.same(o, n, m.Bodies[body].Code[o.Start:o.End], compiled.Bodies[body].Code[n.Start:n.End]) {
				found = append(found, origin{at: n.Start, original: o.Start})
				break
			}
		}
	}
	return found
}

// bounds are for code that was judged before.
var bounds = wasm.Unbounded()

type aligner struct {
	imported, added uint32 // functions
	params, moved   uint32 // parameters of this function, and how many were added
}

// telling reports whether an instruction is looked for.
func telling(in wasm.Instr) bool {
	switch in.Op {
	case wasm.OpNop, wasm.OpBlock, wasm.OpLoop, wasm.OpIf, wasm.OpElse, wasm.OpEnd, wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable,
		wasm.OpReturn, wasm.OpDrop, wasm.OpSelect, wasm.OpSelectTyped:
		return false
	}
	return true
}

// same reports whether n may be o.
func (a *aligner) same(o, n wasm.Instr, oldRaw, raw []byte) bool {
	if o.Op != n.Op || o.Sub != n.Sub {
		return false
	}
	switch o.Op {
	case wasm.OpCall, wasm.OpRefFunc:
		if o.Index >= a.imported {
			return n.Index == o.Index+a.added
		}
		return n.Index == o.Index
	case wasm.OpLocalGet, wasm.OpLocalSet, wasm.OpLocalTee:
		if o.Index >= a.params {
			return n.Index == o.Index+a.moved
		}
		return n.Index == o.Index
	}
	return bytes.Equal(oldRaw, raw)
}

// before is the author's instruction at an offset of the compiled body, or the
// last before it.
func before(all []origin, at int) (original int, ok bool) {
	i := sort.Search(len(all), func(i int) bool { return all[i].at > at })
	if i == 0 {
		return 0, len(all) > 0
	}
	return all[i-1].original, true
}
