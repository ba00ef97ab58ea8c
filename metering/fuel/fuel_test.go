package fuel

import (
	"bytes"
	"errors"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
)

var caps = Options{MemoryPages: 100, TableElements: 1000, CallDepth: 500}

func module(code ...byte) *wasm.Module {
	return &wasm.Module{
		Types:    []wasm.FuncType{{}, {Results: []wasm.ValType{wasm.I32, wasm.I32}}},
		Imports:  []wasm.Import{{Module: "app:log/v1", Name: "write", Kind: wasm.KindFunc}},
		Funcs:    []uint32{0},
		Memory:   &wasm.Limits{Min: 1},
		Tables:   []wasm.Table{{Type: wasm.FuncRef, Limits: wasm.Limits{Min: 1}}},
		Exports:  []wasm.Export{{Name: "run", Kind: wasm.KindFunc, Index: 1}},
		Elements: []wasm.Element{{Offset: []byte{wasm.OpI32Const, 0, wasm.OpEnd}, Type: wasm.FuncRef, Funcs: []uint32{1}}},
		Data:     []wasm.Data{{Offset: []byte{wasm.OpI32Const, 0, wasm.OpEnd}, Bytes: make([]byte, 17)}},
		Bodies:   []wasm.Body{{Code: append(code, wasm.OpEnd)}},
		Custom:   []wasm.Custom{{Name: "name", Data: []byte{1, 6, 1, 1, 3, 'r', 'u', 'n'}}},
	}
}

func TestRewriteShiftsAndCaps(t *testing.T) {
	r, err := Rewrite(module(wasm.OpCall, 0, wasm.OpCall, 1), caps)
	if err != nil {
		t.Fatal(err)
	}
	if r.InitCost != 3+1 {
		t.Errorf("InitCost = %d, want 3 for 17 bytes and 1 for an element", r.InitCost)
	}
	m, err := wasm.Parse(r.Module, wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	if m.Memory.Max != 100 || m.Tables[0].Max != 1000 {
		t.Errorf("caps are not written: %+v %+v", m.Memory, m.Tables[0])
	}
	if m.Exports[0].Index != 2 || m.Elements[0].Funcs[0] != 2 {
		t.Errorf("indices did not move: %+v %+v", m.Exports[0], m.Elements[0])
	}
	if want := []byte{1, 6, 1, 2, 3, 'r', 'u', 'n'}; len(m.Custom) != 1 || !bytes.Equal(m.Custom[0].Data, want) {
		t.Errorf("names = %v, want %v", m.Custom, want)
	}
	again, _ := Rewrite(module(wasm.OpCall, 0, wasm.OpCall, 1), caps)
	if !bytes.Equal(again.Module, r.Module) {
		t.Error("the same input gives different bytes")
	}
}

func TestRewriteRefuses(t *testing.T) {
	big := module()
	big.Memory.Min = 101
	if _, err := Rewrite(big, caps); !errors.Is(err, ErrMemory) {
		t.Errorf("memory over its cap: %v", err)
	}
	table := module()
	table.Tables[0].Min = 1001
	if _, err := Rewrite(table, caps); !errors.Is(err, ErrMemory) {
		t.Errorf("table over its cap: %v", err)
	}
	taken := module()
	taken.Exports = append(taken.Exports, wasm.Export{Name: ExportFuel, Kind: wasm.KindFunc, Index: 1})
	if _, err := Rewrite(taken, caps); !errors.Is(err, ErrReserved) {
		t.Errorf("a reserved export: %v", err)
	}
	if _, err := Rewrite(rewritten(t), caps); !errors.Is(err, ErrReserved) {
		t.Errorf("a module that was rewritten before: %v", err)
	}
}

// rewritten is a good module that went through Rewrite once.
func rewritten(t *testing.T) *wasm.Module {
	t.Helper()
	r, err := Rewrite(module(), caps)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Parse(r.Module, wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSegments(t *testing.T) {
	type cut struct {
		at    int
		cost  uint64
		check bool
	}
	long := bytes.Repeat([]byte{wasm.OpNop}, MaxStraightLine+5)
	for _, c := range []struct {
		name string
		code []byte
		want []cut
	}{
		{"a straight line is one", []byte{wasm.OpNop, wasm.OpNop}, []cut{{0, 2, false}, {3, 0, false}}},
		{"a loop's head is checked", []byte{wasm.OpLoop, wasm.BlockEmpty, wasm.OpNop, wasm.OpEnd}, []cut{{0, 1, false}, {2, 1, true}, {4, 0, false}, {5, 0, false}}},
		{"a call ends a segment", []byte{wasm.OpCall, 0, wasm.OpNop}, []cut{{0, 1, true}, {2, 1, false}, {4, 0, false}}},
		{"a long line is checked on its way", long, []cut{{0, MaxStraightLine + 1, true}, {MaxStraightLine + 1, 4, true}, {MaxStraightLine + 6, 0, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := survey(append(c.code, wasm.OpEnd), Newest)
			if len(p.segments) != len(c.want) {
				t.Fatalf("segments = %v, want %v", p.segments, c.want)
			}
			for i := range c.want {
				if s := p.segments[i]; (cut{s.at, s.cost, s.check}) != c.want[i] {
					t.Errorf("segment %d = %v, want %v", i, s, c.want[i])
				}
			}
		})
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add(module(wasm.OpCall, 0, wasm.OpCall, 1).Encode())
	f.Add(module(wasm.OpI32Const, 1, wasm.OpMemoryGrow, 0, wasm.OpDrop, wasm.OpLoop, wasm.BlockEmpty, wasm.OpReturn, wasm.OpEnd).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wasm.Parse(b, wasm.DefaultBounds())
		if err != nil {
			return
		}
		r, err := Rewrite(m, caps)
		if err != nil {
			return
		}
		roomy := wasm.DefaultBounds()
		roomy.Module, roomy.Body, roomy.MutableGlobals, roomy.Locals, roomy.Nesting, roomy.Blocks = 1<<30, 1<<28, 1<<10, 1<<16, 1<<16, 1<<28
		if _, err := wasm.Parse(r.Module, roomy); err != nil {
			t.Fatalf("the rewritten module cannot be read: %v", err)
		}
	})
}
