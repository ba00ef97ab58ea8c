package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/host/engine"
)

// furtherApps is how many there are of each kind.
const furtherApps = 8

// benchFurther brings apps that are the same but for their data, as apps of one interpreter are, and
// beside them apps whose code differs, too: what does a further one cost?
func benchFurther(ctx context.Context) error {
	e, dir, remove, err := newEngine()
	if err != nil {
		return err
	}
	defer remove()
	app, err := goApp("hello", "c-shared", dir)
	if err != nil {
		return err
	}
	fmt.Printf("\nFurther apps: Go with the SDK (hello, %.1f MiB), in variants; medians of %d\n\n", float64(len(app))/(1<<20), furtherApps)
	fmt.Println("| they differ in | compiled | cached code | loaded and served the first time | memory |")
	fmt.Println("|---|---:|---:|---:|---:|")
	for _, kind := range []struct {
		name string
		vary func([]byte, int) ([]byte, error)
	}{{"code", otherCode}, {"data alone", otherData}} {
		f, err := measureFurther(ctx, e, filepath.Join(dir, "cache"), app, kind.vary)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		fmt.Printf("| %s | %.0f ms | %.2f MiB | %.1f ms | %.0f KiB |\n", kind.name, ms(median(f.compiled)), float64(f.disk)/(1<<20), ms(median(f.served)), float64(f.memory)/1024)
	}
	return nil
}

// further is what apps cost after the first of their kind.
type further struct {
	compiled, served []time.Duration
	disk, memory     int64 // bytes for each
}

func measureFurther(ctx context.Context, e *engine.Engine, cache string, app []byte, vary func([]byte, int) ([]byte, error)) (f further, err error) {
	var disk, memory int64
	for i := range furtherApps + 1 {
		module, err := vary(app, i)
		if err != nil {
			return f, err
		}
		if i == 1 { // the first is what the others are further to
			disk, memory = sizeBelow(cache), proportional()
		}
		began := time.Now()
		if err := e.Compile(ctx, module, roomy); err != nil {
			return f, err
		}
		compiled := time.Since(began)
		began = time.Now()
		p, err := e.Load(ctx, module, abi.InterfaceV1, roomy)
		if err != nil {
			return f, err
		}
		defer p.Close(ctx)
		r, err := p.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "app.localhost"}, Links: links})
		if err != nil || r.Response.Status != 200 {
			return f, fmt.Errorf("status %d: %w", r.Response.Status, err)
		}
		if i > 0 {
			f.compiled, f.served = append(f.compiled, compiled), append(f.served, time.Since(began))
		}
	}
	f.disk, f.memory = (sizeBelow(cache)-disk)/furtherApps, (proportional()-memory)/furtherApps
	return f, nil
}

// proportional is this process's memory in bytes, after a collection, each page once: a page of an
// image is mapped by each instance, and resident memory counts it for each.
func proportional() int64 {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// otherCode is an app with another function, which nothing calls.
func otherCode(app []byte, n int) ([]byte, error) {
	m, err := wasm.Parse(app, wasm.DefaultBounds())
	if err != nil {
		return nil, err
	}
	m.Types = append(m.Types, wasm.FuncType{})
	m.Funcs = append(m.Funcs, uint32(len(m.Types)-1))
	m.Bodies = append(m.Bodies, wasm.Body{Code: append(bytes.Repeat([]byte{wasm.OpNop}, n+1), wasm.OpEnd)})
	return m.Encode(), nil
}

// otherData is an app that says something else.
func otherData(app []byte, n int) ([]byte, error) {
	said, instead := []byte("A WebAssembly app of"), fmt.Appendf(nil, "An app, variant %04d", n)
	if len(said) != len(instead) {
		return nil, errors.New("the texts differ in length")
	}
	m, err := wasm.Parse(app, wasm.DefaultBounds())
	if err != nil {
		return nil, err
	}
	for i, d := range m.Data {
		if bytes.Contains(d.Bytes, said) {
			m.Data = slices.Clone(m.Data)
			m.Data[i].Bytes = bytes.Replace(d.Bytes, said, instead, 1)
			return m.Encode(), nil
		}
	}
	return nil, errors.New("the app does not say what it is expected to say")
}

// sizeBelow is what the files below a directory take, by their lengths.
func sizeBelow(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
