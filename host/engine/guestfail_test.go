package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// printing is a WASI command that prints a text and then does something.
func printing(printed string, then ...byte) []byte {
	i32 := wasm.I32
	write := []byte{wasm.OpI32Const, 1, wasm.OpI32Const, 0, wasm.OpI32Const, 1, wasm.OpI32Const, 8, wasm.OpCall, 0, wasm.OpDrop}
	vector := []byte{16, 0, 0, 0, byte(len(printed)), byte(len(printed) >> 8), 0, 0}
	return (&wasm.Module{
		Types: []wasm.FuncType{{Params: []wasm.ValType{i32, i32, i32, i32}, Results: []wasm.ValType{i32}}, {Params: []wasm.ValType{i32}}, {}},
		Imports: []wasm.Import{
			{Module: abi.WASIModule, Name: "fd_write", Func: 0}, {Module: abi.WASIModule, Name: "proc_exit", Func: 1},
		},
		Funcs: []uint32{2}, Memory: &wasm.Limits{Min: 1},
		// What LLVM calls __stack_pointer, which a full stack takes below zero.
		Globals: []wasm.Global{{GlobalType: wasm.GlobalType{Type: i32, Mutable: true}, Init: []byte{wasm.OpI32Const, 32, wasm.OpEnd}}},
		Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}, {Name: "_start", Index: 2}},
		Bodies:  []wasm.Body{{Code: append(append(write, then...), wasm.OpEnd)}},
		Data: []wasm.Data{
			{Offset: []byte{wasm.OpI32Const, 0, wasm.OpEnd}, Bytes: vector}, {Offset: []byte{wasm.OpI32Const, 16, wasm.OpEnd}, Bytes: []byte(printed)},
		},
	}).Encode()
}

// TestWhatFailedIsTold: a program that fails after it printed is not dropped without a word.
func TestWhatFailedIsTold(t *testing.T) {
	exit := []byte{wasm.OpI32Const, 3, wasm.OpCall, 1}
	overflow := []byte{ // the stack pointer goes down by 64, and what is there is written
		wasm.OpGlobalGet, 0, wasm.OpI32Const, 0xc0, 0, wasm.OpI32Sub, wasm.OpGlobalSet, 0, wasm.OpGlobalGet, 0, wasm.OpI32Const, 1, 0x36, 2, 0,
	}
	outside := []byte{wasm.OpI32Const, 0x70, wasm.OpI32Const, 1, 0x36, 2, 0} // the stack is fine
	whole := "Content-Type: text/plain\n\nall of it\n"
	for _, c := range []struct {
		name   string
		module []byte
		fault  error
		says   string
		log    string
	}{
		{"no headers", printing("Hello, world!\n"), abi.ErrBadResponse, "print `Content-Type: text/plain`", "Hello, world!"},
		{"a panic", printing("thread main panicked\n", wasm.OpUnreachable), abi.ErrTrap, "", "thread main panicked"},
		{"a status after a whole response", printing(whole, exit...), abi.ErrExitStatus, "3; what it printed is in its log", "all of it"},
		{"a full stack", printing("deep\n", overflow...), abi.ErrStackExhausted, "stack-size", "deep"},
		{"an address outside", printing("wild\n", outside...), abi.ErrTrap, "out of bounds", "wild"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			p, err := e.Load(t.Context(), c.module, abi.InterfaceWASI, limits)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(t.Context())
			var log []string
			_, err = p.Invoke(t.Context(), engine.Call{Request: &abi.Request{Method: "GET", Path: "/"}, Stderr: func(line string) { log = append(log, line) }})
			if !errors.Is(err, c.fault) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want %v that says %q", err, c.fault, c.says)
			}
			if !slices.Contains(log, c.log) {
				t.Errorf("log = %q, want %q in it", log, c.log)
			}
		})
	}
}

// TestTry: a start-up that fails by itself is told from a request that does, and from what may
// work once a capability is granted.
func TestTry(t *testing.T) {
	single(t)
	trap := []byte{wasm.OpUnreachable}
	ask := []byte{wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 0, wasm.OpDrop}
	for _, c := range []struct {
		name            string
		app             wasmtest.App
		startUp, called bool
		fault           error
		limits          func(*engine.Limits)
		runaway         bool
	}{
		{"serves", wasmtest.App{}, false, false, nil, nil, false},
		{"traps when it starts", wasmtest.App{Start: trap}, true, false, abi.ErrTrap, nil, false},
		{"traps in its initialiser", wasmtest.App{Init: trap}, true, false, abi.ErrTrap, nil, false},
		{"traps in its allocator", wasmtest.App{Alloc: trap}, true, false, abi.ErrTrap, nil, false},
		{"traps in its handler", wasmtest.App{Code: trap}, false, false, abi.ErrTrap, nil, false},
		{"asks, and traps", wasmtest.App{KV: true, Code: append(ask, wasm.OpUnreachable)}, false, true, abi.ErrTrap, nil, false},
		{"never ends its start", wasmtest.App{Init: wasmtest.Forever}, true, false, abi.ErrFuelExhausted, func(l *engine.Limits) { l.Fuel = 1_000_000 }, true},
		{"may start for longer than is tried", wasmtest.App{Init: wasmtest.Forever}, true, false, abi.ErrFuelExhausted, func(l *engine.Limits) { l.Fuel = 300_000_000 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := limits
			if c.limits != nil {
				c.limits(&l)
			}
			got, err := newEngine(t).Try(t.Context(), c.app.Bytes(), abi.InterfaceV1, l)
			if err != nil || !errors.Is(got.Err, c.fault) || got.StartUp != c.startUp || got.Called != c.called || got.Runaway != c.runaway {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
