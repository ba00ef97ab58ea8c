package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/metering/fuel"
)

func shellOf(t *testing.T, module []byte) []byte {
	t.Helper()
	m, err := wasm.Parse(module, wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	r, err := fuel.Rewrite(m, Limits{Memory: 1 << 20}.caps())
	if err != nil {
		t.Fatal(err)
	}
	_, shell, err := finish(r.Module, false)
	if err != nil {
		t.Fatal(err)
	}
	return shell
}

// TestShellWithoutCode: if the engine compiled a shell because it did not find
// the code, the node is to blame, and what it kept is forgotten.
func TestShellWithoutCode(t *testing.T) {
	e, err := New(Options{CacheDir: t.TempDir(), Worker: []string{"none"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	command := &wasm.Module{
		Types: []wasm.FuncType{{}}, Funcs: []uint32{0}, Memory: &wasm.Limits{Min: 1}, Bodies: []wasm.Body{{Code: []byte{wasm.OpEnd}}},
		Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}, {Name: abi.ExportStart, Kind: wasm.KindFunc}},
	}
	for iface, module := range map[abi.Interface][]byte{abi.InterfaceV1: wasmtest.App{}.Bytes(), abi.InterfaceWASI: command.Encode()} {
		compiled, err := e.runtimes.current.CompileModule(t.Context(), shellOf(t, module))
		if err != nil {
			t.Fatal(err)
		}
		p := newProgram(e.runtimes.current.Runtime, compiled, iface, Limits{Fuel: 1000, Memory: 1 << 20, Timeout: time.Second, ResponseBody: 1000})
		forgotten := false
		p.forget = func() { forgotten = true }
		_, err = p.Invoke(t.Context(), Call{Request: &abi.Request{Method: "GET", Path: "/"}})
		if !errors.Is(err, errNode) || abi.FaultKind(err) != "internal" || !forgotten {
			t.Errorf("the shell of %s serves: %v, forgotten %v", iface, err, forgotten)
		}
	}
}

// TestShellsDiffer: modules that differ in their code alone have different
// shells; with one shell they would get each other's code.
func TestShellsDiffer(t *testing.T) {
	one, other := shellOf(t, wasmtest.App{Code: []byte{wasm.OpNop}}.Bytes()), shellOf(t, wasmtest.App{Code: []byte{wasm.OpNop, wasm.OpNop}}.Bytes())
	if string(one) == string(other) {
		t.Fatal("two modules have one shell")
	}
	if len(one) != len(other) {
		t.Error("shells of modules with the same outside differ in more than their digest")
	}
}
