package engine_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/metering/fuel/fueltest"
)

const (
	movingPages   = 13 // three pieces and a bit
	movingSegment = 2*fuel.Piece + 1000
)

// movingModule exports each instruction that moves bytes of memory, and one that drops the segment.
// The last takes a value along on the stack, and counts in a loop.
func movingModule() *wasm.Module {
	get := func(code ...byte) []byte {
		return join([]byte{wasm.OpLocalGet, 0, wasm.OpLocalGet, 1, wasm.OpLocalGet, 2, wasm.OpPrefixFC}, code, []byte{end})
	}
	segment := make([]byte, movingSegment)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range segment {
		segment[i] = byte(r.Uint32())
	}
	count := uint32(1)
	m := &wasm.Module{
		Types:     []wasm.FuncType{{Params: []wasm.ValType{wasm.I32, wasm.I32, wasm.I32}}, {}, {Params: []wasm.ValType{wasm.I32, wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}}},
		Funcs:     []uint32{0, 0, 0, 1, 2},
		Memory:    &wasm.Limits{Min: movingPages},
		DataCount: &count,
		Data:      []wasm.Data{{Mode: wasm.Passive, Bytes: segment}},
		Bodies: []wasm.Body{
			{Code: get(wasm.FCMemoryFill, 0)}, {Code: get(wasm.FCMemoryCopy, 0, 0)}, {Code: get(wasm.FCMemoryInit, 0, 0)},
			{Code: []byte{wasm.OpPrefixFC, wasm.FCDataDrop, 0, end}},
			{Code: join([]byte{i64c, 42, wasm.OpLoop, wasm.BlockEmpty, wasm.OpLocalGet, 0, wasm.OpLocalGet, 1, wasm.OpLocalGet, 2, wasm.OpPrefixFC, wasm.FCMemoryCopy, 0, 0,
				wasm.OpLocalGet, 0, i32c, 1, wasm.OpI32Add, wasm.OpLocalTee, 0}, number(5), []byte{wasm.OpI32LtU, wasm.OpBrIf, 0, end, end})},
		},
		Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}},
	}
	for i, name := range movingFunctions {
		m.Exports = append(m.Exports, wasm.Export{Name: name, Kind: wasm.KindFunc, Index: uint32(i)})
	}
	return m
}

var movingFunctions = []string{"fill", "copy", "init", "drop", "again"}

// TestLargeMoves: an instruction that moves much does in pieces what it does at once, overlapping or
// not, within bounds or not, and costs the same, which is what package fueltest counts. Between
// two pieces the host is asked, and finds the true count.
func TestLargeMoves(t *testing.T) {
	m := movingModule()
	o := fuel.Options{MemoryPages: movingPages, TableElements: 1, CallDepth: 100}
	rewritten, err := fuel.Rewrite(m, o)
	if err != nil {
		t.Fatal(err)
	}
	plain := newPair(t, wazero.NewRuntimeConfigCompiler())
	compiler, interpreter := newPair(t, wazero.NewRuntimeConfigCompiler()), newPair(t, wazero.NewRuntimeConfigInterpreter())
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 4))
		counts := map[uint64]bool{} // all that were true at some time
		machine, err := fueltest.New(m, fueltest.Options{Options: o, Counted: func(charged uint64) { counts[charged] = true }})
		if err != nil {
			t.Fatal(err)
		}
		modules := map[string]api.Module{
			"plain":                instantiate(t, plain, m.Encode()),
			"compiled, in pieces":  instantiate(t, compiler, rewritten.Module),
			"interpreted, as well": instantiate(t, interpreter, rewritten.Module),
		}
		for range 60 {
			name := movingFunctions[[]int{0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 4, 4, 3}[r.IntN(15)]]
			if name == "drop" && r.IntN(3) > 0 {
				continue
			}
			args := movingArguments(r, name)
			before := machine.Charged
			clear(counts)
			want, trap := machine.Call(name, args...)
			charged := int64(machine.Charged - before)
			for kind, module := range modules {
				p := map[string]*pair{"compiled, in pieces": compiler, "interpreted, as well": interpreter}[kind]
				if p != nil {
					*p.refuel = refueller{slice: 1 + r.Int64N(1<<20), most: 1 << 40, asked: func(used int64) {
						if !counts[before+uint64(used)] {
							t.Errorf("%s: %s%v asks after %d units, which it never has used", kind, name, args, used)
						}
					}}
					module.ExportedGlobal(fuel.ExportFuel).(api.MutableGlobal).Set(0)
					module.ExportedGlobal(fuel.ExportDepth).(api.MutableGlobal).Set(0)
				}
				got, err := module.ExportedFunction(name).Call(t.Context(), args...)
				compareTraps(t, kind, trap, err)
				if err == nil && len(want) > 0 && got[0] != want[0] {
					t.Errorf("%s: %s%v answers %v, want %v", kind, name, args, got, want)
				}
				if memory, _ := module.Memory().Read(0, module.Memory().Size()); !bytes.Equal(memory, machine.Memory) {
					t.Fatalf("%s: %s%v leaves another memory", kind, name, args)
				}
				if p != nil {
					if used := p.refuel.granted - int64(module.ExportedGlobal(fuel.ExportFuel).Get()); used != charged {
						t.Errorf("%s: %s%v costs %d, by the interpreter's count %d; it ends with %v", kind, name, args, used, charged, trap)
					}
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

func instantiate(t testing.TB, p *pair, module []byte) api.Module {
	t.Helper()
	in, err := p.runtime.InstantiateWithConfig(t.Context(), module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(t.Context()) })
	return in
}

// movingArguments are near what matters: the size of a piece, the ends of memory and of the
// segment, the end of 32 bits, and each other.
func movingArguments(r *rand.Rand, name string) []uint64 {
	if name == "drop" {
		return nil
	}
	near := func(places ...int64) uint64 {
		return uint64(uint32(places[r.IntN(len(places))] + []int64{-9, -1, 0, 0, 1, 7}[r.IntN(6)]))
	}
	const memory = movingPages << 16
	n := near(fuel.Piece, 2*fuel.Piece, 3*fuel.Piece, 16, fuel.Piece+1000, 1<<32-1)
	to := near(0, 100, fuel.Piece, memory-int64(uint32(n)), 1<<32-1)
	switch from := near(0, 100, int64(to)-5, int64(to)+5, int64(to)+1000, int64(to)-fuel.Piece, int64(to)+fuel.Piece, memory-int64(uint32(n))); name {
	case "fill":
		return []uint64{to, uint64(r.IntN(1 << 9)), n}
	case "init":
		return []uint64{to, near(0, 9, movingSegment-int64(uint32(n)), 1<<32-1), n}
	default:
		return []uint64{to, from, n}
	}
}

// TestLargeMovesYield: a guest that moves much in one instruction is stopped in the middle of it.
func TestLargeMovesYield(t *testing.T) {
	asks := func(n int64) int {
		m, err := wasm.Parse(wasmtest.App{Pages: 400, Code: join(number(1<<20), []byte{i32c, 1}, number(n), []byte{wasm.OpPrefixFC, wasm.FCMemoryFill, 0})}.Bytes(), wasm.DefaultBounds())
		if err != nil {
			t.Fatal(err)
		}
		rewritten, err := fuel.Rewrite(m, fuel.Options{MemoryPages: 400, TableElements: 1, CallDepth: 100})
		if err != nil {
			t.Fatal(err)
		}
		p, calls := newPair(t, wazero.NewRuntimeConfigCompiler()), 0
		*p.refuel = refueller{slice: 1 << 40, most: 1 << 50, asked: func(int64) { calls++ }}
		if _, err := instantiate(t, p, rewritten.Module).ExportedFunction(abi.ExportHandle).Call(t.Context(), 0, 0); err != nil {
			t.Fatal(err)
		}
		return calls
	}
	if small, large := asks(fuel.Piece), asks(16*fuel.Piece+1); small > 1 || large-small != 16 {
		t.Errorf("the host is asked %d times for a piece and %d times for 16 pieces and a byte", small, large)
	}
	// And the engine's host bills it as it was, however it is done.
	l := limits
	l.Timeout = time.Minute
	app := wasmtest.App{Pages: 400, Code: join(number(1<<20), []byte{i32c, 1}, number(16*fuel.Piece+1), []byte{wasm.OpPrefixFC, wasm.FCMemoryFill, 0})}
	const cost = 2 + 4 + 16*fuel.Piece/8 + 1 // TestFrameApp; the instructions; the bytes
	for limit, want := range map[uint64]error{cost: nil, cost - 1: abi.ErrFuelExhausted} {
		l.Fuel = limit
		r, err := load(t, newEngine(t), app.Bytes(), abi.InterfaceV1, l).Invoke(t.Context(), engine.Call{Request: get("/")})
		if !errors.Is(err, want) || r.Instructions != limit {
			t.Errorf("with %d units it is billed %d: %v", limit, r.Instructions, err)
		}
	}
	// Afterwards it asks as often as before: its deadline ends it, and not its fuel.
	l.Fuel, l.Timeout = 4_000_000_000, 50*time.Millisecond
	app.Code = join(app.Code, forever)
	if r, err := load(t, newEngine(t), app.Bytes(), abi.InterfaceV1, l).Invoke(t.Context(), engine.Call{Request: get("/")}); !errors.Is(err, abi.ErrDeadlineExceeded) {
		t.Errorf("after a large move it runs on, for %d units: %v", r.Instructions, err)
	}
}
