package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
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
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/metering/fuel/fueltest"
)

// TestSpecification runs the WebAssembly core test suite, which comes with the
// engine, three times side by side: as it is, rewritten, and, where it knows all
// that a module uses, in the interpreter of package fueltest. Results and traps
// must be the same, and the count too, whether a call returns or traps, in
// whatever slices the fuel is granted.
func TestSpecification(t *testing.T) {
	single(t)
	suite := specSuite(t)
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
			t.Logf("%d modules, %d not taken; %d calls, of which %d trapped; %d counts compared, of which %d of calls that trapped",
				tally.modules, tally.refused, tally.calls, tally.traps, tally.counts, tally.trapCounts)
			if tally.calls < 10_000 || tally.traps < 400 || tally.counts < 10_000 || tally.trapCounts < 400 {
				t.Error("the suite is not where it was: too little was compared")
			}
		})
	}
}

// specSuite is where the engine's module keeps the suite.
func specSuite(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "internal/integration_test/spectest")
}

type tally struct{ modules, refused, calls, traps, counts, trapCounts int }

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
	rewrite func([]byte) ([]byte, error)
	current api.Module
	named   map[string]api.Module
	refuel  *refueller
}

// refueller grants fuel in slices and knows what was used.
type refueller struct {
	slice, granted, most int64
	asked                func(used int64) // may be nil
}

const tooMuch = "more fuel than the test grants"

func (r *refueller) grant(_ context.Context, left int64) int64 {
	if r.asked != nil {
		r.asked(r.granted - left)
	}
	if r.granted-left > r.most {
		panic(tooMuch)
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
	plain := newVariant(t, config, spectest, func(b []byte) ([]byte, error) { return b, nil })
	metered := newVariant(t, config, spectest, rewriteAll)
	all := []*variant{plain, metered}
	defer func() {
		for _, v := range all {
			_ = v.runtime.Close(ctx)
		}
	}()
	usable := false
	var machine *fueltest.Machine
	machines := map[string]*fueltest.Machine{}
	for _, c := range script.Commands {
		switch c.Type {
		case "module":
			sum.modules++
			usable = loadAll(ctx, all, filepath.Join(filepath.Dir(path), c.Filename), c.Name)
			if !usable {
				sum.refused++
			}
			machine = interpret(filepath.Join(filepath.Dir(path), c.Filename))
			if c.Name != "" {
				machines[c.Name] = machine
			}
		case "assert_return", "assert_trap", "action":
			if c.Action.Type != "invoke" || !usable {
				continue
			}
			m := machine
			if c.Action.Module != "" {
				m = machines[c.Action.Module]
			}
			compareCall(t, path, c, all, m, sum)
		}
	}
}

func newVariant(t *testing.T, config wazero.RuntimeConfig, spectest string, rewrite func([]byte) ([]byte, error)) *variant {
	t.Helper()
	ctx := t.Context()
	v := &variant{runtime: wazero.NewRuntimeWithConfig(ctx, config), rewrite: rewrite, named: map[string]api.Module{}, refuel: &refueller{slice: 7, most: 1 << 40}}
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

// loadAll loads a module in every variant, or says that it cannot be compared: the
// rewriter does not take what Agora does not (imports other than functions), and
// a module that fails in one must fail in all.
func loadAll(ctx context.Context, all []*variant, path, name string) bool {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for _, v := range all {
		v.current = nil
		b, err := v.rewrite(raw)
		if err != nil {
			return false
		}
		m, err := v.runtime.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName("").WithStartFunctions())
		if err != nil {
			return false
		}
		if start := m.ExportedFunction(fuel.ExportStart); start != nil {
			if _, err := start.Call(ctx); err != nil {
				return false
			}
		}
		v.current = m
		if name != "" {
			v.named[name] = m
		}
	}
	return true
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
		v.refuel.granted = 0
		// What a trap left open.
		m.ExportedGlobal(fuel.ExportDepth).(api.MutableGlobal).Set(0)
	}
	results, err = m.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	if metered {
		used = v.refuel.granted - int64(left.Get())
	}
	return results, used, err
}

func compareCall(t *testing.T, path string, c command, all []*variant, machine *fueltest.Machine, sum *tally) {
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
	sum.calls++
	references := slices.ContainsFunc(all[0].results(c), func(t api.ValueType) bool { return t == api.ValueTypeExternref || t == 0x70 /* funcref */ })
	if machine != nil && !references {
		sum.counts++
		if compareMachine(t, where, machine, c.Action.Field, args, all[0].results(c), want, wantErr, used) {
			sum.trapCounts++
		}
	}
	if references {
		got, want = nil, nil // addresses of the engine's own
	}
	if !slices.Equal(got, want) || reason(gotErr) != reason(wantErr) {
		t.Errorf("%s: metered it answers %v, %v; plain %v, %v", where, got, reason(gotErr), want, reason(wantErr))
		return
	}
	if wantErr != nil {
		sum.traps++
	}
}

// interpret makes a machine of a module; nil if it does not know all of it, or
// if it does not start.
func interpret(path string) *fueltest.Machine {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	m, err := wasm.Parse(raw, wasm.DefaultBounds())
	if err != nil || m.Start != nil {
		return nil
	}
	machine, err := fueltest.New(m, fueltest.Options{Options: specCaps, Host: func(string, string, []uint64) []uint64 { return nil }})
	if err != nil {
		return nil
	}
	return machine
}

// compareMachine compares a call with the interpreter's, whose NaNs are not the
// processor's. It reports whether the call trapped.
func compareMachine(t *testing.T, where string, machine *fueltest.Machine, name string, args []uint64, types []api.ValueType, want []uint64, wantErr error, used int64) bool {
	t.Helper()
	before := machine.Charged
	executed := machine.Executed
	got, err := machine.Call(name, args...)
	charged := machine.Charged - before
	if trap := reason(wantErr); (err == nil) != (trap == "") || (err != nil && trap != "wasm error: "+err.Error()) {
		t.Errorf("%s: interpreted it ends with %v, compiled with %q", where, err, trap)
	}
	if charged != uint64(used) || (err == nil && machine.Executed-executed != charged) {
		t.Errorf("%s: %d units were charged, and are %d by segments and %d one by one; it ends with %v", where, used, charged, machine.Executed-executed, err)
	}
	for i := range got {
		mask := uint64(math.MaxUint64)
		if types[i] == api.ValueTypeI32 || types[i] == api.ValueTypeF32 {
			mask = math.MaxUint32 // compiled code leaves garbage in the upper half
		}
		if i < len(want) && got[i] != want[i]&mask && !isNaN(got[i]) {
			t.Errorf("%s: interpreted it answers %x, compiled %x", where, got, want)
			break
		}
	}
	return err != nil
}

func isNaN(bits uint64) bool {
	return math.IsNaN(math.Float64frombits(bits)) || math.IsNaN(float64(math.Float32frombits(uint32(bits))))
}

// reason is the first line of a trap.
func reason(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

var specCaps = fuel.Options{MemoryPages: wasm.MaxMemoryPages, TableElements: 1 << 20, CallDepth: 100_000}

func rewriteAll(raw []byte) ([]byte, error) {
	m, err := wasm.Parse(raw, wasm.DefaultBounds())
	if err != nil {
		return nil, err
	}
	r, err := fuel.Rewrite(m, specCaps)
	if err != nil {
		return nil, err
	}
	return engine.Mended(r.Module)
}
