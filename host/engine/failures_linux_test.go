package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// failure is a way in which a request can end badly.
type failure struct {
	name   string
	code   []byte // of the handler
	answer []byte // instead of its own response
	fault  error
	limits func(*engine.Limits)
	thrown bool // the instance is thrown away
}

func failures() []failure {
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }
	ask := []byte{i32c, 0, i32c, 0, i32c, 0, i32c, 0, wasm.OpCall, 0, drop}
	pointTo := func(at, n uint32) []byte { return wasm.AppendS64([]byte{i64c}, int64(abi.PackResult(at, n))) }
	return []failure{
		{name: "unreachable", code: []byte{wasm.OpUnreachable}, fault: abi.ErrTrap},
		{name: "a load outside", code: join(constant(-4), []byte{load32, 2, 0, drop}), fault: abi.ErrTrap},
		{name: "a store outside", code: join(constant(-4), []byte{i32c, 1, store32, 2, 0}), fault: abi.ErrTrap},
		{name: "a fill outside", code: []byte{i32c, 0, i32c, 1, i32c, 0x7f, wasm.OpPrefixFC, wasm.FCMemoryFill, 0}, fault: abi.ErrTrap, limits: rich},
		{name: "a division by zero", code: []byte{i32c, 1, i32c, 0, wasm.OpI32DivU, drop}, fault: abi.ErrTrap},
		{name: "an overflow", code: join(constant(math.MinInt32), []byte{i32c, 0x7f, 0x6d /* i32.div_s */, drop}), fault: abi.ErrTrap},
		{name: "a conversion of no number", code: []byte{wasm.OpF32Const, 0, 0, 0xc0, 0x7f, 0xa8 /* i32.trunc_f32_s */, drop}, fault: abi.ErrTrap},
		{name: "a call of nothing", code: []byte{i32c, 0, wasm.OpCallIndirect, 0, 0}, fault: abi.ErrTrap},
		{name: "a call of another type", code: []byte{i32c, 1, wasm.OpCallIndirect, 0, 0}, fault: abi.ErrTrap},
		{name: "a call outside of the table", code: []byte{i32c, 9, wasm.OpCallIndirect, 0, 0}, fault: abi.ErrTrap},
		{name: "out of memory", code: []byte{wasm.OpLoop, wasm.BlockEmpty, i32c, 1, wasm.OpMemoryGrow, 0, i32c, 0x7f, wasm.OpI32Ne, wasm.OpBrIf, 0, end, wasm.OpUnreachable}, fault: abi.ErrMemoryExhausted, limits: func(l *engine.Limits) { l.Fuel = 1 << 40 }},
		{name: "out of fuel", code: forever, fault: abi.ErrFuelExhausted},
		{name: "out of fuel, and answers", code: []byte{wasm.OpNop, wasm.OpNop, wasm.OpNop}, fault: abi.ErrFuelExhausted, limits: func(l *engine.Limits) { l.Fuel = 60 }},
		{name: "out of time", code: forever, fault: abi.ErrDeadlineExceeded, limits: rich},
		{name: "out of host time", code: ask, fault: abi.ErrHostTimeExceeded, limits: func(l *engine.Limits) { l.HostTime = 1 }},
		{name: "a caller that left", code: join(ask, ask), fault: abi.ErrCanceled},
		{name: "open calls without end", code: []byte{wasm.OpCall, 4}, fault: abi.ErrStackExhausted},
		{name: "a call stack without end", code: []byte{wasm.OpCall, 4}, fault: abi.ErrStackExhausted, limits: func(l *engine.Limits) { rich(l); l.CallDepth = 100_000_000; l.Timeout = time.Minute }, thrown: true},
		{name: "an answer outside", answer: pointTo(math.MaxUint32-8, 8), fault: abi.ErrBadResponse},
		{name: "an answer that is none", answer: pointTo(0, 100), fault: abi.ErrBadResponse},
		{name: "an answer that is too large", answer: pointTo(0, 1<<16), fault: abi.ErrResponseTooLarge, limits: func(l *engine.Limits) { l.ResponseBody = -1 << 16 }},
	}
}

func rich(l *engine.Limits) { l.Fuel, l.Timeout = 1<<50, 30*time.Millisecond }

// failing is an app that, when it is asked by a long path, changes all that it can
// change and then fails; otherwise it traps if it finds anything of that.
func failing(t *testing.T, pages uint32, f failure) []byte {
	t.Helper()
	last := int64(pages)*65536 - 8
	dirty := join(set(canary, 2), set(last, 7), set(100, 3), set(16384+300, 4), []byte{i32c, 5, wasm.OpGlobalSet, 0},
		[]byte{i32c, 1, wasm.OpMemoryGrow, 0, drop}, set(last+8, 5))
	answer := f.answer
	if answer == nil {
		answer = []byte{i64c, 0}
	}
	m, err := wasm.Parse(wasmtest.App{KV: true, Pages: pages, Init: set(canary, 1)}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	m.Bodies[1].Code = join(
		expect(canary, 1), expect(last, 0), expect(100, 0),
		[]byte{wasm.OpGlobalGet, 0, i32c, 7, wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end},
		[]byte{wasm.OpMemorySize, 0}, wasm.AppendS64([]byte{i32c}, int64(pages)), []byte{wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end},
		[]byte{wasm.OpLocalGet, 1}, wasm.AppendS64([]byte{i32c}, 200), []byte{wasm.OpI32GtU, wasm.OpIf, wasm.BlockEmpty},
		dirty, f.code, answer, []byte{wasm.OpReturn, end}, m.Bodies[1].Code)
	m.Globals = []wasm.Global{{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: []byte{i32c, 7, end}}}
	m.Tables = []wasm.Table{{Type: wasm.FuncRef, Limits: wasm.Limits{Min: 2}}}
	m.Elements = []wasm.Element{{Offset: []byte{i32c, 1, end}, Type: wasm.FuncRef, Funcs: []uint32{1}}}
	m.Funcs = append(m.Funcs, 0)
	m.Bodies = append(m.Bodies, wasm.Body{Code: []byte{wasm.OpCall, 4, end}}) // calls itself
	return m.Encode()
}

// TestFailuresLeaveNothing: after every kind of failure an instance is the image
// again, or gone. Memory is compared whole, by the host and by the next request.
func TestFailuresLeaveNothing(t *testing.T) {
	single(t)
	e := newEngine(t)
	long := get("/" + string(make([]byte, 300)))
	for _, f := range failures() {
		for _, pages := range []uint32{1, 8} { // copied whole, and put back by what the kernel says
			t.Run(fmt.Sprintf("%s, %d pages", f.name, pages), func(t *testing.T) {
				l := limits
				l.Fuel = 1_000_000
				if f.limits != nil {
					f.limits(&l)
				}
				p := load(t, e, failing(t, pages, f), abi.InterfaceV1, l)
				ctx, leave := context.WithCancel(t.Context())
				links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) {
					if f.fault == abi.ErrCanceled {
						leave()
					}
					return nil, abi.ErrnoOK
				}}}
				if f.name != "an answer that is too large" && f.name != "out of fuel, and answers" {
					mustServe(t, p, links)
				}
				before, _ := p.Waiting()
				for range 3 {
					if f.fault == abi.ErrCanceled {
						ctx, leave = context.WithCancel(t.Context())
					}
					r, err := p.Invoke(ctx, engine.Call{Request: long, Links: links})
					if !errors.Is(err, f.fault) {
						t.Fatalf("err = %v, want %v\n%s", err, f.fault, r.FaultDetail)
					}
					after, differs := p.Waiting()
					if f.thrown {
						if after != nil {
							t.Fatal("its instance was kept")
						}
						mustServe(t, p, links)
						continue
					}
					if differs != "" || before != nil && after != before {
						t.Fatalf("what was kept: %s; another instance: %v", differs, after != before)
					}
					before = after
				}
				leave()
				if f.fault != abi.ErrResponseTooLarge && f.name != "out of fuel, and answers" {
					mustServe(t, p, links)
				}
				if size := p.StackSize(); size > 1<<20 {
					t.Errorf("%d bytes of call stack are kept", size)
				}
			})
		}
	}
}

func mustServe(t *testing.T, p *engine.Program, links map[string]abi.Link) {
	t.Helper()
	if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: links}); err != nil {
		t.Fatalf("the next request: %v\n%s", err, r.FaultDetail)
	}
}
