package main

import (
	"context"
	"embed"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

//go:embed kernels/*.wasm
var kernelFiles embed.FS

// goKernel is built when it is measured, with the Go toolchain.
const goKernel = "gojson"

// kernels with the argument that makes each run for about 100 ms.
var kernels = []struct {
	name string
	n    uint64
}{
	{"fib", 34}, {"sieve", 30}, {"matmul", 20}, {"nbody", 400_000}, {"sha256", 250_000},
	{"mandel", 350}, {"qsort", 10}, {"json", 200}, {"interp", 600}, {goKernel, 10},
}

const rounds = 7

// kernel is one compiled program.
type kernel struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

func compileKernel(ctx context.Context, r wazero.Runtime, module []byte) (kernel, error) {
	compiled, err := r.CompileModule(ctx, module)
	return kernel{r, compiled}, err
}

// time runs the kernel in an instance of its own, for a guest with a garbage
// collector does not start every time from where it was.
func (k kernel) time(ctx context.Context, n uint64) (took time.Duration, answer, instructions uint64, err error) {
	const plenty = 1 << 40
	module, err := k.runtime.InstantiateModule(ctx, k.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return 0, 0, 0, err
	}
	defer module.Close(ctx)
	left, metered := module.ExportedGlobal(fuel.ExportFuel).(api.MutableGlobal)
	if metered {
		left.Set(plenty)
	}
	run := module.ExportedFunction("run")
	started := cpuTime()
	result, err := run.Call(ctx, n)
	took = cpuTime() - started
	if err != nil {
		return 0, 0, 0, err
	}
	if metered {
		instructions = plenty - left.Get()
	}
	return took, result[0], instructions, nil
}

// benchFuel times each kernel metered and not, in turns, on the same runtime.
func benchFuel(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2))
	defer r.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return err
	}
	refuel := func(_ context.Context, left int64) int64 { return left + 1<<40 }
	if _, err := r.NewHostModuleBuilder(fuel.ImportModule).NewFunctionBuilder().WithFunc(refuel).Export(fuel.ImportRefuel).Instantiate(ctx); err != nil {
		return err
	}
	fmt.Printf("\nFuel: the same kernel with and without counting, median CPU time of %d runs, in turns\n\n", rounds)
	fmt.Println("| kernel | plain | metered | ratio | instructions | per µs, metered |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	product, worst := 1.0, 0.0
	for _, k := range kernels {
		plain, metered, instructions, err := compare(ctx, r, k.name, k.n)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		ratio := float64(metered) / float64(plain)
		product *= ratio
		worst = max(worst, ratio)
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.2f | %.0f M | %.0f |\n", k.name, ms(plain), ms(metered), ratio, float64(instructions)/1e6, float64(instructions)/float64(metered.Microseconds()))
	}
	fmt.Printf("| **geometric mean** | | | **%.2f** | | |\n\nworst: %.2f\n", math.Pow(product, 1/float64(len(kernels))), worst)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func compare(ctx context.Context, r wazero.Runtime, name string, n uint64) (plain, metered time.Duration, instructions uint64, err error) {
	raw, err := kernelModule(name)
	if err != nil {
		return 0, 0, 0, err
	}
	parsed, err := wasm.Parse(raw, wasm.DefaultBounds())
	if err != nil {
		return 0, 0, 0, err
	}
	rewritten, err := fuel.Rewrite(parsed, fuel.Options{MemoryPages: 1024, TableElements: 65_536, CallDepth: 10_000})
	if err != nil {
		return 0, 0, 0, err
	}
	bare, err := compileKernel(ctx, r, raw)
	if err != nil {
		return 0, 0, 0, err
	}
	counted, err := compileKernel(ctx, r, rewritten.Module)
	if err != nil {
		return 0, 0, 0, err
	}
	var plains, metereds []time.Duration
	for range rounds {
		p, want, _, err := bare.time(ctx, n)
		if err != nil {
			return 0, 0, 0, err
		}
		m, got, used, err := counted.time(ctx, n)
		if err != nil {
			return 0, 0, 0, err
		}
		if got != want || (instructions != 0 && used != instructions) {
			return 0, 0, 0, fmt.Errorf("metered it answers %d with %d instructions, plain it answers %d; before it took %d", got, used, want, instructions)
		}
		instructions = used
		plains, metereds = append(plains, p), append(metereds, m)
	}
	return median(plains), median(metereds), instructions, nil
}

func kernelModule(name string) ([]byte, error) {
	if name != goKernel {
		return kernelFiles.ReadFile("kernels/" + name + ".wasm")
	}
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return goGuest(".", "./kernels/"+name, "c-shared", dir)
}
