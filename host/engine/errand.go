package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// ErrErrand: what ran did not come to its end.
var ErrErrand = errors.New("it did not come to its end")

// mostSaid bounds what is kept of an errand's standard error.
const mostSaid = 64 << 10

// errandPages bounds an errand's memory: 128 MiB.
const errandPages = 2048

// Errand runs a function of one of Agora's own modules, which takes and returns nothing, and returns what it wrote to
// standard error. It is not for apps: nothing is metered, and only ctx ends it. The module reaches nothing: whatever
// it imports answers that it is not there, so that clocks, randomness and capabilities are none of what it says.
func Errand(ctx context.Context, module []byte, function string) (said string, err error) {
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(true).WithMemoryLimitPages(errandPages))
	defer runtime.Close(context.WithoutCancel(ctx))
	compiled, err := runtime.CompileModule(experimental.WithCompilationWorkers(ctx, 1), module)
	if err != nil {
		return "", err
	}
	var out []byte
	if err := offerNothing(ctx, runtime, compiled, &out); err != nil {
		return "", err
	}
	m, err := runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err == nil {
		f := m.ExportedFunction(function)
		if f == nil {
			return "", fmt.Errorf("the module has no function %s", function)
		}
		_, err = f.Call(ctx)
	}
	if ctx.Err() != nil {
		return string(out), ctx.Err()
	}
	if err != nil {
		return string(out), fmt.Errorf("%w: %w", ErrErrand, err)
	}
	return string(out), nil
}

// offerNothing defines all that a module imports, as what is not there. What goes to standard error is kept.
func offerNothing(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule, out *[]byte) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		b := builders[module]
		if b == nil {
			b = runtime.NewHostModuleBuilder(module)
			builders[module] = b
		}
		results := len(f.ResultTypes())
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, stack []uint64) {
			said := module == "wasi_snapshot_preview1" && name == "fd_write"
			if said {
				*out = append(*out, written(m.Memory(), stack)...)
				*out = (*out)[:min(len(*out), mostSaid)]
			}
			if results > 0 {
				stack[0] = notThere
				if said {
					stack[0] = 0
				}
			}
		}), f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// notThere is WASI's errno for what is not supported.
const notThere = 52

// written reads what a call of fd_write writes, and tells the module that all of it was.
func written(memory api.Memory, stack []uint64) (all []byte) {
	vectors, n := uint32(stack[1]), uint32(stack[2])
	for i := range min(n, 64) {
		at, _ := memory.ReadUint32Le(vectors + 8*i)
		size, _ := memory.ReadUint32Le(vectors + 8*i + 4)
		part, _ := memory.Read(at, min(size, mostSaid))
		all = append(all, part...)
	}
	memory.WriteUint32Le(uint32(stack[3]), uint32(len(all)))
	return all
}
