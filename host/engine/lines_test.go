package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// TestLines: beside each function of a trap's stack stands the line of source,
// whatever kind of trap it was and however the guest was compiled; also after the
// code was loaded from the cache.
func TestLines(t *testing.T) {
	source, err := os.ReadFile("testdata/lines/trap.c")
	if err != nil {
		t.Fatal(err)
	}
	line := func(mark string) string {
		before, _, ok := bytes.Cut(source, []byte("/* mark: "+mark+" */"))
		if !ok {
			t.Fatalf("no line is marked %q", mark)
		}
		return fmt.Sprintf("trap.c:%d", bytes.Count(before, []byte("\n"))+1)
	}
	guests, _ := filepath.Glob("testdata/lines/*.wasm")
	if len(guests) != 3 {
		t.Fatalf("guests: %q", guests)
	}
	e := newEngine(t)
	for _, guest := range guests {
		module, err := os.ReadFile(guest)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time from the cache
			p := load(t, e, module, abi.InterfaceV1, limits)
			for path, frames := range map[string][]string{
				"/d": {"divide(i32) i32  " + line("divide"), line("d")},
				"/o": {"order.h:3", line("inlined"), "app_handle", line("o")}, // inlined, or a frame of its own
				"/l": {"load(i32) i32  " + line("load"), "app_handle", line("l")},
				"/r": {"refuse(i32)  " + line("trap"), line("r")},
				"/s": {"divide(i32) i32  " + line("divide"), line("loop"), line("s")},
				"/i": {"app_handle(i32,i32) i64  " + line("i")},
			} {
				r, err := p.Invoke(t.Context(), engine.Call{Request: get(path)})
				if !errors.Is(err, abi.ErrTrap) {
					t.Errorf("%s %s: %v", guest, path, err)
				}
				if !inOrder(r.FaultDetail, frames) {
					t.Errorf("%s %s:\n%s\nwant in this order: %q", guest, path, r.FaultDetail, frames)
				}
			}
		}
	}
}

// inOrder reports whether a text has all parts, one behind the other.
func inOrder(text string, parts []string) bool {
	for _, p := range parts {
		_, after, ok := strings.Cut(text, p)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// TestLinesCostNothing: the code that is kept and loaded is the very same as
// without debug information.
func TestLinesCostNothing(t *testing.T) {
	with, err := os.ReadFile("testdata/lines/trap-O2-dwarf4.wasm")
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Parse(with, wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	m.Custom = slices.DeleteFunc(m.Custom, func(c wasm.Custom) bool { return strings.HasPrefix(c.Name, ".debug") })
	var code [2]string
	for i, module := range [][]byte{with, m.Encode()} {
		dir := t.TempDir()
		if err := newEngine(t, func(o *engine.Options) { o.CacheDir = dir }).Compile(t.Context(), module, limits); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "code", "*", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files of code: %q, %v", files, err)
		}
		raw, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		code[i] = string(raw)
	}
	if code[0] != code[1] {
		t.Errorf("%d bytes of code with debug information, %d without", len(code[0]), len(code[1]))
	}
}

// TestNamesWithoutLines: a module without debug information has names, or numbers.
func TestNamesWithoutLines(t *testing.T) {
	p := load(t, newEngine(t), wasmtest.App{Code: []byte{0}}.Bytes(), abi.InterfaceV1, limits)
	r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
	if !errors.Is(err, abi.ErrTrap) || !strings.Contains(r.FaultDetail, "$2(i32,i32) i64") || strings.Contains(r.FaultDetail, "  ") {
		t.Errorf("%v\n%s", err, r.FaultDetail)
	}
}
