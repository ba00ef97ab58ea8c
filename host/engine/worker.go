package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/host/engine/lines"
	"github.com/agora-host/agora/internal/confine"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
)

// job is a compilation.
type job struct {
	compiled []byte // the rewritten module
	shell    []byte
	data     initial // for its rehearsal
	original []byte  // if it has source lines, nil otherwise
	dir      string  // where the code is to be written
	table    fuel.Table
}

// task is the first line that a worker reads; the bytes of the module follow, of its
// shell, of its data, and of the original.
type task struct {
	Module  int            `json:"module"` // bytes
	Shell   int            `json:"shell"`  // bytes
	Data    int            `json:"data"`   // bytes
	CodeDir string         `json:"code_dir"`
	Bounds  confine.Bounds `json:"bounds"`
	Table   fuel.Table     `json:"table"`
}

// verdict is what a worker answers: when the module is compiled, when it was
// rehearsed, and when its lines were read. Error is "" if all is well.
type verdict struct {
	Error string `json:"error"`
	Disk  bool   `json:"disk,omitempty"` // it is the disk's fault, and not the module's
	Lines []byte `json:"lines,omitempty"`
}

// compileInChild compiles a rewritten module in a process that can be killed. It
// answers its table of lines, or nil.
func (e *Engine) compileInChild(ctx context.Context, j job) (table []byte, err error) {
	bounds := confine.For(len(j.compiled)).AtMost(confine.Bounds{Memory: e.o.WorkerMemory})
	head, err := json.Marshal(task{Module: len(j.compiled), Shell: len(j.shell), Data: len(j.data), CodeDir: j.dir, Bounds: bounds, Table: j.table})
	if err != nil {
		return nil, err
	}
	child := confine.Child{Command: e.o.Worker, Bounds: bounds, Time: e.o.WorkerTime, Most: 2*lines.MaxTable + 4096}
	out, spent, err := child.Run(ctx, io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(j.compiled), bytes.NewReader(j.shell), bytes.NewReader(j.data), bytes.NewReader(j.original)))
	if spent > 0 {
		abi.Note(ctx, abi.Use{Capability: "compile", Meter: abi.MeterCPU, N: uint64((spent + time.Millisecond - 1) / time.Millisecond)})
	}
	var compiled, rehearsed, read verdict
	answers := json.NewDecoder(bytes.NewReader(out))
	if answers.Decode(&compiled) == nil && compiled.Error == "" && ctx.Err() == nil {
		if answers.Decode(&rehearsed) != nil {
			// Compiled, and too large for the interpreter: that is no fault of the module.
			e.o.Logger.WarnContext(ctx, "a module was compiled and could not be rehearsed", "err", err)
		}
		if rehearsed.Error != "" {
			return nil, fmt.Errorf("%w: %s", registry.ErrBadModule, rehearsed.Error)
		}
		if j.original != nil && (answers.Decode(&read) != nil || read.Error != "") {
			// Debug information is advice.
			e.o.Logger.WarnContext(ctx, "a module's source lines could not be read", "err", cmp.Or(read.Error, fmt.Sprint(err)))
			return nil, nil
		}
		return read.Lines, nil
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, confine.ErrTime):
		return nil, fmt.Errorf("%w: compiling it takes longer than %s; make its functions smaller, or build it with optimisation for size", registry.ErrTooHeavy, e.o.WorkerTime)
	case errors.Is(err, confine.ErrLimits):
		return nil, fmt.Errorf("%w: compiling it takes more memory, time or disk than is allowed; make its functions smaller, or build it with optimisation for size", registry.ErrTooHeavy)
	case err != nil:
		return nil, fmt.Errorf("run the compile worker: %w", err)
	case compiled.Disk:
		return nil, fmt.Errorf("%w: %s", storage.ErrUnwritable, compiled.Error)
	case compiled.Error != "":
		return nil, fmt.Errorf("%w: %s", registry.ErrBadModule, compiled.Error)
	}
	return nil, errors.New("the compile worker gave no answer")
}

// exitUnconfined is the exit status of a child that could not confine itself, and read no module.
const exitUnconfined = 3

// CompileWorker is the whole life of the compile child: it reads its task from in and confines
// itself, then reads the module, compiles it into the directory that the task names, and writes
// its verdicts to out. It returns the exit status.
func CompileWorker(in io.Reader, out io.Writer) int {
	dec := json.NewDecoder(in)
	var t task
	if err := dec.Decode(&t); err != nil {
		return 2
	}
	if err := confine.Self(t.Bounds, t.CodeDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUnconfined
	}
	rest, err := io.ReadAll(io.MultiReader(dec.Buffered(), in))
	if err != nil || len(rest) < 1+t.Module+t.Shell+t.Data {
		return 2
	}
	rest = rest[1:] // behind the line's end
	w := worker{answers: json.NewEncoder(out)}
	next := func(n int) []byte {
		part := rest[:n:n]
		rest = rest[n:]
		return part
	}
	w.compiled, w.shell, w.data, w.original = next(t.Module), next(t.Shell), next(t.Data), rest
	w.dir, w.table = t.CodeDir, t.Table
	if w.work(experimental.WithCompilationWorkers(context.Background(), 2)) != nil {
		return 2
	}
	return 0
}

// worker is at work on a job. A bare error is one of its own; what is wrong with the
// module goes into its verdicts.
type worker struct {
	job
	answers *json.Encoder
}

func (w *worker) work(ctx context.Context) error {
	store, err := wazero.NewCompilationCacheWithDir(w.dir)
	if err != nil {
		return err
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(store))
	defer runtime.Close(ctx)
	compiled, err := compileIn(ctx, runtime, w.compiled)
	var places []byte
	if err == nil {
		places, err = w.place(ctx)
	}
	if err := w.answers.Encode(verdictOn(err)); err != nil || compiled == nil {
		return err
	}
	if err := w.answers.Encode(verdictOn(w.rehearse(ctx, runtime, compiled))); err != nil || places == nil {
		return err
	}
	var table []byte
	panicked := guard(func() error { table, err = makeTable(w.original, w.compiled, places); return err })
	return w.answers.Encode(verdict{Error: verdictOn(panicked).Error, Lines: table})
}

// place puts the code under the shell's name, and takes its map of places out of
// it, if there is one.
func (w *worker) place(ctx context.Context) (places []byte, err error) {
	path, err := putUnder(ctx, w.shell, w.dir)
	if err != nil || len(w.original) == 0 {
		return nil, err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	without, places, err := lines.Split(file)
	if err != nil {
		return nil, err
	}
	return places, os.WriteFile(path, without, 0o600)
}

func makeTable(original, compiled, places []byte) ([]byte, error) {
	m, err := wasm.Parse(original, wasm.DefaultBounds())
	if err != nil {
		return nil, err
	}
	c, err := wasm.Parse(compiled, everything)
	if err != nil {
		return nil, err
	}
	return lines.Make(m, c, places)
}

func verdictOn(err error) verdict {
	if err == nil {
		return verdict{}
	}
	_, disk := errors.AsType[*fs.PathError](err)
	return verdict{Error: firstLine(err.Error()), Disk: disk}
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

func (w *worker) rehearse(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule) (err error) {
	differs, err := "", error(nil)
	panicked := guard(func() error { differs, err = w.disagreement(ctx, runtime, compiled); return nil })
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
