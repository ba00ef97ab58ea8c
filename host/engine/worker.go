package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"

	"github.com/agora-host/agora/registry"
)

// task is the first line that a worker reads; the module's bytes follow, and its
// shell's.
type task struct {
	Module  int    `json:"module"` // bytes
	CodeDir string `json:"code_dir"`
	Memory  uint64 `json:"memory"`  // bytes of address space
	Seconds uint64 `json:"seconds"` // of CPU
}

// verdict is what a worker answers, twice: when the module is compiled, and when
// it was rehearsed. Error is "" if all is well.
type verdict struct {
	Error string `json:"error"`
}

// compileInChild compiles a rewritten module in a process that can be killed.
func (e *Engine) compileInChild(ctx context.Context, dir string, module, shell []byte) error {
	limited, cancel := context.WithTimeout(ctx, e.o.WorkerTime)
	defer cancel()
	head, err := json.Marshal(task{Module: len(module), CodeDir: dir, Memory: e.o.WorkerMemory, Seconds: uint64(2 * e.o.WorkerTime / time.Second)})
	if err != nil {
		return err
	}
	var out, problems bytes.Buffer
	child := exec.CommandContext(limited, e.o.Worker[0], e.o.Worker[1:]...)
	child.Stdin = io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(module), bytes.NewReader(shell))
	child.Stdout, child.Stderr = &out, &limitedBuffer{b: &problems, left: 4096}
	child.WaitDelay = time.Second
	err = child.Run()
	var compiled, rehearsed verdict
	answers := json.NewDecoder(&out)
	if answers.Decode(&compiled) == nil && compiled.Error == "" && ctx.Err() == nil {
		if answers.Decode(&rehearsed) != nil {
			// Compiled, and too large for the interpreter: that is no fault of the module.
			e.o.Logger.WarnContext(ctx, "a module was compiled and could not be rehearsed", "err", err, "stderr", problems.String())
		}
		if rehearsed.Error != "" {
			return fmt.Errorf("%w: %s", registry.ErrBadModule, rehearsed.Error)
		}
		return nil
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%w: compiling it takes longer than %s; make its functions smaller, or build it with optimisation for size", registry.ErrBadModule, e.o.WorkerTime)
	case err != nil && diedOfLimits(err, problems.String()):
		return fmt.Errorf("%w: compiling it takes more memory or time than is allowed; make its functions smaller, or build it with optimisation for size", registry.ErrBadModule)
	case err != nil:
		return fmt.Errorf("run the compile worker: %w: %s", err, problems.String())
	case compiled.Error != "":
		return fmt.Errorf("%w: %s", registry.ErrBadModule, compiled.Error)
	}
	return errors.New("the compile worker gave no answer")
}

// diedOfLimits recognises a child that its resource limits ended: killed, or
// crashed with a trace. A Go runtime that gets no more memory dies in many ways;
// the worker itself writes no trace, as it recovers from the compiler's panics.
func diedOfLimits(err error, stderr string) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && (exit.ExitCode() == -1 || (exit.ExitCode() == 2 && stderr != ""))
}

// limitedBuffer keeps the first bytes and swallows the rest.
type limitedBuffer struct {
	b    *bytes.Buffer
	left int
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.b.Write(p[:n])
	return len(p), nil
}

// CompileWorker is the whole life of the compile child: it takes its limits,
// reads a module from in, compiles it into the cache directory it is told, and
// writes its verdict to out. It answers the exit status.
func CompileWorker(in io.Reader, out io.Writer) int {
	dec := json.NewDecoder(in)
	var t task
	if err := dec.Decode(&t); err != nil {
		return 2
	}
	for resource, limit := range map[int]uint64{unix.RLIMIT_AS: t.Memory, unix.RLIMIT_CPU: t.Seconds} {
		// A system that has no such limit leaves the deadline of the parent.
		_ = unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit})
	}
	rest, err := io.ReadAll(io.MultiReader(dec.Buffered(), in))
	if err != nil || len(rest) < 1+t.Module {
		return 2
	}
	module, shell := rest[1:1+t.Module], rest[1+t.Module:] // behind the line's end
	ctx := experimental.WithCompilationWorkers(context.Background(), 2)
	store, err := wazero.NewCompilationCacheWithDir(t.CodeDir)
	if err != nil {
		return 2
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(store))
	defer runtime.Close(ctx)
	answers := json.NewEncoder(out)
	compiled, err := compileIn(ctx, runtime, module)
	if err == nil {
		err = putUnder(ctx, shell, t.CodeDir)
	}
	if answers.Encode(verdictOn(err)) != nil {
		return 2
	}
	if err == nil && answers.Encode(verdictOn(rehearseIn(ctx, runtime, compiled, module))) != nil {
		return 2
	}
	return 0
}

func verdictOn(err error) verdict {
	if err == nil {
		return verdict{}
	}
	return verdict{firstLine(err.Error())}
}

func compileIn(ctx context.Context, runtime wazero.Runtime, module []byte) (compiled wazero.CompiledModule, err error) {
	// wazero panics on some of the modules that it cannot compile.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the compiler gave up: %v", p)
		}
	}()
	return runtime.CompileModule(ctx, module)
}

func rehearseIn(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule, module []byte) (err error) {
	differs, err := "", error(nil)
	panicked := guard(func() error { differs, err = disagreement(ctx, runtime, compiled, module); return nil })
	switch {
	case panicked != nil:
		return panicked
	case err != nil:
		return err
	case differs != "":
		return fmt.Errorf("the compiler and the interpreter do not agree about it: %s; it would compute wrongly here. Build it with another optimisation level, and tell the platform team", differs)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
