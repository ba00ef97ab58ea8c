package engine

import (
	"fmt"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

// recursing is an app whose handler has so many calls open, each of them with some local variables
// that are alive across the call.
func recursing(t testing.TB, depth int64) []byte {
	t.Helper()
	m, err := wasm.Parse(wasmtest.App{}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	self := uint32(m.Imported(wasm.KindFunc) + len(m.Funcs))
	body := []byte{wasm.OpLocalGet, 0, wasm.OpI32Eqz, wasm.OpIf, wasm.BlockEmpty, wasm.OpReturn, wasm.OpEnd, wasm.OpLocalGet, 0, wasm.OpI32Const, 1, wasm.OpI32Sub}
	body = append(wasm.AppendU32(append(body, wasm.OpCall), self), wasm.OpEnd)
	m.Types = append(m.Types, wasm.FuncType{Params: []wasm.ValType{wasm.I32}})
	m.Funcs = append(m.Funcs, uint32(len(m.Types)-1))
	m.Bodies = append(m.Bodies, wasm.Body{Code: body})
	handle, _ := m.Export(abi.ExportHandle)
	b := &m.Bodies[int(handle.Index)-m.Imported(wasm.KindFunc)]
	call := wasm.AppendU32(append(wasm.AppendS64([]byte{wasm.OpI32Const}, depth), wasm.OpCall), self)
	b.Code = append(call, b.Code...)
	return m.Encode()
}

// TestStackIsKept: a call stack that has grown is there for the next request, and counted as the
// memory of its owner; one that is too large is not kept, nor one that there is no memory for.
func TestStackIsKept(t *testing.T) {
	for _, c := range []struct {
		name  string
		depth int64
		limit int64 // of guests' memory
		kept  bool
	}{
		{"deep", 4_000, 64 << 20, true},
		{"too deep", 30_000, 64 << 20, false},
		{"no room in Go's heap", 4_000, 8 * 300_000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, all, _ := memoryEngine(t, c.limit, 1000)
			l := small
			l.CallDepth = 50_000
			p, err := e.Load(t.Context(), recursing(t, c.depth), abi.InterfaceV1, l)
			if err != nil {
				t.Fatal(err)
			}
			var first string // what the engine keeps a stack for
			for i := range 3 {
				if _, err := p.Invoke(t.Context(), request); err != nil {
					t.Fatal(err)
				}
				in := p.pool.ready[0]
				size := int64(in.stack.Len())
				if c.kept != (size > smallStack) || size > maxStack {
					t.Fatalf("%d bytes of call stack are kept", size)
				}
				if want := held(p) + in.slot.stack; all.Used() != want || c.kept && in.slot.stack != size || !c.kept && in.slot.stack != 0 {
					t.Fatalf("%d bytes of %d are counted for the stack, and %d in all", in.slot.stack, size, all.Used())
				}
				if now := fmt.Sprintf("%p", in.stack.Slice(0, 1).Bytes()); i == 0 {
					first = now
				} else if c.kept && now != first {
					t.Errorf("request %d was given another stack", i)
				}
			}
			if e.Relieve(); c.kept && len(p.pool.ready) > 0 {
				t.Error("an idle instance that holds a large stack does not give way")
			}
			if err := p.Close(t.Context()); err != nil || all.Used() != 0 {
				t.Errorf("after all was closed, %d bytes are taken: %v", all.Used(), err)
			}
			_ = e.Close(t.Context())
		})
	}
}

// TestStackOfACommand: a command's call stack is kept as an app's is.
func TestStackOfACommand(t *testing.T) {
	m, err := wasm.Parse(recursing(t, 4_000), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	handle, _ := m.Export(abi.ExportHandle)
	m.Types = append(m.Types, wasm.FuncType{})
	m.Funcs = append(m.Funcs, uint32(len(m.Types)-1))
	m.Bodies = append(m.Bodies, wasm.Body{Code: append(wasm.AppendU32([]byte{wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall}, handle.Index), wasm.OpDrop, wasm.OpEnd)})
	m.Exports = []wasm.Export{{Name: abi.ExportStart, Kind: wasm.KindFunc, Index: uint32(m.Imported(wasm.KindFunc) + len(m.Funcs) - 1)}, {Name: "memory", Kind: wasm.KindMemory}}
	e, all, _ := memoryEngine(t, 64<<20, 1000)
	p, err := e.Load(t.Context(), m.Encode(), abi.InterfaceWASI, small)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // its response is empty, which is none
		if _, err := p.Invoke(t.Context(), request); abi.FaultKind(err) != abi.FaultKind(abi.ErrBadResponse) {
			t.Fatal(err)
		}
		if in := p.pool.ready[0]; in.stack.Len() <= smallStack || in.slot.stack != int64(in.stack.Len()) {
			t.Fatalf("%d bytes of call stack are kept, %d counted", in.stack.Len(), in.slot.stack)
		}
	}
	if err := p.Close(t.Context()); err != nil || all.Used() != 0 {
		t.Errorf("after all was closed, %d bytes are taken: %v", all.Used(), err)
	}
	_ = e.Close(t.Context())
}
