package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/metering/fuel/fueltest"
)

// hostCalls are the functions that callingApp imports, in this order. The first randomised of
// them are those whose price the interpreter knows.
var hostCalls = []struct {
	module, name string
	params       int
	result       wasm.ValType
}{
	{abi.WASIModule, "random_get", 2, wasm.I32},
	{abi.WASIModule, "fd_write", 4, wasm.I32},
	{abi.WASIModule, "poll_oneoff", 4, wasm.I32},
	{abi.WASIModule, "sched_yield", 0, wasm.I32},
	{"app:kv/v1", "get", 4, wasm.I64},
	{abi.WASIModule, "args_get", 2, wasm.I32},
	{abi.WASIModule, "args_sizes_get", 2, wasm.I32},
	{abi.WASIModule, "environ_get", 2, wasm.I32},
	{abi.WASIModule, "fd_read", 4, wasm.I32},
	{abi.StreamModule, abi.StreamStart, 4, wasm.I64},
	{abi.StreamModule, abi.StreamWrite, 4, wasm.I64},
}

const randomised = 5

// callingApp is an app whose handler calls host functions, by their numbers.
func callingApp(t testing.TB, code []byte) *wasm.Module {
	t.Helper()
	m, err := wasm.Parse(wasmtest.App{Pages: 3}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range hostCalls {
		s := wasm.FuncType{Results: []wasm.ValType{f.result}}
		for range f.params {
			s.Params = append(s.Params, wasm.I32)
		}
		m.Types = append(m.Types, s)
		m.Imports = append(m.Imports, wasm.Import{Module: f.module, Name: f.name, Kind: wasm.KindFunc, Func: uint32(len(m.Types) - 1)})
	}
	for i := range m.Exports {
		if m.Exports[i].Kind == wasm.KindFunc {
			m.Exports[i].Index += uint32(len(hostCalls))
		}
	}
	m.Bodies[1].Code = join(code, m.Bodies[1].Code)
	return m
}

func number(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }

// calling is code that calls a host function and drops what it returns.
func calling(f int, args ...int64) (code []byte) {
	for _, a := range args {
		code = append(code, number(int64(int32(a)))...)
	}
	return append(code, wasm.OpCall, byte(f), drop)
}

const (
	kvAnswer   = 100    // bytes that kv.get returns here
	scratchAt  = 65_536 // memory that random calls write to: nothing reads it
	vectorsAt  = 32_768
	memorySize = 3 * 65_536
)

var kvLinks = map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { return make([]byte, kvAnswer), abi.ErrnoOK }}}

// randomCalls is code of calls with arguments of every kind: small, large, and outside of memory.
func randomCalls(r *rand.Rand) (code []byte) {
	size := func() int64 { return []int64{0, 1, 7, 8, 9, 1000, 50_000, 120_000, 1 << 31}[r.IntN(9)] }
	for range 2 + r.IntN(12) {
		switch f := r.IntN(randomised); f {
		case 0:
			code = append(code, calling(f, scratchAt, size())...)
		case 1:
			n := []int64{0, 1, 3, 1024, 1025}[r.IntN(5)]
			for i := range min(n, 4) {
				at := vectorsAt + 8*i
				code = join(code, number(at), number(scratchAt), []byte{store32, 2, 0}, number(at+4), number(int64(int32(size()))), []byte{store32, 2, 0})
			}
			code = append(code, calling(f, int64(r.IntN(4)), vectorsAt, n, scratchAt)...)
		case 2: // of 0 to 65 subscriptions that are due at once: they are of a stream
			code = join(code, number(scratchAt+8), []byte{i32c, 1, store32, 2, 0}, calling(f, []int64{scratchAt, memorySize - 40}[r.IntN(2)], scratchAt, []int64{0, 1, 1, 65}[r.IntN(4)], scratchAt))
		case 3:
			code = append(code, calling(f)...)
		default:
			code = append(code, calling(f, scratchAt, size(), scratchAt, []int64{0, 99, 100, 5000}[r.IntN(4)])...)
		}
		code = append(code, []byte{wasm.OpNop, wasm.OpLoop, wasm.BlockEmpty, wasm.OpNop, end}...)
	}
	return code
}

// served is what the interpreter counts for a request to callingApp, and how that ends.
func served(t testing.TB, m *wasm.Module, table fuel.Table, units uint64) (uint64, error) {
	t.Helper()
	host := func(module, name string, args []uint64) []uint64 {
		if name != "get" {
			return []uint64{0}
		}
		if scratchAt+uint64(uint32(args[1])) > memorySize {
			return []uint64{^uint64(0)} // any error
		}
		return []uint64{kvAnswer}
	}
	machine, err := fueltest.New(m, fueltest.Options{Options: fuel.Options{Table: table, MemoryPages: 512, TableElements: 65_536, CallDepth: 10_000}, Units: units, Host: host})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := machine.Call(abi.ExportAlloc, 100); err != nil {
		t.Fatal(err)
	}
	_, err = machine.Call(abi.ExportHandle, 0, 0)
	return machine.Charged, err
}

// TestHostWorkIsCharged: what the node does for a guest costs what the interpreter counts by the
// release's table, to the unit; and with any less the guest is stopped, billed its limit.
func TestHostWorkIsCharged(t *testing.T) {
	e := newEngine(t)
	programs := uint64(30)
	if testing.Short() {
		programs = 5
	}
	for seed := range programs {
		r := rand.New(rand.NewPCG(seed, 3))
		m := callingApp(t, randomCalls(r))
		costs := map[fuel.Table]uint64{}
		for table := fuel.Table1; table <= fuel.Newest; table++ {
			need, trap := served(t, m, table, 0)
			if trap != nil {
				t.Fatalf("seed %d: %v", seed, trap)
			}
			costs[table] = need
			l := limits
			l.Table, l.Fuel = table, 1<<40
			call := engine.Call{Request: get("/"), Links: kvLinks}
			plenty, err := invokeWith(t, e, m, l, call)
			if plenty.Instructions != need {
				t.Errorf("seed %d, table %d: it costs %d, by the interpreter's count %d: %v", seed, table, plenty.Instructions, need, err)
			}
			for _, less := range []uint64{need - 1, 10 + r.Uint64N(need-10)} {
				l.Fuel = less
				if got, err := invokeWith(t, e, m, l, call); got.Instructions != less || !errors.Is(err, abi.ErrFuelExhausted) {
					t.Errorf("seed %d, table %d: of %d units it may have %d, is billed %d and ends with %v", seed, table, need, less, got.Instructions, err)
				}
			}
		}
		if costs[fuel.Table2] < costs[fuel.Table1]+512 {
			t.Errorf("seed %d: table 2 charges nothing for the host: %v", seed, costs)
		}
		if costs[fuel.Table3] != costs[fuel.Table2] { // there is no block in it
			t.Errorf("seed %d: tables 2 and 3 differ: %v", seed, costs)
		}
	}
}

func invokeWith(t testing.TB, e *engine.Engine, m *wasm.Module, l engine.Limits, call engine.Call) (engine.Result, error) {
	t.Helper()
	p, err := e.Load(t.Context(), m.Encode(), abi.InterfaceV1, l)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	_, _ = p.Invoke(t.Context(), call) // the second finds an instance that was put back
	return p.Invoke(t.Context(), call)
}

// TestHostPrices states what calls cost by table 2 beyond their instructions, by hand from the
// documentation.
func TestHostPrices(t *testing.T) {
	const args, argsSizes, environ, read, start, write = 5, 6, 7, 8, 9, 10
	frame := int64(len(wasmtest.OKFrame()))
	vector := join(number(vectorsAt), number(scratchAt), []byte{store32, 2, 0}, number(vectorsAt+4), number(100), []byte{store32, 2, 0})
	for _, c := range []struct {
		name string
		code []byte
		want uint64
	}{
		{"an argument of 4 bytes", calling(args, scratchAt, scratchAt+100), 512 + 256 + 1},
		{"its size", calling(argsSizes, scratchAt, scratchAt+4), 512 + 256},
		{"no variables", calling(environ, scratchAt, scratchAt), 512},
		{"reading nothing into two vectors", join(vector, calling(read, 0, vectorsAt, 2, scratchAt)), 512 + 256},
		{"reading what is no input", calling(read, 5, vectorsAt, 2, scratchAt), 512},
		{"a stream of 17 bytes in two pieces", join(calling(start, wasmtest.ResponseAt, frame, 0, 0), calling(write, scratchAt, 17, 0, 0), calling(write, scratchAt, 0, 0, 0), []byte{i64c, 0, wasm.OpReturn}),
			3*(1024+8192) + uint64(frame+7)/8 + 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			costs := map[fuel.Table]uint64{}
			for table := fuel.Table1; table <= fuel.Newest; table++ {
				l := limits
				l.Table = table
				r, err := invokeWith(t, newEngine(t), callingApp(t, c.code), l, engine.Call{Request: get("/"), Links: kvLinks})
				if err != nil {
					t.Fatal(err)
				}
				costs[table] = r.Instructions
			}
			if got := costs[fuel.Table2] - costs[fuel.Table1]; got != c.want || costs[fuel.Table3] != costs[fuel.Table2] {
				t.Errorf("it costs %d, want %d; by table: %v", got, c.want, costs)
			}
		})
	}
}

// TestHostWorkIsPaidBefore: a guest that cannot pay for the node's work does not get it.
func TestHostWorkIsPaidBefore(t *testing.T) {
	asked := 0
	links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { asked++; return nil, abi.ErrnoOK }}}
	m := callingApp(t, calling(4, scratchAt, 80_000, scratchAt, 0))
	l := limits
	for fuelled, want := range map[uint64]int{11_000: 0, 11_100: 1} { // 1,024 and a tenth of a thousand for each 800 bytes
		asked, l.Fuel = 0, fuelled
		p := load(t, newEngine(t), m.Encode(), abi.InterfaceV1, l)
		_, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: links})
		if asked != want || (err == nil) != (want == 1) {
			t.Errorf("with %d units: the capability was asked %d times, want %d: %v", fuelled, asked, want, err)
		}
	}
}

// TestHostWorkHasItsPrice: calls of the host in a loop, which cost seconds for a thousand units
// once, end at the limit. Fuel is what a manifest has by default.
func TestHostWorkHasItsPrice(t *testing.T) {
	if testing.Short() {
		t.Skip("it spends all of its fuel")
	}
	repeat := func(body []byte) []byte {
		return join([]byte{wasm.OpLoop, wasm.BlockEmpty}, body, []byte{wasm.OpBr, 0, end})
	}
	vectors := join(number(vectorsAt), number(scratchAt), []byte{store32, 2, 0}, number(vectorsAt+4), number(60_000), []byte{store32, 2, 0})
	for name, code := range map[string][]byte{
		"randomness": repeat(calling(0, scratchAt, 120_000)),
		"vectors":    repeat(calling(1, 2, vectorsAt, 1024, scratchAt)),
		"writing":    join(vectors, repeat(calling(1, 2, vectorsAt, 1, scratchAt))),
		"waiting":    join(number(scratchAt+8), []byte{i32c, 1, store32, 2, 0}, repeat(calling(2, scratchAt, scratchAt, 1, scratchAt))),
	} {
		t.Run(name, func(t *testing.T) {
			l := limits
			l.Fuel, l.Timeout = 200_000_000, 20*time.Second
			p := load(t, newEngine(t), callingApp(t, code).Encode(), abi.InterfaceV1, l)
			at := time.Now()
			r, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: kvLinks, Stderr: func(string) {}})
			if !errors.Is(err, abi.ErrFuelExhausted) || r.Instructions != l.Fuel {
				t.Errorf("%d units, %v", r.Instructions, err)
			}
			t.Logf("%v, %.2f ns for each unit", time.Since(at), float64(time.Since(at).Nanoseconds())/float64(l.Fuel))
		})
	}
}
