package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// hostileLimits are those of a guest in the corpus.
var hostileLimits = engine.Limits{
	Fuel: 50_000_000, Memory: 32 << 20, Timeout: 300 * time.Millisecond, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 2,
}

// benchHostile runs each hostile guest beside a neighbour that is asked all the
// time: how far beyond its limit does it get, what does the node's memory grow
// by, and what does the neighbour notice?
func benchHostile(ctx context.Context) error {
	e, _, remove, err := newEngine()
	if err != nil {
		return err
	}
	defer remove()
	neighbour, err := e.Load(ctx, minimal(answer), abi.InterfaceV1, roomy)
	if err != nil {
		return err
	}
	defer neighbour.Close(ctx)
	if _, err := neighboured(ctx, neighbour, 200*time.Millisecond, nil); err != nil { // warms up
		return err
	}
	fmt.Println("\nHostile guests: each again and again for half a second, beside a minimal app that is asked all the time; limits 300 ms and 32 MiB")
	fmt.Println("\n| guest that … | ends with | longest | memory | neighbour's p99, quiet | beside it | ratio |")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|")
	var ratios []float64
	var longest time.Duration
	var most int64
	for _, h := range wasmtest.Corpus() {
		if h.Refused {
			continue
		}
		r, err := besideHostile(ctx, e, neighbour, h)
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		ratio := float64(r.beside) / float64(r.quiet)
		ratios, longest, most = append(ratios, ratio), max(longest, r.longest), max(most, r.memory)
		fmt.Printf("| %s | %s | %.1f ms | %.1f MiB | %.1f µs | %.1f µs | %.2f |\n", h.Name, abi.FaultKind(h.Fault), ms(r.longest), float64(r.memory)/(1<<20), us(r.quiet), us(r.beside), ratio)
	}
	slices.Sort(ratios)
	fmt.Printf("\nlongest %.1f ms, most memory %.1f MiB; neighbour's p99 against quiet: median %.2f, worst %.2f\n", ms(longest), float64(most)/(1<<20), median(ratios), ratios[len(ratios)-1])
	return nil
}

type besides struct {
	longest, quiet, beside time.Duration
	memory                 int64
}

func besideHostile(ctx context.Context, e *engine.Engine, neighbour *engine.Program, h wasmtest.Hostile) (r besides, err error) {
	l := hostileLimits
	if h.Rich {
		l.Fuel = 1 << 50
	}
	p, err := e.Load(ctx, h.App.Bytes(), abi.InterfaceV1, l)
	if err != nil {
		return r, err
	}
	defer p.Close(ctx)
	if r.quiet, err = neighboured(ctx, neighbour, 500*time.Millisecond, nil); err != nil {
		return r, err
	}
	before := resident()
	r.beside, err = neighboured(ctx, neighbour, 500*time.Millisecond, func() {
		started := time.Now()
		// How it ends is what the tests are about.
		_, _ = p.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "h"}, Links: h.Links()})
		r.longest = max(r.longest, time.Since(started))
	})
	r.memory = max(0, residentNow()-before)
	return r, err
}

// neighboured asks the neighbour for a while, beside other work that is done
// over and over, and returns its p99.
func neighboured(ctx context.Context, neighbour *engine.Program, span time.Duration, other func()) (time.Duration, error) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	if other != nil {
		wg.Go(func() {
			for !stop.Load() {
				other()
			}
		})
	}
	var times []time.Duration
	var err error
	for began := time.Now(); time.Since(began) < span && err == nil; {
		started := time.Now()
		_, err = neighbour.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "h"}})
		times = append(times, time.Since(started))
	}
	stop.Store(true)
	wg.Wait()
	slices.Sort(times)
	return times[len(times)*99/100], err
}
