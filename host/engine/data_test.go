package engine

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/metering/fuel/fueltest"
)

// saying is an app that returns a text, and differs from others of its kind in its data alone.
func saying(text string) []byte {
	return wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Body: []byte(text)}), Raw: answering(100)}.Bytes()
}

// answering is code that returns n bytes of frame: what is behind its end is padding.
func answering(n uint32) []byte {
	return wasm.AppendS64([]byte{wasm.OpI64Const}, int64(abi.PackResult(wasmtest.ResponseAt, n)))
}

func text(n int, c byte) string { return string(bytes.Repeat([]byte{c}, n)) }

// files counts what a cache keeps: entries, and code.
func files(t *testing.T, dir string) (entries, codes int) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if len(f.Name()) == 64 {
			entries++
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "code", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return entries, len(found)
}

// TestCodeIsShared: modules that differ in their data alone are compiled once, also after a restart,
// share what is kept of their code on the disk and in memory, and each is what it says.
func TestCodeIsShared(t *testing.T) {
	dir := t.TempDir()
	e := testEngine(t, dir, nil)
	frame := len(abi.AppendResponse(nil, &abi.Response{Status: 200}))
	app := func(c byte) []byte { return saying(text(100-frame, c)) }
	serve := func(e *Engine, c byte) *Program {
		t.Helper()
		p, err := e.Load(t.Context(), app(c), abi.InterfaceV1, small)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, err := p.Invoke(t.Context(), request)
			if err != nil || string(r.Response.Body) != text(100-frame, c) || r.Instructions != 2 {
				t.Fatalf("%q: %d instructions, %v", r.Response.Body, r.Instructions, err)
			}
		}
		return p
	}
	a, b := serve(e, 'a'), serve(e, 'b')
	if entries, codes := files(t, dir); entries != 1 || codes != 1 {
		t.Errorf("%d entries and %d files of code are kept for two apps", entries, codes)
	}
	if a.code != b.code || a.Share()+b.Share() > a.Size()+b.Size()-a.code.size+1 || a.code.size == 0 {
		t.Errorf("of %d and %d bytes the shares are %d and %d", a.Size(), b.Size(), a.Share(), b.Share())
	}
	if err := a.Close(t.Context()); err != nil || b.Share() != b.Size() {
		t.Errorf("the last program's share is %d of %d: %v", b.Share(), b.Size(), err)
	}
	_, _ = b.Invoke(t.Context(), request)
	_ = b.Close(t.Context())
	if len(e.codes) != 0 {
		t.Errorf("%d codes are counted after all programs ended", len(e.codes))
	}
	_ = e.Close(t.Context())

	again, err := New(Options{CacheDir: dir, Worker: []string{"/nothing/compiles"}})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(context.Background())
	serve(again, 'c').Close(t.Context())
	if err := again.Forget(app('a'), small); err != nil {
		t.Error(err)
	}
	if entries, codes := files(t, dir); entries != 0 || codes != 0 {
		t.Errorf("%d entries and %d files of code are left", entries, codes)
	}
}

// active is a segment at a place.
func active(at uint32, text string) wasm.Data {
	return wasm.Data{Offset: append(wasm.AppendS64([]byte{wasm.OpI32Const}, int64(int32(at))), wasm.OpEnd), Bytes: []byte(text)}
}

// withData is an app with these segments behind its own.
func withData(t testing.TB, app wasmtest.App, change func(*wasm.Module), data ...wasm.Data) []byte {
	t.Helper()
	m, err := wasm.Parse(app.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	m.Data = append(m.Data, data...)
	if change != nil {
		change(m)
	}
	return m.Encode()
}

// TestInitialMemory: whatever the segments, memory begins with what the interpreter that was written
// apart makes of them, and that costs what the table says.
func TestInitialMemory(t *testing.T) {
	e := testEngine(t, t.TempDir(), nil)
	defer e.Close(context.Background())
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		var data []wasm.Data
		for range r.IntN(14) {
			at := 20_000 + r.Uint32N([]uint32{300, 2000, 40_000}[r.IntN(3)])
			data = append(data, active(at, "text of a segment"[:r.IntN(17)]))
		}
		if r.IntN(4) == 0 {
			data = append(data, active(pageSize-3, "end"), active(pageSize, ""))
		}
		module := withData(t, wasmtest.App{}, nil, data...)
		m, err := wasm.Parse(module, wasm.DefaultBounds())
		if err != nil {
			t.Fatal(err)
		}
		machine, err := fueltest.New(m, fueltest.Options{Options: fuel.Options{MemoryPages: 16, TableElements: 10, CallDepth: 10}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Load(t.Context(), module, abi.InterfaceV1, small)
		if err != nil {
			t.Fatal(err)
		}
		rewritten, err := fuel.Rewrite(m, small.caps())
		if err != nil || p.initCost != rewritten.InitCost {
			t.Errorf("it costs %d, by the table %d: %v", p.initCost, rewritten.InitCost, err)
		}
		if _, err := p.Invoke(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if got, _ := p.pool.ready[0].memory.Read(0, pageSize); !bytes.Equal(got, machine.Memory) {
			t.Fatalf("%d segments make another memory than the specification says", len(data))
		}
		_ = p.Close(t.Context())
	}
	if len(e.codes) != 0 {
		t.Error("codes are left")
	}
	if entries, _ := files(t, e.o.CacheDir); entries != 1 {
		t.Errorf("%d entries are kept of modules with one code", entries)
	}
}

// TestSegmentsWithCode: data that is more than what memory begins with stays with the code: it does
// what it did, and no other module gets its code.
func TestSegmentsWithCode(t *testing.T) {
	const at = 40_000
	count := func(n uint32) func(*wasm.Module) { return func(m *wasm.Module) { m.DataCount = &n } }
	passive := func(text string) wasm.Data { return wasm.Data{Mode: wasm.Passive, Bytes: []byte(text)} }
	// expect traps unless the byte at a place is c.
	expect := func(c byte) []byte {
		code := append(wasm.AppendS64([]byte{wasm.OpI32Const}, at), 0x2d /* i32.load8_u */, 0, 0)
		code = wasm.AppendS64(append(code, wasm.OpI32Const), int64(c))
		return append(code, wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, wasm.OpEnd)
	}
	copied := append(wasm.AppendS64([]byte{wasm.OpI32Const}, at), wasm.OpI32Const, 0, wasm.OpI32Const, 1, wasm.OpPrefixFC, wasm.FCMemoryInit, 1, 0)
	dropped := []byte{wasm.OpPrefixFC, wasm.FCDataDrop, 1}
	for _, c := range []struct {
		name   string
		module func(c byte) []byte
		shared bool
		fault  error
	}{
		{"the later segment is on top", func(c byte) []byte {
			return withData(t, wasmtest.App{Code: expect('y')}, nil, active(at, "x"+string(c)), active(at, "y"))
		}, true, nil},
		{"one byte behind the memory", func(c byte) []byte {
			return withData(t, wasmtest.App{}, nil, active(pageSize-3, "tex"+string(c)))
		}, false, abi.ErrTrap},
		{"far behind the memory", func(c byte) []byte {
			return withData(t, wasmtest.App{}, nil, active(1<<32-1, string(c)))
		}, false, abi.ErrTrap},
		{"nothing, behind the memory", func(byte) []byte {
			return withData(t, wasmtest.App{}, nil, active(pageSize+1, ""))
		}, true, abi.ErrTrap},
		{"copied by the code", func(c byte) []byte {
			return withData(t, wasmtest.App{Code: append(bytes.Clone(copied), expect('x')...)}, count(2), passive("x"+string(c)))
		}, false, nil},
		{"copied after it was dropped", func(c byte) []byte {
			return withData(t, wasmtest.App{Code: append(bytes.Clone(dropped), copied...)}, count(2), passive("x"+string(c)))
		}, false, abi.ErrTrap},
		{"active, and named by the code", func(c byte) []byte { // the engine does not drop it, as it never did
			return withData(t, wasmtest.App{Code: copied}, count(2), active(at, "x"+string(c)))
		}, false, nil},
		{"passive, and named by nothing", func(c byte) []byte {
			return withData(t, wasmtest.App{}, nil, passive(string(c)))
		}, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			e := testEngine(t, dir, nil)
			defer e.Close(context.Background())
			for _, c2 := range []byte("12") {
				p, err := e.Load(t.Context(), c.module(c2), abi.InterfaceV1, small)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := p.Invoke(t.Context(), request); !errors.Is(err, c.fault) || c.fault == nil && err != nil {
						t.Errorf("err = %v, want %v", err, c.fault)
					}
				}
				_ = p.Close(t.Context())
			}
			if entries, _ := files(t, dir); (entries == 1) != c.shared {
				t.Errorf("%d entries for two modules", entries)
			}
		})
	}
}

// TestCodesDiffer: what decides about machine code besides the data is part of what it is found by.
func TestCodesDiffer(t *testing.T) {
	base := wasmtest.App{}
	seen := map[string]string{}
	note := func(name string, module []byte, l Limits) {
		t.Helper()
		key := cacheKey(readSource(module).digest, l.caps())
		if other, ok := seen[key]; ok {
			t.Errorf("%s has the code of %s", name, other)
		}
		seen[key] = name
	}
	note("the app", base.Bytes(), small)
	note("another instruction", wasmtest.App{Code: []byte{wasm.OpNop}}.Bytes(), small)
	note("a larger memory", wasmtest.App{Pages: 2}.Bytes(), small)
	note("a maximum", withData(t, base, func(m *wasm.Module) { m.Memory.HasMax, m.Memory.Max = true, 5 }), small)
	note("another global", withData(t, base, func(m *wasm.Module) {
		m.Globals = append(m.Globals, wasm.Global{GlobalType: wasm.GlobalType{Type: wasm.I32}, Init: []byte{wasm.OpI32Const, 1, wasm.OpEnd}})
	}), small)
	note("names", withData(t, base, func(m *wasm.Module) { m.Custom = append(m.Custom, wasm.Custom{Name: "name", Data: []byte{1}}) }), small)
	note("lines", withData(t, base, func(m *wasm.Module) {
		m.Custom = append(m.Custom, wasm.Custom{Name: ".debug_line", Data: []byte{1}})
	}), small)
	limits := map[string]func(*Limits){
		"another limit of memory": func(l *Limits) { l.Memory *= 2 },
		"another depth":           func(l *Limits) { l.CallDepth = 5 },
		"another table":           func(l *Limits) { l.Table = fuel.Table1 },
	}
	for name, change := range limits {
		l := small
		change(&l)
		note(name, base.Bytes(), l)
	}
	same := withData(t, base, func(m *wasm.Module) { m.Custom = append(m.Custom, wasm.Custom{Name: "producers", Data: []byte{1}}) }, active(4096, "more"))
	if key := cacheKey(readSource(same).digest, small.caps()); seen[key] != "the app" {
		t.Error("data, or a custom section that says nothing of code, makes another code")
	}
}
