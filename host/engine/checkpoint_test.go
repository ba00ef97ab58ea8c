package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// TestCheckpoints: what a stream amounts to is told before its first byte, and
// again with each eighth of its fuel; a caller who cannot note it ends it.
func TestCheckpoints(t *testing.T) {
	l := limits
	l.Fuel, l.Timeout = 8_000_000, time.Minute
	p := load(t, newEngine(t), streaming(wasmtest.Forever).Bytes(), abi.InterfaceV1, l)
	var told []engine.Result
	caller := &pieces{}
	call := engine.Call{Request: &abi.Request{Method: "GET", Path: "/"}, Stream: caller, Checkpoint: func(so engine.Result) error {
		if len(told) == 0 && len(caller.all) > 0 {
			t.Error("a byte went out before the first checkpoint")
		}
		told = append(told, so)
		return nil
	}}
	result, err := p.Invoke(t.Context(), call)
	if !errors.Is(err, abi.ErrFuelExhausted) || len(told) < 8 || len(told) > 20 {
		t.Errorf("%d checkpoints, %v", len(told), err)
	}
	for i, so := range told {
		if so.BodyBytes != int64(len("first")) || so.Instructions > result.Instructions || so.MemoryPeak == 0 || i > 0 && so.Instructions <= told[i-1].Instructions {
			t.Errorf("checkpoint %d says %+v", i, so)
		}
	}
	refused := errors.New("the disk is full")
	caller.all, call.Checkpoint = nil, func(engine.Result) error { return refused }
	if _, err := p.Invoke(t.Context(), call); !errors.Is(err, refused) || len(caller.all) > 0 {
		t.Errorf("%v, and %q went out", err, caller.all)
	}
	call.Stream, call.Checkpoint = nil, func(engine.Result) error { t.Error("nothing goes out, and it is told"); return nil }
	if _, err := p.Invoke(t.Context(), call); !errors.Is(err, abi.ErrFuelExhausted) {
		t.Error(err)
	}
}
