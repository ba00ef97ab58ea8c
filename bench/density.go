package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// benchPark loads many programs into an engine, without a node around it: what
// does one keep while it waits, and how long does it take to bring all back?
func benchPark(ctx context.Context, apps int) error {
	e, _, remove, err := newEngine()
	if err != nil {
		return err
	}
	defer remove()
	modules := make([][]byte, apps)
	for i := range modules {
		modules[i] = distinct(i)
	}
	if err := compileAll(ctx, e, modules); err != nil {
		return err
	}
	programs := make([]*engine.Program, apps)
	loadAll := func() (took time.Duration, err error) {
		started := time.Now()
		for i, m := range modules {
			if programs[i], err = e.Load(ctx, m, abi.InterfaceV1, roomy); err != nil {
				return 0, err
			}
		}
		return time.Since(started), nil
	}
	before := resident()
	if _, err := loadAll(); err != nil {
		return err
	}
	loaded := resident()
	var first []time.Duration
	for _, p := range programs {
		started := time.Now()
		if _, err := p.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "h"}}); err != nil {
			return err
		}
		first = append(first, time.Since(started))
	}
	parked := resident()
	for _, p := range programs {
		if err := p.Close(ctx); err != nil {
			return err
		}
	}
	again, err := loadAll()
	if err != nil {
		return err
	}
	n := int64(apps)
	fmt.Printf("\nParked: %d minimal apps in one engine\n\n", apps)
	fmt.Println("| what | |")
	fmt.Println("|---|---:|")
	fmt.Printf("| resident memory for each: loaded | %.1f KiB |\n", float64(loaded-before)/float64(n)/1024)
	fmt.Printf("| the same after its first request | %.1f KiB |\n", float64(parked-before)/float64(n)/1024)
	fmt.Printf("| load of one whose code is cached | %.0f µs |\n", us(again)/float64(n))
	fmt.Printf("| its first request, p50 | %.0f µs |\n", us(median(first)))
	fmt.Printf("| reload of all | %.2f s |\n", again.Seconds())
	return nil
}

// distinct is a minimal app whose code is its own: those that differ in data alone share it, see
// benchFurther.
func distinct(n int) []byte {
	return wasmtest.App{Code: append(wasm.AppendS64([]byte{wasm.OpI32Const}, int64(n)), wasm.OpDrop)}.Bytes()
}

// compileAll fills the cache, two at a time.
func compileAll(ctx context.Context, e *engine.Engine, modules [][]byte) error {
	var g errgroup.Group
	g.SetLimit(2)
	for _, m := range modules {
		g.Go(func() error { return e.Compile(ctx, m, roomy) })
	}
	return g.Wait()
}

// benchDensity fills a node with apps and asks one of them, and then all of
// them at random: what does it cost that they are many?
func benchDensity(ctx context.Context, apps int, span time.Duration) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	hosts := make([]string, apps)
	started := time.Now()
	for i := range hosts {
		if hosts[i], err = n.publish(ctx, "small-"+strconv.Itoa(i), distinct(i)); err != nil {
			return err
		}
	}
	published := time.Since(started)
	addr := n.Addr().String()
	before := resident()
	started = time.Now()
	for _, h := range hosts {
		if err := once(addr, h); err != nil {
			return fmt.Errorf("%s: %w", h, err)
		}
	}
	loaded := time.Since(started)
	each := (resident() - before) / int64(apps)
	one, err := drive(addr, hosts[:1], "/", nil, span)
	if err != nil {
		return err
	}
	all, err := drive(addr, hosts, "/", nil, span)
	if err != nil {
		return err
	}
	fmt.Printf("\nDensity: %d minimal apps, published in %.1f s\n\n", apps, published.Seconds())
	fmt.Println("| what | |")
	fmt.Println("|---|---:|")
	fmt.Printf("| first answer of an app that is stored and not loaded | %.2f ms |\n", ms(loaded)/float64(apps))
	fmt.Printf("| resident memory for each app that is loaded | %d KiB |\n", each>>10)
	fmt.Printf("| requests/s to one app | %.0f |\n", one.perSecond)
	fmt.Printf("| requests/s to all, at random | %.0f |\n", all.perSecond)
	fmt.Printf("| one app against all | %.2f |\n", one.perSecond/all.perSecond)
	return nil
}

// resident is this process's memory in bytes, after a collection.
func resident() int64 {
	debug.FreeOSMemory()
	return residentNow()
}

func residentNow() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
