package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering/fuel"
)

const (
	load32, store32 = 0x28, 0x36
	canary          = 8192
)

// set writes a word; expect traps unless a word is there.
func set(at, value int64) []byte {
	code := wasm.AppendS64([]byte{i32c}, at)
	code = wasm.AppendS64(append(code, i32c), value)
	return append(code, store32, 2, 0)
}

func expect(at, value int64) []byte {
	code := wasm.AppendS64([]byte{i32c}, at)
	code = wasm.AppendS64(append(code, load32, 2, 0, i32c), value)
	return append(code, wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// canaries is an app that initialises a word and traps if a request finds
// anything but that: what another request wrote, in the pages of the image or
// beyond them, or memory that another has grown.
func canaries(pages uint32) []byte {
	last := int64(pages)*65536 - 8
	return wasmtest.App{
		Pages: pages,
		Init:  set(canary, 1),
		Code: join(
			expect(canary, 1), expect(last, 0), set(canary, 2), set(last, 7), set(65536/2, 9), expect(canary, 2),
			[]byte{wasm.OpMemorySize, 0}, wasm.AppendS64([]byte{i32c}, int64(pages)), []byte{wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end},
			// Every request whose frame is longer than 200 bytes grows the memory, too.
			// What it grows is zero, whoever had it before.
			[]byte{wasm.OpLocalGet, 1}, wasm.AppendS64([]byte{i32c}, 200), []byte{wasm.OpI32GtU, wasm.OpIf, wasm.BlockEmpty, i32c, 1, wasm.OpMemoryGrow, 0, drop},
			expect(int64(pages)*65536, 0), set(int64(pages)*65536, 5), []byte{end},
		),
	}.Bytes()
}

// TestNothingCrosses: whatever a request leaves, no other finds it, whichever
// way the memory is put back.
func TestNothingCrosses(t *testing.T) {
	for _, c := range []struct {
		name  string
		pages uint32
		scan  bool // the kernel may say what was written
	}{
		{"small", 1, true}, {"just small", 4, true}, {"just large", 5, true}, {"large", 64, true}, {"large, and the kernel does not say", 64, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.scan {
				defer engine.WithoutPagemap()()
			}
			l := limits
			l.Concurrency = 8
			p := load(t, newEngine(t), canaries(c.pages), abi.InterfaceV1, l)
			requests := 2000
			if testing.Short() {
				requests = 200
			}
			var all sync.WaitGroup
			var first uint64
			for w := range 6 {
				all.Go(func() {
					for i := range requests {
						r := get("/")
						if (i+1)%7 == w {
							r.Path = "/" + string(make([]byte, 200))
						}
						result, err := p.Invoke(context.Background(), engine.Call{Request: r})
						if err != nil {
							t.Errorf("request %d: %v\n%s", i, err, result.FaultDetail)
							return
						}
						if w == 0 && i == 0 {
							first = result.Instructions
						}
					}
				})
			}
			all.Wait()
			// The first, which initialised, costs what any other costs.
			if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil || (first != r.Instructions && first != 0) {
				t.Errorf("the last costs %d, the first %d, %v", r.Instructions, first, err)
			}
		})
	}
}

// TestInitialisedForTheMoment: an initialiser that asks what may be different
// another time runs for each request, and each request pays for it.
func TestInitialisedForTheMoment(t *testing.T) {
	ask := []byte{i32c, 0, i32c, 1, i32c, 0, i32c, 0, wasm.OpCall, 0, drop}
	module := wasmtest.App{KV: true, Init: ask}.Bytes()
	p := load(t, newEngine(t), module, abi.InterfaceV1, limits)
	asked := 0
	call := engine.Call{Request: get("/"), Links: map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) {
		asked++
		return nil, abi.ErrnoOK
	}}}}
	for i := range 3 {
		r, err := p.Invoke(t.Context(), call)
		if want := 2 + 6 + 9 + uint64(fuel.HostCapability) + fuel.Copying(1); err != nil || r.Instructions != want || asked != i+1 {
			t.Errorf("request %d: %d instructions, want %d; asked %d times; %v", i, r.Instructions, want, asked, err)
		}
	}
}

// TestInitialiserSeesNoRequest: what one request brings must not get into the
// image that all find.
func TestInitialiserSeesNoRequest(t *testing.T) {
	p := load(t, newEngine(t), goGuest(t, `package main
import ("io"; "os"; "unsafe")
var seen int
func init() { b, _ := io.ReadAll(os.Stdin); seen = len(b) }
func main() {}
var in []byte
//go:wasmexport app_alloc
func alloc(n uint32) uint32 { in = make([]byte, n); return uint32(uintptr(unsafe.Pointer(&in[0]))) }
//go:wasmexport app_handle_v1
func handle(p, n uint32) uint64 { if seen != 0 { panic("the initialiser read a request") }; return 0 }
`, "-buildmode=c-shared"), abi.InterfaceV1, limits)
	r := get("/")
	r.Body = []byte("secret")
	// It returns nothing, which is malformed; a panic would be a trap.
	if _, err := p.Invoke(t.Context(), engine.Call{Request: r}); !errors.Is(err, abi.ErrBadResponse) {
		t.Errorf("err = %v", err)
	}
}

// canaryGuest is a Go program that hides what its request brought wherever a Go
// program can: in a variable, a map, a slice's spare room, a goroutine that waits,
// memory that is garbage. It panics when it finds something it did not hide.
const canaryGuest = `package main
import ("bytes"; "unsafe")
var (
	secret string
	known  = map[string]string{"start": "up"}
	spare  = make([]byte, 0, 1<<16)
	room   = make(chan string, 4)
	pages  [64][]byte
)
func main() {}
var in, out []byte
//go:wasmexport app_alloc
func alloc(n uint32) uint32 { in = make([]byte, n); return uint32(uintptr(unsafe.Pointer(&in[0]))) }
//go:wasmexport app_handle_v1
func handle(p, n uint32) uint64 {
	switch {
	case secret != "": panic("a variable")
	case len(known) != 1 || known["start"] != "up": panic("a map")
	case len(room) != 0: panic("a channel")
	case bytes.Contains(spare[:cap(spare)], []byte("canary")): panic("spare room")
	}
	for _, p := range pages { if p != nil { panic("a page") } }
	i := bytes.Index(in, []byte("canary"))
	secret = string(in[i:i+12])
	known[secret] = secret
	spare = append(spare, secret...)
	room <- secret
	go func() { room <- <-room }()
	for i := range pages { pages[i] = bytes.Repeat([]byte(secret), 50) }
	// A response frame with the secret as its body.
	out = make([]byte, 32, 64)
	copy(out, "AGRS"); out[4] = 32; out[8] = 200; out[16] = 32; out[24] = 32; out[28] = 12
	out = append(out, secret...)
	return uint64(uintptr(unsafe.Pointer(&out[0])))<<32 | uint64(len(out))
}
`

// TestCanaries sends a hundred thousand requests, each with a word of its own,
// to two Go programs at once. Each must return its own word, and find no one
// else's: not from another request, and not from the other program.
func TestCanaries(t *testing.T) {
	requests := 100_000
	if testing.Short() {
		requests = 4_000
	}
	e := newEngine(t)
	l := limits
	l.Concurrency, l.StartOnce = 8, true
	module := goGuest(t, canaryGuest, "-buildmode=c-shared")
	apps := []*engine.Program{load(t, e, module, abi.InterfaceV1, l), load(t, e, module, abi.InterfaceV1, l)}
	const workers = 4
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range requests / workers {
				word := fmt.Sprintf("canary%06d", (i*workers+w)%1_000_000)
				r, err := apps[i%2].Invoke(context.Background(), engine.Call{Request: &abi.Request{Method: "POST", Path: "/", Host: "h", Body: []byte(word)}})
				if err != nil || string(r.Response.Body) != word {
					t.Errorf("request %s: %q, %v\n%s", word, r.Response.Body, err, r.FaultDetail)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestNodeIsToBlame: when the node has no room for an instance, the app is not
// said to have trapped.
func TestNodeIsToBlame(t *testing.T) {
	l := limits
	l.Memory = 1 << 50 // more address space than there is
	p := load(t, newEngine(t), wasmtest.App{}.Bytes(), abi.InterfaceV1, l)
	if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err == nil || abi.FaultKind(err) != "internal" {
		t.Errorf("err = %v", err)
	}
}

// TestFirstRequestDoesNotPay: the request for which start-up happens to run is
// billed as every other, in instructions and in time.
func TestFirstRequestDoesNotPay(t *testing.T) {
	// A start-up of some thirty million instructions, before a handler of none.
	module := wasmtest.App{Init: slow(30_000_000)}.Bytes()
	p := load(t, newEngine(t), module, abi.InterfaceV1, limits)
	started := time.Now()
	first, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
	whole := time.Since(started)
	if err != nil || first.Instructions != 2 || first.Guest > whole/2 {
		t.Errorf("the first request is billed %d instructions and %s of %s, %v", first.Instructions, first.Guest, whole, err)
	}
}

// slow is code that takes about n instructions: it counts a word in memory down.
func slow(n int64) []byte {
	address := wasm.AppendS64([]byte{i32c}, canary)
	return join(
		set(canary, n/9), []byte{wasm.OpLoop, wasm.BlockEmpty},
		address, address, []byte{load32, 2, 0, i32c, 1, wasm.OpI32Sub, store32, 2, 0},
		address, []byte{load32, 2, 0, wasm.OpBrIf, 0, end},
	)
}

// TestWarmUp: the image is taken after the warm-up request, which no one pays
// for and which no capability serves.
func TestWarmUp(t *testing.T) {
	// A request adds one to the canary; so each finds what warm-up made of it.
	module := wasmtest.App{Code: wasmtest.Count(canary)}.Bytes()
	for _, c := range []struct {
		name string
		path string
		want uint64
	}{{"without", "", 1}, {"with", "/warm?x=1", 2}} {
		l := limits
		l.WarmUp = c.path
		p := load(t, newEngine(t), module, abi.InterfaceV1, l)
		var cost uint64
		for i := range 5 {
			r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
			if err != nil || r.Response.Body[0] != byte(c.want) || (i > 0 && r.Instructions != cost) {
				t.Errorf("%s, request %d: it finds %v after %d instructions (before %d), %v", c.name, i, r.Response.Body, r.Instructions, cost, err)
			}
			cost = r.Instructions
		}
	}
	l := limits
	l.WarmUp = "/"
	p := load(t, newEngine(t), wasmtest.App{Code: []byte{wasm.OpUnreachable}}.Bytes(), abi.InterfaceV1, l)
	if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); !errors.Is(err, abi.ErrTrap) || !strings.Contains(err.Error(), `warm_up "/"`) {
		t.Errorf("a warm-up that traps: %v", err)
	}
	// Of the request that happens to be the first, nothing gets into the image: what
	// the warm-up request was like does not depend on it.
	remember := join(
		wasm.AppendS64([]byte{i32c}, canary), []byte{load32, 2, 0, wasm.OpI32Eqz, wasm.OpIf, wasm.BlockEmpty},
		wasm.AppendS64([]byte{i32c}, canary), []byte{wasm.OpLocalGet, 1, store32, 2, 0, end},
		wasm.AppendS64([]byte{i32c}, wasmtest.ResponseAt+32+16+12+10), // into the response's body
		wasm.AppendS64([]byte{i32c}, canary), []byte{load32, 2, 0, 0x3a, 0, 0},
	)
	var found []byte
	for _, host := range []string{"a", "a-much-longer-name.localhost:8080"} {
		p := load(t, newEngine(t), wasmtest.App{Code: remember}.Bytes(), abi.InterfaceV1, l)
		r, err := p.Invoke(t.Context(), engine.Call{Request: &abi.Request{Method: "POST", Path: "/secret", Host: host, Body: []byte(host)}})
		if err != nil || len(r.Response.Body) != 2 || r.Response.Body[0] == 'o' || (found != nil && r.Response.Body[0] != found[0]) {
			t.Errorf("after a first request to %q the image holds %v, before %v, %v", host, r.Response.Body, found, err)
		}
		found = r.Response.Body
	}
	// kv.get returns ErrnoUnavailable (6) then, and is not called.
	code := []byte{i32c, 0, i32c, 0, i32c, 0, i32c, 0, wasm.OpCall, 0, drop}
	p = load(t, newEngine(t), wasmtest.App{Code: code, KV: true}.Bytes(), abi.InterfaceV1, l)
	calls := 0
	links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { calls++; return nil, 0 }}}
	for range 3 {
		if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: links}); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 3 {
		t.Errorf("three requests called the capability %d times", calls)
	}
}

// TestKeepState: only who asks for it finds what an earlier request left, and
// not after one that failed.
func TestKeepState(t *testing.T) {
	trap := join([]byte{wasm.OpLocalGet, 1}, wasm.AppendS64([]byte{i32c}, 200), []byte{wasm.OpI32GtU, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end})
	module := wasmtest.App{Code: join(wasmtest.Count(canary), trap), Init: set(canary, 10)}.Bytes()
	for _, keep := range []bool{false, true} {
		l := limits
		l.KeepState = keep
		p := load(t, newEngine(t), module, abi.InterfaceV1, l)
		for i := range 5 {
			want := 11
			if keep {
				want += i
			}
			if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil || int(r.Response.Body[0]) != want {
				t.Errorf("keep %v: request %d finds %v, %v, want %d", keep, i, r.Response.Body, err, want)
			}
		}
		long := get("/" + strings.Repeat("x", 300))
		if _, err := p.Invoke(t.Context(), engine.Call{Request: long}); !errors.Is(err, abi.ErrTrap) {
			t.Errorf("keep %v: %v", keep, err)
		}
		if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil || r.Response.Body[0] != 11 {
			t.Errorf("keep %v: after a failure it finds %v, %v", keep, r.Response.Body, err)
		}
	}
}

// TestGlobalsArePutBack: a request that changes globals of every type leaves
// nothing in them, whether they were initialised by value or by start-up.
func TestGlobalsArePutBack(t *testing.T) {
	m, err := wasm.Parse(wasmtest.App{Init: []byte{wasm.OpNop}}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []struct {
		of       wasm.ValType
		at, then []byte // its value before a request, and after
		differs  byte
	}{
		{wasm.I32, []byte{i32c, 1}, []byte{i32c, 2}, wasm.OpI32Ne},
		{wasm.I64, []byte{i64c, 1}, []byte{i64c, 2}, 0x52},
		{wasm.F32, []byte{wasm.OpF32Const, 0, 0, 0x80, 0x3f}, []byte{wasm.OpF32Const, 0, 0, 0, 0x40}, 0x5c},
		{wasm.F64, []byte{wasm.OpF64Const, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, []byte{wasm.OpF64Const, 0, 0, 0, 0, 0, 0, 0, 0x40}, 0x62},
	} {
		for _, byStart := range []bool{false, true} {
			index := byte(len(m.Globals))
			init := g.at
			if byStart { // 0 at first: bodies are alloc, handle, init
				init = append([]byte{g.at[0]}, make([]byte, len(g.at)-1)...)
				m.Bodies[2].Code = join(g.at, []byte{wasm.OpGlobalSet, index}, m.Bodies[2].Code)
			}
			m.Globals = append(m.Globals, wasm.Global{GlobalType: wasm.GlobalType{Type: g.of, Mutable: true}, Init: append(init[:len(init):len(init)], end)})
			m.Bodies[1].Code = join([]byte{wasm.OpGlobalGet, index}, g.at, []byte{g.differs, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end}, g.then, []byte{wasm.OpGlobalSet, index}, m.Bodies[1].Code)
		}
	}
	p := load(t, newEngine(t), m.Encode(), abi.InterfaceV1, limits)
	for i := range 10 {
		if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil {
			t.Fatalf("request %d: %v\n%s", i, err, r.FaultDetail)
		}
	}
}

// TestWarmUpWithoutImage: where start-up cannot be kept, requests do not pay for
// warming up again and again.
func TestWarmUpWithoutImage(t *testing.T) {
	l := limits
	l.WarmUp = "/"
	// The handler asks for the time, so a warm-up spoils its image.
	module, err := wasm.Parse(wasmtest.App{}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	module.Types = append(module.Types, wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I64, wasm.I32}, Results: []wasm.ValType{wasm.I32}})
	module.Imports = append(module.Imports, wasm.Import{Module: abi.WASIModule, Name: "clock_time_get", Kind: wasm.KindFunc, Func: uint32(len(module.Types) - 1)})
	for i := range module.Exports {
		if module.Exports[i].Kind == wasm.KindFunc {
			module.Exports[i].Index++
		}
	}
	module.Bodies[1].Code = join([]byte{i32c, 0, i64c, 0, i32c, 0, wasm.OpCall, 0, drop}, module.Bodies[1].Code)
	p := load(t, newEngine(t), module.Encode(), abi.InterfaceV1, l)
	var costs []uint64
	for range 4 {
		r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
		if err != nil {
			t.Fatal(err)
		}
		costs = append(costs, r.Instructions)
	}
	if costs[1] >= costs[0] || costs[1] != costs[3] {
		t.Errorf("requests cost %v: only the first may pay for the warm-up that was in vain", costs)
	}
}

// TestCommandsKeepNothing: keep_state has no effect on WASI commands, whose
// start is the request itself.
func TestCommandsKeepNothing(t *testing.T) {
	// _start prints a response, adds one to a word, and exits with what that was
	// before: with an error, if it was not zero.
	const answer = "Content-Type: text/plain\n\nok"
	i32 := wasm.I32
	m := &wasm.Module{
		Types: []wasm.FuncType{{}, {Params: []wasm.ValType{i32}}, {Params: []wasm.ValType{i32, i32, i32, i32}, Results: []wasm.ValType{i32}}},
		Imports: []wasm.Import{
			{Module: abi.WASIModule, Name: "proc_exit", Kind: wasm.KindFunc, Func: 1},
			{Module: abi.WASIModule, Name: "fd_write", Kind: wasm.KindFunc, Func: 2},
		},
		Funcs: []uint32{0}, Memory: &wasm.Limits{Min: 1},
		Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}, {Name: abi.ExportStart, Kind: wasm.KindFunc, Index: 2}},
		Bodies: []wasm.Body{{Code: []byte{
			i32c, 1, i32c, 8, i32c, 1, i32c, 4, wasm.OpCall, 1, drop,
			i32c, 0, i32c, 0, load32, 2, 0, i32c, 1, wasm.OpI32Add, store32, 2, 0,
			i32c, 0, load32, 2, 0, i32c, 1, wasm.OpI32Sub, wasm.OpCall, 0, end,
		}}},
		Data: []wasm.Data{{Offset: []byte{i32c, 8, end}, Bytes: append([]byte{16, 0, 0, 0, byte(len(answer)), 0, 0, 0}, answer...)}},
	}
	for _, keep := range []bool{false, true} {
		l := limits
		l.KeepState = keep
		p := load(t, newEngine(t), m.Encode(), abi.InterfaceWASI, l)
		for i := range 4 {
			if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil || string(r.Response.Body) != "ok" {
				t.Errorf("keep %v: request %d finds what an earlier one left: %v", keep, i, err)
			}
		}
	}
}
