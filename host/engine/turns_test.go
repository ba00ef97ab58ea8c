package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/engine/turns"
)

// TestNeighbourOfSpinners: while many calls of one owner spin, each call of another waits for a few
// slices of theirs, counted in their instructions, and not for one of each.
func TestNeighbourOfSpinners(t *testing.T) {
	shares := turns.New(1)
	e := newEngine(t, func(o *engine.Options) { o.Turns = shares })
	endless := limits
	endless.Fuel, endless.Timeout, endless.Concurrency, endless.Owner, endless.App = 1<<60, time.Minute, 32, "hog", "spins"
	spins := load(t, e, wasmtest.App{Code: forever}.Bytes(), abi.InterfaceV1, endless)
	quiet := limits
	quiet.Owner, quiet.App = "quiet", "app"
	neighbour := load(t, e, wasmtest.App{}.Bytes(), abi.InterfaceV1, quiet)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	var spent uint64
	for range 32 {
		group.Go(func() {
			r, err := spins.Invoke(ctx, engine.Call{Request: get("/")})
			if !errors.Is(err, abi.ErrCanceled) && !errors.Is(err, abi.ErrBusy) {
				t.Errorf("a spinning call: %v", err)
			}
			mu.Lock()
			spent += r.Instructions
			mu.Unlock()
			if r.Guest > 30*time.Second {
				t.Errorf("its waiting counts as work: %s", r.Guest)
			}
		})
	}
	for shares.State().Waiting < 31 {
		time.Sleep(time.Millisecond)
	}
	const calls = 50
	for range calls {
		if _, err := neighbour.Invoke(ctx, engine.Call{Request: get("/")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // a client that thinks
	}
	handed := shares.State().Handed
	cancel()
	group.Wait()
	if handed < calls/2 {
		t.Errorf("%d handovers for %d calls of a neighbour", handed, calls)
	}
	if got := shares.State(); got.Waiting != 0 {
		t.Errorf("%d turns are left in the queue", got.Waiting)
	}
	t.Logf("%d instructions beside each call, %d handovers", spent/calls, handed)
}

// TestWaitingIsNotBilled: what a call waited for a processor is neither guest nor host time.
func TestWaitingIsNotBilled(t *testing.T) {
	e := newEngine(t, func(o *engine.Options) { o.Turns = turns.New(1) })
	l := limits
	l.Fuel, l.Timeout, l.Concurrency, l.Owner, l.App = 400_000_000, time.Minute, 8, "hog", "spins"
	p := load(t, e, wasmtest.App{Code: forever}.Bytes(), abi.InterfaceV1, l)
	var group sync.WaitGroup
	var mu sync.Mutex
	var billed time.Duration
	began := time.Now()
	for range 8 {
		group.Go(func() {
			r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
			if !errors.Is(err, abi.ErrFuelExhausted) || r.Instructions != l.Fuel {
				t.Errorf("%d instructions, %v", r.Instructions, err)
			}
			mu.Lock()
			defer mu.Unlock()
			billed += r.Guest + r.Host
		})
	}
	group.Wait()
	// One token: the calls' times cannot overlap.
	if took := time.Since(began); billed > took {
		t.Errorf("%s are billed of %s", billed, took)
	}
}
