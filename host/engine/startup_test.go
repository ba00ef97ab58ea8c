package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// work is code that costs n units, at least 4.
func work(n int) []byte {
	code := slices.Concat(number(1<<15), number(0), number(int64(8*min(n-4, 1000))), []byte{wasm.OpPrefixFC, wasm.FCMemoryFill, 0})
	if n -= 4 + min(n-4, 1000); n >= 4 {
		return append(code, work(n)...)
	}
	return append(code, slices.Repeat([]byte{wasm.OpNop}, n)...)
}

// random is an app whose initialiser asks for a byte of randomness and then does what code says.
// Asking costs 3 instructions besides what the node does for it.
func random(t *testing.T, init, handler []byte) []byte {
	t.Helper()
	ask := join(number(0), number(1), []byte{wasm.OpCall, 0, drop})
	m, err := wasm.Parse(wasmtest.App{KV: true, Init: append(ask, init...), Code: handler}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	m.Types = append(m.Types, wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I32}})
	m.Imports[0] = wasm.Import{Module: abi.WASIModule, Name: "random_get", Kind: wasm.KindFunc, Func: uint32(len(m.Types) - 1)}
	return m.Encode()
}

const (
	requestFuel = 10_000
	asking      = 4 + 512 + 8 // of random
	handled     = 2           // of wasmtest.App without code
	initialised = 9           // the bytes of its data, by eights
)

// TestStartFuel: start-up that is kept has a budget of its own, and no request pays for it; one that
// each request runs has the request's and is on its bill, to the unit; and whatever start-up does, a
// request costs its limit at most, and a start-up that does not end is said to be one.
func TestStartFuel(t *testing.T) {
	single(t)
	once := func(l *engine.Limits) { l.StartOnce = true }
	for _, c := range []struct {
		name   string
		module []byte
		change func(*engine.Limits)
		want   uint64
		says   string // of its error; "" for none
	}{
		{"start-up is larger than a request", wasmtest.App{Init: work(9 * requestFuel)}.Bytes(), nil, handled, ""},
		{"the start function is", wasmtest.App{Start: work(9 * requestFuel)}.Bytes(), nil, handled, ""},
		{"all of its budget", wasmtest.App{Init: work(10*requestFuel - initialised)}.Bytes(), nil, handled, ""},
		{"one unit more", wasmtest.App{Init: work(10*requestFuel - initialised + 1)}.Bytes(), nil, requestFuel, "its start-up takes more"},
		{"another budget", wasmtest.App{Init: work(2 * requestFuel)}.Bytes(), func(l *engine.Limits) { l.StartFuel = requestFuel }, requestFuel, "its start-up takes more"},
		{"it never ends", wasmtest.App{Init: wasmtest.Forever}.Bytes(), nil, requestFuel, "its start-up takes more"},
		{"it calls a capability, and never ends", wasmtest.App{KV: true, Init: join(calling(0, 0, 0, 0, 0), wasmtest.Forever)}.Bytes(), nil, requestFuel, "its start-up takes more"},
		{"a request has its limit after it", wasmtest.App{Init: work(9 * requestFuel), Code: work(requestFuel - handled)}.Bytes(), nil, requestFuel, ""},
		{"and no more", wasmtest.App{Init: work(9 * requestFuel), Code: work(requestFuel)}.Bytes(), nil, requestFuel, "instruction limit of 10000"},
		{"kept though it asks for randomness", random(t, work(5*requestFuel), nil), once, handled, ""},
		{"not kept", random(t, work(5*requestFuel), nil), nil, requestFuel, "start_once"},
		{"not kept, and small", random(t, work(1000), work(100)), nil, initialised + asking + 1000 + 100 + handled, ""},
		{"not kept, and all of the request's", random(t, work(requestFuel-initialised-asking-handled), nil), nil, requestFuel, ""},
		{"not kept, and the request is one too many", random(t, work(requestFuel-initialised-asking), nil), nil, requestFuel, "instruction limit of 10000"},
		{"not kept, and the request never ends", random(t, work(requestFuel/2), wasmtest.Forever), nil, requestFuel, "instruction limit of 10000"},
		{"state is kept, not start-up", wasmtest.App{Init: work(2 * requestFuel)}.Bytes(), func(l *engine.Limits) { l.KeepState = true }, requestFuel, "its start-up takes more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := limits
			l.Fuel = requestFuel
			if c.change != nil {
				c.change(&l)
			}
			p := load(t, newEngine(t), c.module, abi.InterfaceV1, l)
			for i := range 3 {
				r, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoOK }}}})
				if r.Instructions != c.want || (err != nil) != (c.says != "") || err != nil && (!errors.Is(err, abi.ErrFuelExhausted) || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("request %d: %d instructions, want %d; %v", i, r.Instructions, c.want, err)
				}
			}
		})
	}
}

// TestRunawayOnce: a start-up that used up its own budget has a request's from then on.
func TestRunawayOnce(t *testing.T) {
	l := limits
	l.Fuel = requestFuel
	p := load(t, newEngine(t), wasmtest.App{Init: wasmtest.Forever}.Bytes(), abi.InterfaceV1, l)
	for i, limit := range []string{"limit of 100000", "limit of 10000:", "limit of 10000:"} {
		if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err == nil || !strings.Contains(err.Error(), limit) {
			t.Errorf("request %d: %v, want %q", i, err, limit)
		}
	}
}
