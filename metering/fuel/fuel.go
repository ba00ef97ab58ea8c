package fuel

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

// What a rewritten module needs from its host and shows to it.
const (
	ImportModule = abi.ReservedPrefix + "fuel/v1"
	// ImportRefuel is (left i64) -> (left i64). It is called when left is below zero, to grant
	// more, and between the pieces of a large instruction, where it grants nothing. It may not
	// return.
	ImportRefuel = "refuel"

	ExportFuel  = abi.ReservedPrefix + "fuel"  // mutable i64: units left
	ExportDepth = abi.ReservedPrefix + "depth" // mutable i32: how deep the next call is, to be 0 before the host calls a function; above CallDepth after a depth trap
	// ExportStart is the module's start function, if it has one. It is no longer
	// called by instantiation, which would lose the count when it traps: the host
	// calls it first of all.
	ExportStart      = abi.ReservedPrefix + "start"
	ExportGrowFailed = abi.ReservedPrefix + "grow_failed" // mutable i32: memory.grow calls that were refused
	// ExportServe (0, size, 0) calls app_alloc, and (1, ptr, len) app_handle_v1, in
	// a module that exports both: an engine keeps a stack for each function that it
	// calls, and one is enough. It costs no fuel, and sets ExportDepth itself.
	ExportServe = abi.ReservedPrefix + "serve"
	// ExportGlobal and a number from 0 show each mutable global of the module's
	// own, so that a host can put an instance back to an earlier state.
	ExportGlobal = abi.ReservedPrefix + "global/"
)

// MaxStraightLine is the most units that run between two checks.
const MaxStraightLine = 10_000

// ErrReserved: the module uses a name that is kept for the host.
var ErrReserved = errors.New("the module uses a reserved name")

// ErrMemory: the module's memory or a table starts larger than it may become.
var ErrMemory = errors.New("the module needs more memory than its limit")

// Options are the caps that are written into the module, and the table that it is counted by.
type Options struct {
	Table         Table  // zero: Newest
	MemoryPages   uint32 // the most pages its memory may have, 64 KiB each
	TableElements uint32 // the most elements a table may have
	CallDepth     uint32 // the most open calls of functions that call
}

// Result is a rewritten module.
type Result struct {
	Module []byte
	// InitCost is to be charged for each instance, before anything runs.
	InitCost uint64
	// Globals is how many mutable globals are exported under ExportGlobal.
	Globals int
	// Restorable reports whether memory and those globals are all the state that
	// an instance has: no code changes a table, drops a segment or makes function
	// references, and no mutable global holds one.
	Restorable bool
}

// Rewrite instruments a parsed module, which it leaves as it was.
func Rewrite(m *wasm.Module, o Options) (Result, error) {
	if err := errors.Join(o.Table.orNewest().check(), reserved(m)); err != nil {
		return Result{}, err
	}
	out := *m
	if err := capMemory(&out, o); err != nil {
		return Result{}, err
	}
	rw := &rewriter{in: m, out: &out, table: o.Table.orNewest(), depth: o.CallDepth, imported: uint32(m.Imported(wasm.KindFunc)), restorable: true, pieces: map[string]pieces{}}
	rw.addHostSide()
	globals := rw.exportGlobals()
	rw.shiftIndices()
	if err := rw.look(); err != nil {
		return Result{}, err
	}
	out.Bodies = make([]wasm.Body, len(m.Bodies))
	for i := range m.Bodies {
		out.Bodies[i] = rw.body(i)
	}
	rw.addAsk()
	rw.addPieces()
	rw.addServe()
	out.Custom = shiftNames(m.Custom, rw.imported)
	return Result{Module: out.Encode(), InitCost: initCost(m), Globals: globals, Restorable: rw.restorable}, nil
}

func reserved(m *wasm.Module) error {
	for _, im := range m.Imports {
		if strings.HasPrefix(im.Module, abi.ReservedPrefix) {
			return fmt.Errorf("%w: it imports %q", ErrReserved, im.Module)
		}
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, abi.ReservedPrefix) {
			return fmt.Errorf("%w: it exports %q", ErrReserved, e.Name)
		}
	}
	return nil
}

// capMemory lowers the maxima to what is allowed.
func capMemory(out *wasm.Module, o Options) error {
	if out.Memory != nil {
		memory := *out.Memory
		if memory.Min > o.MemoryPages {
			return fmt.Errorf("%w: it starts with %d KiB, and its limit is %d KiB", ErrMemory, int64(memory.Min)*64, int64(o.MemoryPages)*64)
		}
		if !memory.HasMax || memory.Max > o.MemoryPages {
			memory.Max, memory.HasMax = o.MemoryPages, true
		}
		out.Memory = &memory
	}
	out.Tables = append([]wasm.Table(nil), out.Tables...)
	for i := range out.Tables {
		t := &out.Tables[i]
		if t.Min > o.TableElements {
			return fmt.Errorf("%w: a table starts with %d elements, and the limit is %d", ErrMemory, t.Min, o.TableElements)
		}
		if !t.HasMax || t.Max > o.TableElements {
			t.Max, t.HasMax = o.TableElements, true
		}
	}
	return nil
}

func initCost(m *wasm.Module) uint64 {
	var cost uint64
	for _, d := range m.Data {
		if d.Mode == wasm.Active {
			cost += (uint64(len(d.Bytes)) + 7) / 8
		}
	}
	for _, e := range m.Elements {
		if e.Mode == wasm.Active {
			cost += uint64(len(e.Funcs) + len(e.Exprs))
		}
	}
	return cost
}

type rewriter struct {
	in, out  *wasm.Module
	table    Table
	depth    uint32
	imported uint32 // function imports of the original: indices from here move up by one

	refuel, ask         uint32 // function indices
	fuel, deep, refused uint32 // global indices

	facts    []facts         // of each body
	indirect map[string]bool // signatures under which a table may hold a function that calls

	pieces  map[string]pieces // by the instruction's bytes
	inOrder []string          // the same, as they are added

	restorable bool // see Result; false as soon as something is seen that is not
}

// look reads every body before one is written: how a call is made depends on
// who is called.
func (rw *rewriter) look() error {
	rw.facts = make([]facts, len(rw.in.Bodies))
	for i := range rw.in.Bodies {
		f, err := look(rw.in.Bodies[i].Code)
		if err != nil {
			return fmt.Errorf("function %d: %w", int(rw.imported)+i, err)
		}
		rw.facts[i] = f
		rw.restorable = rw.restorable && !f.traces
	}
	rw.indirect = map[string]bool{}
	note := func(index uint32) {
		if rw.calls(index) {
			rw.indirect[signatureKey(rw.in.Types[rw.in.Funcs[index-rw.imported]])] = true
		}
	}
	if !rw.restorable { // any function may be put into a table as it runs
		for i := range rw.facts {
			note(rw.imported + uint32(i))
		}
	}
	for _, e := range rw.in.Elements {
		for _, f := range e.Funcs {
			note(f)
		}
		for _, x := range e.Exprs {
			if f, ok := functionOf(x); ok {
				note(f)
			}
		}
	}
	return nil
}

func signatureKey(t wasm.FuncType) string { return fmt.Sprintf("%x>%x", t.Params, t.Results) }

// callsIndirectly reports whether what is called by a type through a table may
// call others.
func (rw *rewriter) callsIndirectly(typeIndex uint32) bool {
	return int(typeIndex) >= len(rw.in.Types) || rw.indirect[signatureKey(rw.in.Types[typeIndex])]
}

// calls reports whether a function, by its original index, calls others, and so
// wants to know how deep it is.
func (rw *rewriter) calls(index uint32) bool {
	return index >= rw.imported && int(index-rw.imported) < len(rw.facts) && rw.facts[index-rw.imported].calls
}

// addHostSide adds the import, the globals and their exports. The import comes
// after the module's own, so that only defined functions change their index.
func (rw *rewriter) addHostSide() {
	out := rw.out
	out.Types = append(append([]wasm.FuncType(nil), out.Types...),
		wasm.FuncType{Params: []wasm.ValType{wasm.I64}, Results: []wasm.ValType{wasm.I64}})
	out.Imports = append(append([]wasm.Import(nil), out.Imports...),
		wasm.Import{Module: ImportModule, Name: ImportRefuel, Kind: wasm.KindFunc, Func: uint32(len(out.Types) - 1)})
	rw.refuel = rw.imported
	rw.ask = rw.imported + 1 + uint32(len(out.Funcs)) // see addAsk

	first := uint32(out.Imported(wasm.KindGlobal) + len(out.Globals))
	rw.fuel, rw.deep, rw.refused = first, first+1, first+2
	i32 := wasm.Global{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: []byte{wasm.OpI32Const, 0, wasm.OpEnd}}
	i64 := wasm.Global{GlobalType: wasm.GlobalType{Type: wasm.I64, Mutable: true}, Init: []byte{wasm.OpI64Const, 0, wasm.OpEnd}}
	out.Globals = append(append([]wasm.Global(nil), out.Globals...), i64, i32, i32)
	out.Exports = append(append([]wasm.Export(nil), out.Exports...),
		wasm.Export{Name: ExportFuel, Kind: wasm.KindGlobal, Index: rw.fuel},
		wasm.Export{Name: ExportDepth, Kind: wasm.KindGlobal, Index: rw.deep},
		wasm.Export{Name: ExportGrowFailed, Kind: wasm.KindGlobal, Index: rw.refused})
}

// addAsk adds the function that asks the host for fuel. It takes how much is owed,
// as the host must see the true count, and what to give back.
func (rw *rewriter) addAsk() {
	code := wasm.AppendU32([]byte{wasm.OpGlobalGet}, rw.fuel)
	code = wasm.AppendU32(append(code, wasm.OpLocalGet, 0, wasm.OpI64Sub, wasm.OpGlobalSet), rw.fuel)
	code = wasm.AppendU32(append(code, wasm.OpGlobalGet), rw.fuel)
	code = wasm.AppendU32(append(code, wasm.OpCall), rw.refuel)
	code = append(code, wasm.OpLocalGet, 0, wasm.OpI64Add, wasm.OpLocalGet, 1, wasm.OpI64Add)
	code = append(wasm.AppendU32(append(code, wasm.OpGlobalSet), rw.fuel), wasm.OpEnd)
	rw.addFunction(wasm.FuncType{Params: []wasm.ValType{wasm.I64, wasm.I64}}, code)
}

// addFunction adds one behind all others. It returns its index.
func (rw *rewriter) addFunction(signature wasm.FuncType, code []byte) uint32 {
	out := rw.out
	index := uint32(out.Imported(wasm.KindFunc) + len(out.Funcs))
	out.Funcs = append(out.Funcs[:len(out.Funcs):len(out.Funcs)], rw.typeIndex(signature))
	out.Bodies = append(out.Bodies, wasm.Body{Code: code})
	return index
}

// addServe adds ExportServe.
func (rw *rewriter) addServe() {
	alloc, ok := rw.exported(abi.ExportAlloc, wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}})
	handle, also := rw.exported(abi.ExportHandle, wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}})
	if !ok || !also {
		return
	}
	code := append(wasm.AppendU32([]byte{wasm.OpI32Const, 0, wasm.OpGlobalSet}, rw.deep), wasm.OpLocalGet, 0, wasm.OpIf, byte(wasm.I64), wasm.OpLocalGet, 1, wasm.OpLocalGet, 2, wasm.OpCall)
	code = append(wasm.AppendU32(code, handle), wasm.OpElse, wasm.OpLocalGet, 1, wasm.OpCall)
	code = append(wasm.AppendU32(code, alloc), wasm.OpI64ExtendU, wasm.OpEnd, wasm.OpEnd)
	index := rw.addFunction(wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32, wasm.I32}, Results: []wasm.ValType{wasm.I64}}, code)
	rw.out.Exports = append(rw.out.Exports, wasm.Export{Name: ExportServe, Kind: wasm.KindFunc, Index: index})
}

// exported finds a function of the original's exports that has a signature, by
// its new index.
func (rw *rewriter) exported(name string, signature wasm.FuncType) (uint32, bool) {
	e, ok := rw.in.Export(name)
	if !ok || e.Kind != wasm.KindFunc {
		return 0, false
	}
	t, ok := rw.in.TypeOf(e.Index)
	return rw.shift(e.Index), ok && slices.Equal(t.Params, signature.Params) && slices.Equal(t.Results, signature.Results)
}

// exportGlobals exports the module's own mutable globals, and returns how many.
func (rw *rewriter) exportGlobals() (n int) {
	first := uint32(rw.in.Imported(wasm.KindGlobal))
	if first > 0 {
		rw.restorable = false // what a host module holds is not ours to put back
	}
	for i, g := range rw.in.Globals {
		if !g.Mutable {
			continue
		}
		switch g.Type {
		case wasm.I32, wasm.I64, wasm.F32, wasm.F64:
			rw.out.Exports = append(rw.out.Exports, wasm.Export{Name: ExportGlobal + strconv.Itoa(n), Kind: wasm.KindGlobal, Index: first + uint32(i)})
			n++
		default:
			rw.restorable = false
		}
	}
	return n
}

// leavesTraces reports whether an instruction changes state other than memory,
// globals and locals.
func leavesTraces(in wasm.Instr) bool {
	switch in.Op {
	case wasm.OpTableSet, wasm.OpRefFunc:
		return true
	case wasm.OpPrefixFC:
		switch in.Sub {
		case wasm.FCDataDrop, wasm.FCTableInit, wasm.FCElemDrop, wasm.FCTableCopy, wasm.FCTableGrow, wasm.FCTableFill:
			return true
		}
	}
	return false
}

// typeIndex finds a signature in the type section, or adds it.
func (rw *rewriter) typeIndex(want wasm.FuncType) uint32 {
	for i, t := range rw.out.Types {
		if slices.Equal(t.Params, want.Params) && slices.Equal(t.Results, want.Results) {
			return uint32(i)
		}
	}
	rw.out.Types = append(rw.out.Types, want)
	return uint32(len(rw.out.Types) - 1)
}

func (rw *rewriter) shift(index uint32) uint32 {
	if index >= rw.imported {
		return index + 1
	}
	return index
}

// shiftIndices moves every function index outside of code.
func (rw *rewriter) shiftIndices() {
	out := rw.out
	for i := range out.Exports {
		if out.Exports[i].Kind == wasm.KindFunc {
			out.Exports[i].Index = rw.shift(out.Exports[i].Index)
		}
	}
	if out.Start != nil {
		out.Exports = append(out.Exports, wasm.Export{Name: ExportStart, Kind: wasm.KindFunc, Index: rw.shift(*out.Start)})
		out.Start = nil
	}
	out.Elements = append([]wasm.Element(nil), out.Elements...)
	for i := range out.Elements {
		e := &out.Elements[i]
		if e.Funcs != nil {
			funcs := make([]uint32, len(e.Funcs))
			for j, f := range e.Funcs {
				funcs[j] = rw.shift(f)
			}
			e.Funcs = funcs
		}
		if e.Exprs != nil {
			exprs := make([][]byte, len(e.Exprs))
			for j, x := range e.Exprs {
				exprs[j] = rw.constExpr(x)
			}
			e.Exprs = exprs
		}
		e.Offset = rw.constExpr(e.Offset)
	}
	for i := range out.Globals {
		out.Globals[i].Init = rw.constExpr(out.Globals[i].Init)
	}
}

// constExpr moves the function indices of a constant expression.
func (rw *rewriter) constExpr(expr []byte) []byte {
	f, ok := functionOf(expr)
	if !ok {
		return expr
	}
	return append(wasm.AppendU32([]byte{wasm.OpRefFunc}, rw.shift(f)), wasm.OpEnd)
}

// functionOf is the function that a constant expression refers to.
func functionOf(expr []byte) (index uint32, ok bool) {
	if len(expr) == 0 || expr[0] != wasm.OpRefFunc {
		return 0, false
	}
	var in wasm.Instr
	code := wasm.NewCode(expr, wasm.DefaultBounds())
	ok = code.Next(&in)
	return in.Index, ok
}
