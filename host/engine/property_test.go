package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
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

var propertyCaps = fuel.Options{MemoryPages: 2, TableElements: 12, CallDepth: 40}

const mostUnits = 200_000

// TestRandomPrograms: whatever a program does, metered or not, compiled or
// interpreted, in slices of any size, it returns the same, traps the same, leaves
// the same memory and globals, and costs the same, which is what package fueltest
// counts; and whenever it asks for more, it has used what it says.
func TestRandomPrograms(t *testing.T) {
	programs := 800
	if testing.Short() || raceDetector {
		programs = 60
	}
	compiler, interpreter := newPair(t, wazero.NewRuntimeConfigCompiler()), newPair(t, wazero.NewRuntimeConfigInterpreter())
	var sum struct{ calls, traps, endless, units uint64 }
	kinds := map[string]int{}
	for seed := range uint64(programs) {
		out := runRandom(t, rand.New(rand.NewPCG(seed, 1)), compiler, interpreter)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		for _, trap := range out.traps {
			kinds[trap]++
		}
		sum.calls += uint64(out.calls)
		sum.traps += uint64(len(out.traps))
		sum.units += out.units
		if out.endless {
			sum.endless++
		}
	}
	t.Logf("%d calls of %d programs, %d units; %d trapped: %v; %d programs ran on and were stopped", sum.calls, programs, sum.units, sum.traps, kinds, sum.endless)
	if sum.calls < uint64(programs) || len(kinds) < 6 && programs > 100 || sum.endless == 0 && programs > 100 {
		t.Error("the programs do too little")
	}
}

// pair runs a program as it is and metered.
type pair struct {
	runtime wazero.Runtime
	refuel  *refueller
}

func newPair(t testing.TB, config wazero.RuntimeConfig) *pair {
	t.Helper()
	p := &pair{runtime: wazero.NewRuntimeWithConfig(t.Context(), config.WithCoreFeatures(api.CoreFeaturesV2)), refuel: &refueller{}}
	t.Cleanup(func() { _ = p.runtime.Close(t.Context()) })
	if _, err := p.runtime.NewHostModuleBuilder(fuel.ImportModule).NewFunctionBuilder().WithFunc(p.refuel.grant).Export(fuel.ImportRefuel).Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

type outcome struct {
	calls   int
	traps   []string
	endless bool
	units   uint64
}

// runRandom makes a program and compares everything about it.
func runRandom(t testing.TB, r *rand.Rand, compiler, interpreter *pair) (out outcome) {
	t.Helper()
	m := wasmtest.Generate(r)
	caps := propertyCaps
	caps.Table = fuel.Table(1 + r.IntN(int(fuel.Newest)))
	rewritten, err := fuel.Rewrite(m, caps)
	if err != nil {
		t.Fatalf("rewrite: %v", err)
	}
	capped := *m // the plain program has the same limits
	memory := *m.Memory
	memory.Max, memory.HasMax = min(propertyCaps.MemoryPages, orMax(memory)), true
	capped.Memory = &memory
	table := m.Tables[0]
	table.Max, table.HasMax = min(propertyCaps.TableElements, orMax(table.Limits)), true
	capped.Tables = []wasm.Table{table}
	counts := map[uint64]bool{} // all that were true at some time
	counted := func(charged uint64) { counts[charged] = true }
	machine, err := fueltest.New(m, fueltest.Options{Options: caps, Units: mostUnits, Counted: counted})
	if err != nil {
		t.Fatal(err)
	}
	type running struct {
		name   string
		module api.Module
		pair   *pair
		lost   bool // it did not make a call that the others made
	}
	var all []*running
	add := func(name string, p *pair, module []byte) {
		module, err := engine.Mended(module)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		in, err := p.runtime.InstantiateWithConfig(t.Context(), module, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, &running{name: name, module: in, pair: p})
	}
	add("compiled, metered", compiler, rewritten.Module)
	add("interpreted, metered", interpreter, rewritten.Module)
	add("compiled", compiler, capped.Encode())
	defer func() {
		for _, v := range all {
			_ = v.module.Close(t.Context())
		}
	}()
	slice := []int64{1, 3, 100, 10_000, mostUnits}[r.IntN(5)]
	for i, index := range m.Funcs {
		s := m.Types[index]
		args := randomArguments(r, s.Params)
		before := machine.Charged
		clear(counts)
		want, trap := machine.Call(fmt.Sprint("f", i), args...)
		charged := machine.Charged - before
		out.calls++
		out.units += charged
		for _, v := range all {
			left, metered := v.module.ExportedGlobal(fuel.ExportFuel).(api.MutableGlobal)
			if v.lost {
				continue
			}
			if !metered && (errors.Is(trap, fueltest.TooDeep) || errors.Is(trap, fueltest.TooLong)) {
				v.lost = true // only metering ends it
				continue
			}
			*v.pair.refuel = refueller{slice: slice, most: mostUnits, asked: func(used int64) {
				if used <= mostUnits && !counts[before+uint64(used)] {
					t.Errorf("%s: f%d%v asks for more after %d units, which it never has used", v.name, i, args, used)
				}
			}}
			if metered {
				left.Set(0)
				v.module.ExportedGlobal(fuel.ExportDepth).(api.MutableGlobal).Set(0)
			}
			got, err := v.module.ExportedFunction(fmt.Sprint("f", i)).Call(t.Context(), args...)
			if errors.Is(trap, fueltest.TooLong) {
				used := v.pair.refuel.granted - int64(left.Get())
				if used <= mostUnits || err != nil && !strings.Contains(err.Error(), tooMuch) {
					t.Errorf("%s: f%d%v goes on, and costs %d: %v", v.name, i, args, used, err)
				}
				continue
			}
			compareTraps(t, v.name, trap, err)
			for j := range want {
				if err == nil && (got[j] != want[j] && (s.Results[j] == wasm.I64 || s.Results[j] == wasm.F64) || uint32(got[j]) != uint32(want[j])) {
					t.Errorf("%s: f%d%v answers %x, interpreted it is %x", v.name, i, args, got, want)
				}
			}
			if metered && v.pair.refuel.granted-int64(left.Get()) != int64(charged) {
				t.Errorf("%s: f%d%v costs %d, by the interpreter's count %d; it ends with %v", v.name, i, args, v.pair.refuel.granted-int64(left.Get()), charged, trap)
			}
			compareState(t, v.name, v.module, machine)
		}
		if errors.Is(trap, fueltest.TooLong) {
			out.endless = true
			return out
		}
		if trap != nil {
			out.traps = append(out.traps, trap.Error())
		}
	}
	return out
}

func orMax(l wasm.Limits) uint32 {
	if l.HasMax {
		return l.Max
	}
	return 1<<32 - 1
}

func randomArguments(r *rand.Rand, types []wasm.ValType) (args []uint64) {
	for _, t := range types {
		switch t {
		case wasm.I32:
			args = append(args, uint64(r.Uint32()>>r.IntN(32)))
		case wasm.I64:
			args = append(args, r.Uint64()>>r.IntN(64))
		case wasm.F32:
			args = append(args, api.EncodeF32(float32(r.NormFloat64()*100)))
		default:
			args = append(args, api.EncodeF64(r.NormFloat64()*100))
		}
	}
	return args
}

func compareTraps(t testing.TB, name string, want, got error) {
	t.Helper()
	text := ""
	if want != nil {
		if text = "wasm error: " + want.Error(); errors.Is(want, fueltest.TooDeep) {
			text = "wasm error: unreachable" // how rewritten code stops
		}
	}
	if reason(got) != text {
		t.Errorf("%s: it ends with %q, interpreted with %v", name, reason(got), want)
	}
}

func compareState(t testing.TB, name string, module api.Module, machine *fueltest.Machine) {
	t.Helper()
	memory, _ := module.Memory().Read(0, module.Memory().Size())
	if !bytes.Equal(memory, machine.Memory) {
		t.Errorf("%s: memory differs from the interpreter's", name)
	}
	for i, want := range machine.Globals {
		got := module.ExportedGlobal(fmt.Sprint("g", i)).Get()
		if i%2 == 0 { // i32 and f32
			got, want = uint64(uint32(got)), uint64(uint32(want))
		}
		if got != want {
			t.Errorf("%s: global %d is %x, interpreted %x", name, i, got, want)
		}
	}
}

// TestEveryLimit: with as much fuel as it needs a program ends as it does with
// plenty; with one unit less, or with any other amount, it is stopped and billed
// exactly its limit.
func TestEveryLimit(t *testing.T) {
	e := newEngine(t)
	tried, programs := 0, 40
	if testing.Short() {
		programs = 8
	}
	for seed := uint64(0); tried < programs; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		m := asApp(wasmtest.Generate(r))
		machine, err := fueltest.New(m, fueltest.Options{Options: fuel.Options{MemoryPages: 512, TableElements: 65_536, CallDepth: 10_000}, Units: mostUnits})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := machine.Call(abi.ExportAlloc, 100); err != nil {
			t.Fatal(err)
		}
		if _, trap := machine.Call(abi.ExportHandle, 0, 0); errors.Is(trap, fueltest.TooLong) || machine.Charged < 30 {
			continue
		}
		tried++
		l := limits
		l.Timeout = time.Minute
		invoke := func(units uint64) (engine.Result, error) {
			l.Fuel = units
			p, err := e.Load(t.Context(), m.Encode(), abi.InterfaceV1, l)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			defer p.Close(t.Context())
			var result engine.Result
			for range 2 { // in a new instance, and in one that was put back
				result, err = p.Invoke(t.Context(), engine.Call{Request: get("/")})
			}
			return result, err
		}
		rewritten, err := fuel.Rewrite(m, fuel.Options{MemoryPages: 512, TableElements: 65_536, CallDepth: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		need, least := machine.Charged, uint64(1)
		if !rewritten.Restorable { // then each request pays for an instance of its own
			need += rewritten.InitCost
		}
		least = max(least, rewritten.InitCost) // with less it is not even tried
		plenty, plentyErr := invoke(1 << 40)
		if plenty.Instructions != need || abi.FaultKind(plentyErr) == "fuel" {
			t.Errorf("seed %d: it costs %d, by the interpreter's count %d: %v", seed, plenty.Instructions, need, plentyErr)
		}
		if enough, err := invoke(need); enough.Instructions != need || fmt.Sprint(err) != fmt.Sprint(plentyErr) {
			t.Errorf("seed %d: with %d units it costs %d and ends with %v, with plenty with %v", seed, need, enough.Instructions, err, plentyErr)
		}
		for _, less := range []uint64{need - 1, max(least, need/2), least + r.Uint64N(need-least)} {
			if r, err := invoke(less); r.Instructions != less || !errors.Is(err, abi.ErrFuelExhausted) {
				t.Errorf("seed %d: of %d units it may have %d, is billed %d and ends with %v", seed, need, less, r.Instructions, err)
			}
		}
	}
}

// asApp makes an abi/v1 app of a generated module: it serves a request by
// calling each function once. What it answers is nothing.
func asApp(m *wasm.Module) *wasm.Module {
	m.Types = append(m.Types, wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}},
		wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}})
	var code []byte
	for i, index := range m.Funcs {
		for _, p := range m.Types[index].Params {
			code = append(code, map[wasm.ValType][]byte{wasm.I32: {wasm.OpI32Const, 5}, wasm.I64: {wasm.OpI64Const, 9}, wasm.F32: {wasm.OpF32Const, 0, 0, 0x80, 0x3f}, wasm.F64: {wasm.OpF64Const, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}}[p]...)
		}
		code = wasm.AppendU32(append(code, wasm.OpCall), uint32(i))
		for range m.Types[index].Results {
			code = append(code, wasm.OpDrop)
		}
	}
	n := uint32(len(m.Funcs))
	m.Funcs = append(m.Funcs, uint32(len(m.Types)-2), uint32(len(m.Types)-1))
	m.Bodies = append(m.Bodies, wasm.Body{Code: append(wasm.AppendS64([]byte{wasm.OpI32Const}, 40_000), wasm.OpEnd)}, wasm.Body{Code: append(code, wasm.OpI64Const, 0, wasm.OpEnd)})
	m.Exports = append(m.Exports, wasm.Export{Name: abi.ExportAlloc, Kind: wasm.KindFunc, Index: n}, wasm.Export{Name: abi.ExportHandle, Kind: wasm.KindFunc, Index: n + 1})
	return m
}

// FuzzPrograms: the same property, for programs that a fuzzer chooses.
func FuzzPrograms(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		runRandom(t, rand.New(rand.NewPCG(a, b)), newPair(t, wazero.NewRuntimeConfigCompiler()), newPair(t, wazero.NewRuntimeConfigInterpreter()))
	})
}

// TestKernels: what the benchmarks run costs what the interpreter counts.
func TestKernels(t *testing.T) {
	single(t)
	p := newPair(t, wazero.NewRuntimeConfigCompiler())
	for name, n := range map[string]uint64{"fib": 14, "sieve": 1, "matmul": 1, "nbody": 300, "sha256": 100, "mandel": 12, "qsort": 1, "json": 1, "interp": 1} {
		raw, err := os.ReadFile("../../bench/kernels/" + name + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		m, err := wasm.Parse(raw, wasm.DefaultBounds())
		if err != nil {
			t.Fatal(err)
		}
		rewritten, err := fuel.Rewrite(m, specCaps)
		if err != nil {
			t.Fatal(err)
		}
		in, err := p.runtime.InstantiateWithConfig(t.Context(), rewritten.Module, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		machine, err := fueltest.New(m, fueltest.Options{Options: specCaps})
		if err != nil {
			t.Fatal(err)
		}
		*p.refuel = refueller{slice: 1000, most: 1 << 40}
		got, err := in.ExportedFunction("run").Call(t.Context(), n)
		want, trap := machine.Call("run", n)
		if err != nil || trap != nil || uint32(got[0]) != uint32(want[0]) {
			t.Errorf("%s: it answers %d, %v; interpreted %d, %v", name, got, err, want, trap)
		}
		used := p.refuel.granted - int64(in.ExportedGlobal(fuel.ExportFuel).Get())
		if used != int64(machine.Charged) || machine.Charged != machine.Executed || used < 1000 {
			t.Errorf("%s: it costs %d; the interpreter counts %d by segments and %d one by one", name, used, machine.Charged, machine.Executed)
		}
		t.Logf("%s: %d units", name, used)
	}
}
