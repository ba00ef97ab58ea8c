package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// benchCompile compares a Go guest with its metered form: how much larger is it,
// and how much longer does the compiler take? Two workers, median of five, in turns.
func benchCompile(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	raw, err := goApp("hello", "c-shared", dir)
	if err != nil {
		return err
	}
	var rewriting, plain, metered []time.Duration
	var rewritten fuel.Result
	for range 5 {
		started := time.Now()
		m, err := wasm.Parse(raw, wasm.DefaultBounds())
		if err != nil {
			return err
		}
		if rewritten, err = fuel.Rewrite(m, fuel.Options{MemoryPages: 512, TableElements: 65_536, CallDepth: 10_000}); err != nil {
			return err
		}
		rewriting = append(rewriting, time.Since(started))
		for module, times := range map[*[]byte]*[]time.Duration{&raw: &plain, &rewritten.Module: &metered} {
			took, err := compileOnce(ctx, *module)
			if err != nil {
				return err
			}
			*times = append(*times, took)
		}
	}
	fmt.Println("\nCompiling a Go guest (hello), with and without counting")
	fmt.Println("\n| | plain | metered | ratio |")
	fmt.Println("|---|---:|---:|---:|")
	fmt.Printf("| module | %.2f MiB | %.2f MiB | %.2f |\n", float64(len(raw))/(1<<20), float64(len(rewritten.Module))/(1<<20), float64(len(rewritten.Module))/float64(len(raw)))
	fmt.Printf("| compilation | %.0f ms | %.0f ms | %.2f |\n", ms(median(plain)), ms(median(metered)), float64(median(metered))/float64(median(plain)))
	fmt.Printf("| reading and rewriting | | %.0f ms | |\n", ms(median(rewriting)))
	return nil
}

func compileOnce(ctx context.Context, module []byte) (time.Duration, error) {
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2))
	defer r.Close(ctx)
	started := time.Now()
	_, err := r.CompileModule(experimental.WithCompilationWorkers(ctx, 2), module)
	return time.Since(started), err
}
