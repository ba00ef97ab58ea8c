package engine_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// repeats is an app that runs code, which leaves the stack as it was, n times.
func repeats(n int64, code []byte) wasmtest.App {
	const counter = 1 // the handler's second parameter, which it does not need
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{wasm.OpI32Const}, n) }
	return wasmtest.App{KV: true, Code: bytes.Join([][]byte{
		constant(n), {wasm.OpLocalSet, counter, wasm.OpLoop, wasm.BlockEmpty},
		code, {wasm.OpLocalGet, counter, wasm.OpI32Const, 1, wasm.OpI32Sub, wasm.OpLocalTee, counter, wasm.OpBrIf, 0, wasm.OpEnd},
	}, nil)}
}

// TestHostCallContext: a call's context ends when its time is over, when the call
// ends, and when the caller leaves, whether or not a person waited for it; and one
// that was waited for does not end with another call.
func TestHostCallContext(t *testing.T) {
	ask := []byte{wasm.OpI32Const, 0, wasm.OpI32Const, 4, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 0, wasm.OpDrop}
	l := engine.Limits{
		Fuel: 1 << 30, Memory: 1 << 20, Timeout: 20 * time.Second, HostTime: 10 * time.Second, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 4,
	}
	p := load(t, newEngine(t), repeats(4, ask).Bytes(), abi.InterfaceV1, l)
	began := time.Now()
	var kept []context.Context
	calls := 0
	links := map[string]abi.Link{"kv": {"get": func(ctx context.Context, _ []byte) ([]byte, abi.Errno) {
		calls++
		deadline, ok := ctx.Deadline()
		if left := deadline.Sub(began); !ok || left < 5*time.Second || left > 15*time.Second {
			t.Errorf("call %d may take %s", calls, left)
		}
		if err := ctx.Err(); err != nil {
			t.Errorf("call %d begins with %v", calls, err)
		}
		if calls%2 == 0 { // every other one is waited for
			kept = append(kept, ctx)
			select {
			case <-ctx.Done():
				t.Errorf("call %d is over at once", calls)
			default:
			}
			nested, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if d, _ := nested.Deadline(); !d.Equal(deadline) {
				t.Errorf("call %d: what is derived from it may take until %s", calls, d)
			}
		}
		return nil, abi.ErrnoOK
	}}}
	if _, err := p.Invoke(t.Context(), engine.Call{ID: "x", Request: &abi.Request{Method: "GET", Path: "/"}, Links: links}); err != nil || calls != 4 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	if len(kept) != 2 || kept[0] == kept[1] {
		t.Fatalf("the calls that were waited for share a context")
	}
	for _, ctx := range kept {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Error("a call has ended, and its context has not")
		}
	}
}

// TestHostCallDeadline: a call is told when the budget for host calls is used up,
// by whichever means it looks.
func TestHostCallDeadline(t *testing.T) {
	ask := []byte{wasm.OpI32Const, 0, wasm.OpI32Const, 4, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 0, wasm.OpDrop}
	l := engine.Limits{
		Fuel: 1 << 30, Memory: 1 << 20, Timeout: 20 * time.Second, HostTime: 30 * time.Millisecond, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 4,
	}
	p := load(t, newEngine(t), repeats(1, ask).Bytes(), abi.InterfaceV1, l)
	for name, wait := range map[string]func(context.Context) error{
		"Done": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"Err": func(ctx context.Context) error {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			return ctx.Err()
		},
	} {
		var told error
		links := map[string]abi.Link{"kv": {"get": func(ctx context.Context, _ []byte) ([]byte, abi.Errno) {
			told = wait(ctx)
			return nil, abi.ErrnoOK
		}}}
		_, err := p.Invoke(t.Context(), engine.Call{ID: "x", Request: &abi.Request{Method: "GET", Path: "/"}, Links: links})
		if !errors.Is(told, context.DeadlineExceeded) || !errors.Is(err, abi.ErrHostTimeExceeded) {
			t.Errorf("%s: told %v; the invocation ends with %v", name, told, err)
		}
	}
}

// TestTooManyCalls: a flood of calls ends, whatever fuel and time are left.
func TestTooManyCalls(t *testing.T) {
	ask := []byte{wasm.OpI32Const, 0, wasm.OpI32Const, 4, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 0, wasm.OpDrop}
	l := engine.Limits{
		Fuel: 1 << 40, Memory: 1 << 20, Timeout: time.Minute, HostTime: time.Minute, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 4,
	}
	calls := 0
	links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { calls++; return nil, abi.ErrnoOK }}}
	for n, want := range map[int64]error{100_000: nil, 100_001: abi.ErrTooManyCalls} {
		calls = 0
		p := load(t, newEngine(t), repeats(n, ask).Bytes(), abi.InterfaceV1, l)
		_, err := p.Invoke(t.Context(), engine.Call{ID: "x", Request: &abi.Request{Method: "GET", Path: "/"}, Links: links})
		if !errors.Is(err, want) || calls != 100_000 {
			t.Errorf("%d calls: %v, and %d came through", n, err, calls)
		}
	}
}
