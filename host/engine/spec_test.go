package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// TestSpecification runs the WebAssembly core test suite, which comes with the
// engine, three times side by side: as it is, rewritten, and counted by an
// oracle that charges each instruction by itself. Results and traps must be the
// same, and where a call returns, so must be the count, in whatever slices the
// fuel is granted.
func TestSpecification(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	suite := filepath.Join(strings.TrimSpace(string(dir)), "internal/integration_test/spectest")
	for name, config := range map[string]wazero.RuntimeConfig{"compiler": wazero.NewRuntimeConfigCompiler(), "interpreter": wazero.NewRuntimeConfigInterpreter()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions := []string{"v1", "v2"}
			if testing.Short() {
				versions = versions[:1]
			}
			var tally tally
			for _, v := range versions {
				scripts, err := filepath.Glob(filepath.Join(suite, v, "testdata", "*.json"))
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range scripts {
					runScript(t, config.WithCoreFeatures(api.CoreFeaturesV2), filepath.Join(suite, "testdata/spectest.wasm"), path, &tally)
				}
			}
			t.Logf("%d modules, %d not taken; %d calls, of which %d trapped; %d counts compared", tally.modules, tally.refused, tally.calls, tally.traps, tally.counts)
			if tally.calls < 10_000 || tally.traps < 400 || tally.counts < 10_000 {
				t.Error("the suite is not where it was: too little was compared")
			}
		})
	}
}

type tally struct{ modules, refused, calls, traps, counts int }

// command is a line of a script. "register" is not followed: a module that
// imports from another test's module is not taken.
type command struct {
	Type     string
	Line     int
	Filename string
	Name     string
	Action   struct {
		Type, Module, Field string
		Args                []struct{ Type, Value any }
	}
}

// variant is one way of running the suite, in a world of its own.
type variant struct {
	runtime wazero.Runtime
	rewrite func([]byte) ([]byte, bool, error) // bool: its counts can be compared
	current api.Module
	named   map[string]api.Module
	refuel  *refueller
}

// refueller grants fuel in slices and knows what was used.
type refueller struct{ slice, granted, calls int64 }

func (r *refueller) grant(_ context.Context, left int64) int64 {
	if r.calls++; r.calls > 5_000_000 {
		panic("a test of the suite does not end")
	}
	give := -left + r.slice
	r.granted += give
	return left + give
}

func runScript(t *testing.T, config wazero.RuntimeConfig, spectest, path string, sum *tally) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var script struct{ Commands []command }
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	plain := newVariant(t, config, spectest, func(b []byte) ([]byte, bool, error) { return b, true, nil })
	metered := newVariant(t, config, spectest, rewriteAll)
	oracle := newVariant(t, config, spectest, countEach)
	all := []*variant{plain, metered, oracle}
	defer func() {
		for _, v := range all {
			_ = v.runtime.Close(ctx)
		}
	}()
	usable, comparable := false, false
	for _, c := range script.Commands {
		switch c.Type {
		case "module":
			sum.modules++
			usable, comparable = load3(ctx, all, filepath.Join(filepath.Dir(path), c.Filename), c.Name)
			if !usable {
				sum.refused++
			}
		case "assert_return", "assert_trap", "action":
			if c.Action.Type != "invoke" || !usable {
				continue
			}
			compareCall(t, path, c, all, comparable, sum)
		}
	}
}

func newVariant(t *testing.T, config wazero.RuntimeConfig, spectest string, rewrite func([]byte) ([]byte, bool, error)) *variant {
	t.Helper()
	ctx := t.Context()
	v := &variant{runtime: wazero.NewRuntimeWithConfig(ctx, config), rewrite: rewrite, named: map[string]api.Module{}, refuel: &refueller{slice: 7}}
	if _, err := v.runtime.NewHostModuleBuilder(fuel.ImportModule).NewFunctionBuilder().WithFunc(v.refuel.grant).Export(fuel.ImportRefuel).Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(spectest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.runtime.InstantiateWithConfig(ctx, raw, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	return v
}

// load3 loads a module in every variant, or says that it cannot be compared: the
// rewriter does not take what Agora does not (imports other than functions), and
// a module that fails in one must fail in all.
func load3(ctx context.Context, all []*variant, path, name string) (usable, comparable bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false, false
	}
	comparable = true
	for _, v := range all {
		v.current = nil
		b, ok, err := v.rewrite(raw)
		if err != nil {
			return false, false
		}
		comparable = comparable && ok
		m, err := v.runtime.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName("").WithStartFunctions())
		if err != nil {
			return false, false
		}
		if start := m.ExportedFunction(fuel.ExportStart); start != nil {
			if _, err := start.Call(ctx); err != nil {
				return false, false
			}
		}
		v.current = m
		if name != "" {
			v.named[name] = m
		}
	}
	return true, comparable
}

func (v *variant) module(c command) api.Module {
	if c.Action.Module != "" {
		return v.named[c.Action.Module]
	}
	return v.current
}

func (v *variant) results(c command) []api.ValueType {
	if m := v.module(c); m != nil && m.ExportedFunction(c.Action.Field) != nil {
		return m.ExportedFunction(c.Action.Field).Definition().ResultTypes()
	}
	return nil
}

func (v *variant) call(c command, args []uint64) (results []uint64, used int64, err error) {
	m := v.module(c)
	if m == nil || m.ExportedFunction(c.Action.Field) == nil {
		return nil, 0, fmt.Errorf("no such function")
	}
	left, metered := m.ExportedGlobal(fuel.ExportFuel).(api.MutableGlobal)
	if metered {
		left.Set(0)
		v.refuel.granted, v.refuel.calls = 0, 0
		// What a trap left open.
		m.ExportedGlobal(fuel.ExportDepth).(api.MutableGlobal).Set(0)
	}
	results, err = m.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	if metered {
		used = v.refuel.granted - int64(left.Get())
	}
	return results, used, err
}

func compareCall(t *testing.T, path string, c command, all []*variant, comparable bool, sum *tally) {
	t.Helper()
	var args []uint64
	for _, a := range c.Action.Args {
		text, ok := a.Value.(string)
		n, err := strconv.ParseUint(text, 10, 64)
		if !ok || err != nil {
			return // vectors and references
		}
		args = append(args, n)
	}
	where := fmt.Sprintf("%s:%d %s%v", filepath.Base(path), c.Line, c.Action.Field, args)
	want, _, wantErr := all[0].call(c, args)
	got, used, gotErr := all[1].call(c, args)
	_, counted, oracleErr := all[2].call(c, args)
	sum.calls++
	if results := all[0].results(c); slices.ContainsFunc(results, func(t api.ValueType) bool { return t == api.ValueTypeExternref || t == 0x70 /* funcref */ }) {
		got, want = nil, nil // addresses of the engine's own
	}
	if !slices.Equal(got, want) || reason(gotErr) != reason(wantErr) {
		t.Errorf("%s: metered it answers %v, %v; plain %v, %v", where, got, reason(gotErr), want, reason(wantErr))
		return
	}
	if wantErr != nil {
		sum.traps++
		return
	}
	if comparable && oracleErr == nil {
		sum.counts++
		if used != counted {
			t.Errorf("%s: %d units were charged, %d instructions were executed", where, used, counted)
		}
	}
}

// reason is the first line of a trap.
func reason(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func rewriteAll(raw []byte) ([]byte, bool, error) {
	m, err := wasm.Parse(raw, wasm.DefaultBounds())
	if err != nil {
		return nil, false, err
	}
	r, err := fuel.Rewrite(m, fuel.Options{MemoryPages: wasm.MaxMemoryPages, TableElements: 1 << 20, CallDepth: 100_000})
	return r.Module, true, err
}

// countEach is the oracle: before each instruction it takes its cost from a
// global, and knows nothing of segments, loops or checks. What has a size it
// does not count.
func countEach(raw []byte) (out []byte, comparable bool, err error) {
	m, err := wasm.Parse(raw, wasm.DefaultBounds())
	if err != nil {
		return nil, false, err
	}
	comparable = true
	counter := uint32(m.Imported(wasm.KindGlobal) + len(m.Globals))
	m.Globals = append(m.Globals, wasm.Global{GlobalType: wasm.GlobalType{Type: wasm.I64, Mutable: true}, Init: []byte{wasm.OpI64Const, 0, wasm.OpEnd}},
		wasm.Global{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: []byte{wasm.OpI32Const, 0, wasm.OpEnd}})
	m.Exports = append(m.Exports, wasm.Export{Name: fuel.ExportFuel, Kind: wasm.KindGlobal, Index: counter}, wasm.Export{Name: fuel.ExportDepth, Kind: wasm.KindGlobal, Index: counter + 1})
	for i := range m.Bodies {
		code := m.Bodies[i].Code
		var b []byte
		c := wasm.NewCode(code, wasm.DefaultBounds())
		var in wasm.Instr
		for c.Next(&in) {
			switch in.Op {
			case wasm.OpEnd, wasm.OpElse:
			case wasm.OpPrefixFC, wasm.OpMemoryGrow, wasm.OpRefFunc:
				if in.Op != wasm.OpPrefixFC || in.Sub >= wasm.FCMemoryInit {
					comparable = false
				}
				fallthrough
			default:
				b = wasm.AppendU32(append(b, wasm.OpGlobalGet), counter)
				b = append(b, wasm.OpI64Const, 1, wasm.OpI64Sub, wasm.OpGlobalSet)
				b = wasm.AppendU32(b, counter)
			}
			b = append(b, code[in.Start:in.End]...)
		}
		if err := c.Err(); err != nil {
			return nil, false, err
		}
		m.Bodies[i].Code = b
	}
	return m.Encode(), comparable, nil
}
