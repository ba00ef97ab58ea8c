package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/registry"
)

var (
	handle = wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}}
	alloc  = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	host   = wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32, wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}}
)

// app is an abi/v1 module. Its bodies trap: nothing here runs them.
func app(change ...func(*wasm.Module)) []byte {
	trap := wasm.Body{Code: []byte{wasm.OpUnreachable, wasm.OpEnd}}
	m := &wasm.Module{
		Types: []wasm.FuncType{alloc, handle, {}, host}, Funcs: []uint32{0, 1, 2}, Bodies: []wasm.Body{trap, trap, trap},
		Memory: &wasm.Limits{Min: 2, Max: 4, HasMax: true},
		Exports: []wasm.Export{
			{Name: "memory", Kind: wasm.KindMemory}, {Name: abi.ExportAlloc, Index: 0}, {Name: abi.ExportHandle, Index: 1},
		},
	}
	for _, c := range change {
		c(m)
	}
	return m.Encode()
}

func imports(module, name string, signature uint32) func(*wasm.Module) {
	return func(m *wasm.Module) {
		m.Imports = append(m.Imports, wasm.Import{Module: module, Name: name, Func: signature})
		for i := range m.Exports {
			if m.Exports[i].Kind == wasm.KindFunc {
				m.Exports[i].Index++
			}
		}
	}
}

func exports(names ...string) func(*wasm.Module) {
	return func(m *wasm.Module) {
		m.Exports = []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}}
		for _, n := range names {
			m.Exports = append(m.Exports, wasm.Export{Name: n, Index: 2})
		}
	}
}

func TestInspect(t *testing.T) {
	i, err := registry.Inspect(app(imports("app:kv/v1", "get", 3), imports("app:log/v1", "write", 3)))
	if err != nil {
		t.Fatal(err)
	}
	if i.Interface != abi.InterfaceV1 || strings.Join(i.Capabilities, ",") != "kv,log" || i.MemoryMin != 2<<16 || i.MemoryMax != 4<<16 {
		t.Errorf("%+v", i)
	}
	if i, err := registry.Inspect(app(exports("_start"))); err != nil || i.Interface != abi.InterfaceWASI || len(i.Capabilities) != 0 {
		t.Errorf("command: %+v, %v", i, err)
	}
}

func TestInspectRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		module []byte
		kind   error
		says   string
	}{
		{"nothing", nil, registry.ErrBadModule, "empty"},
		{"a zip archive", []byte("PK\x03\x04xxxxxxxx"), registry.ErrBadModule, "zip"},
		{"gzip", []byte("\x1f\x8b\x08xxxxxxxxx"), registry.ErrBadModule, "gzip"},
		{"a Linux program", []byte("\x7fELFxxxxxxxxx"), registry.ErrBadModule, "GOOS=wasip1"},
		{"text", []byte("\n(module)xxxxx"), registry.ErrBadModule, "wat2wasm"},
		{"a web page", []byte("<!doctype html>"), registry.ErrBadModule, "web page"},
		{"half a module", app()[:60], registry.ErrBadModule, "ends too early"},
		{"a component", []byte("\x00asm\x0d\x00\x01\x00"), registry.ErrUnsupportedModule, "wasm32-wasip1"},
		{"no interface", app(exports("main")), registry.ErrUnsupportedModule, "guest SDK"},
		{"a newer interface", app(exports("app_handle_v2")), registry.ErrUnsupportedModule, "newer"},
		{"http-wasm by its export", app(exports("handle_request")), registry.ErrUnsupportedModule, "http-wasm"},
		{"http-wasm by its import", app(imports("http_handler", "log", 2)), registry.ErrUnsupportedModule, "http-wasm"},
		{"Extism", app(imports("extism:host/env", "alloc", 2)), registry.ErrUnsupportedModule, "Extism"},
		{"proxy-wasm", app(imports("env", "proxy_log", 2)), registry.ErrUnsupportedModule, "proxy"},
		{"early Spin", app(exports("handle-http-request")), registry.ErrUnsupportedModule, "Spin"},
		{"a WASI library", app(exports("_initialize")), registry.ErrUnsupportedModule, "library"},
		{"AssemblyScript", app(imports("env", "abort", 2)), registry.ErrUnsupportedModule, "abort="},
		{"Emscripten", app(imports("env", "invoke_ii", 2)), registry.ErrUnsupportedModule, "STANDALONE"},
		{"wasm-bindgen", app(imports("wbg", "x", 2)), registry.ErrUnsupportedModule, "wasm-bindgen"},
		{"Go for a browser", app(imports("gojs", "x", 2)), registry.ErrUnsupportedModule, "wasip1"},
		{"another host", app(imports("thing", "x", 2)), registry.ErrUnsupportedModule, "no node offers"},
		{"an unknown capability", app(imports("app:rocket/v1", "launch", 3)), registry.ErrUnsupportedModule, "app:rocket/v1"},
		{"a newer capability", app(imports("app:kv/v2", "get", 3)), registry.ErrUnsupportedModule, "app:kv/v2"},
		{"an unknown function", app(imports("app:kv/v1", "drop", 3)), registry.ErrUnsupportedModule, "only get, set"},
		{"a capability with another signature", app(imports("app:kv/v1", "get", 2)), registry.ErrUnsupportedModule, "signature"},
		{"the node's own names", app(imports("agora:fuel/v1", "refuel", 2)), registry.ErrUnsupportedModule, "the node's"},
		{"an export of the node's", app(func(m *wasm.Module) { m.Exports = append(m.Exports, wasm.Export{Name: "agora:fuel"}) }), registry.ErrUnsupportedModule, "the node's"},
		{"an imported memory", app(func(m *wasm.Module) {
			m.Imports = []wasm.Import{{Module: "env", Name: "memory", Kind: wasm.KindTable, Table: wasm.Table{Type: wasm.FuncRef}}}
		}), registry.ErrUnsupportedModule, "brings its own"},
		{"a handler without an allocator", app(exports("app_handle_v1")), registry.ErrUnsupportedModule, ""},
		{"no memory", app(func(m *wasm.Module) { m.Exports = m.Exports[1:] }), registry.ErrUnsupportedModule, "memory"},
		{"a handler with another signature", app(func(m *wasm.Module) { m.Exports[2].Index = 0 }), registry.ErrUnsupportedModule, "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registry.Inspect(c.module)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want %v that says %q", err, c.kind, c.says)
			}
		})
	}
}
