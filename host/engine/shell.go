package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/tetratelabs/wazero"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// To load compiled code wazero reads and validates the whole module once more,
// half of the time that loading takes. So what is kept beside the code is a
// shell: the module with every body replaced by one that traps. Machine code
// depends on a module's types, imports, memory, tables and globals, and not on
// what its bodies were, so wazero finds the code under the shell's name and uses
// it. The shell carries the digest of the module, so that two modules that differ
// in their bodies alone have different shells. Both are without the data, which programs write
// themselves, see data.go: modules that differ in that alone have one shell and one code.
//
// If the code were not found, wazero would compile the shell. That is noticed: an
// app's entry answers in its shell what it never answers otherwise, and for a
// command a function is added that traps in the shell alone.

const (
	// exportProbe does nothing in the module of a command, and traps in its shell.
	exportProbe = abi.ReservedPrefix + "probe"
	// shellAnswers is what fuel.ExportServe answers in a shell: no pointer, as those
	// have 32 bits.
	shellAnswers = math.MaxUint64
)

// debug is the least that the compiler takes for DWARF: one unit of no content
// and no abbreviations. Where it is there, the compiler also writes down from
// which instruction it made which code, and makes the same code.
var debug = []wasm.Custom{{Name: ".debug_abbrev", Data: []byte{0}}, {Name: ".debug_info", Data: []byte{7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4}}}

// finish makes of a rewritten module what is compiled, and its shell. mapped asks
// for a map of the code, see package lines.
func finish(rewritten []byte, mapped bool) (module, shell []byte, err error) {
	m, err := wasm.Parse(rewritten, everything)
	if err != nil {
		return nil, nil, fmt.Errorf("read what was counted: %w", err)
	}
	mend(m)
	imported := m.Imported(wasm.KindFunc)
	serve, app := m.Export(fuel.ExportServe)
	if !app {
		m.Types = append(m.Types, wasm.FuncType{})
		m.Exports = append(m.Exports, wasm.Export{Name: exportProbe, Kind: wasm.KindFunc, Index: uint32(imported + len(m.Funcs))})
		m.Funcs = append(m.Funcs, uint32(len(m.Types)-1))
		m.Bodies = append(m.Bodies, wasm.Body{Code: []byte{wasm.OpEnd}})
	}
	custom := m.Custom
	if mapped {
		m.Custom = append(slices.Clone(custom), debug...)
	}
	module = m.Encode()
	digest := sha256.Sum256(module)
	m.Custom = append(slices.Clone(custom), wasm.Custom{Name: "agora:module", Data: digest[:]})
	for i := range m.Bodies {
		m.Bodies[i] = wasm.Body{Code: []byte{wasm.OpUnreachable, wasm.OpEnd}}
	}
	if app {
		m.Bodies[int(serve.Index)-imported] = wasm.Body{Code: []byte{wasm.OpI64Const, 0x7f /* -1 */, wasm.OpEnd}}
	}
	return module, m.Encode(), nil
}

// probe reports whether the code that was found for a command is the module's.
func (p *Program) probe(ctx context.Context, in *instance) error {
	if f := in.module.ExportedFunction(exportProbe); f != nil {
		if _, err := f.Call(ctx); err != nil {
			return p.lost()
		}
	}
	return nil
}

// lost is the error of a program whose code was not found.
func (p *Program) lost() error {
	if p.forget != nil {
		p.forget()
	}
	return fmt.Errorf("%w: its compiled code is gone; the module is compiled again when the node is restarted", errNode)
}

// putUnder compiles a shell, which writes a file, and puts the code of the module
// into its place. Both directories are wazero's, with one file each. It answers
// the path of the code.
func putUnder(ctx context.Context, shell []byte, codeDir string) (string, error) {
	dir, err := os.MkdirTemp(codeDir, "shell-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	code, err := onlyFile(codeDir)
	if err != nil {
		return "", err
	}
	store, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return "", err
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(store))
	defer runtime.Close(ctx)
	if _, err := runtime.CompileModule(ctx, shell); err != nil {
		return "", err
	}
	name, err := onlyFile(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(code), filepath.Base(name))
	return path, os.Rename(code, path)
}

// onlyFile is the one file below a directory.
func onlyFile(dir string) (path string, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if path != "" {
			return errors.New("the compiler wrote more than one file")
		}
		path = p
		return nil
	})
	if err == nil && path == "" {
		err = errors.New("the compiler wrote no file")
	}
	return path, err
}
