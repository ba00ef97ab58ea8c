package wasmtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/agora-host/agora/abi/wasm"
)

// Signature is a generated function's, exported as "f0", "f1" and so on.
type Signature = wasm.FuncType

// Generate makes a valid module out of random numbers: functions that call each
// other directly and through a table, loops that end and some that do not,
// branches out of and back into everything, all arithmetic, memory and tables of
// which some accesses are outside, and traps. Its numbers hold no NaN whose bits
// could differ between machines. It has no imports, and exports its functions,
// "memory" and each of its globals as "g0", "g1" ….
func Generate(r *rand.Rand) *wasm.Module {
	g := &generator{r: r, m: &wasm.Module{}}
	m := g.m
	for range 3 + r.IntN(4) {
		m.Funcs = append(m.Funcs, g.typeIndex(Signature{Params: g.types(3), Results: g.types(2)}))
	}
	most := uint32(1 + r.IntN(3))
	m.Memory = &wasm.Limits{Min: 1, Max: most, HasMax: r.IntN(2) == 0}
	m.Tables = []wasm.Table{{Type: wasm.FuncRef, Limits: wasm.Limits{Min: tableSize, Max: tableSize + uint32(r.IntN(8)), HasMax: r.IntN(2) == 0}}}
	for _, t := range numbers {
		init := append(g.constantOf(t, nil), wasm.OpEnd)
		m.Globals = append(m.Globals, wasm.Global{GlobalType: wasm.GlobalType{Type: t, Mutable: true}, Init: init})
	}
	funcs := make([]uint32, tableSize-2) // two places stay empty
	for i := range funcs {
		funcs[i] = uint32(r.IntN(len(m.Funcs)))
	}
	m.Elements = []wasm.Element{
		{Offset: []byte{wasm.OpI32Const, 0, wasm.OpEnd}, Type: wasm.FuncRef, Funcs: funcs},
		{Mode: wasm.Passive, Type: wasm.FuncRef, Funcs: funcs[:2]},
	}
	m.Data = []wasm.Data{{Offset: append(wasm.AppendS64([]byte{wasm.OpI32Const}, 100), wasm.OpEnd), Bytes: []byte("some bytes that are there from the start")}, {Mode: wasm.Passive, Bytes: []byte("passive")}}
	count := uint32(len(m.Data))
	m.DataCount = &count
	m.Exports = []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}}
	for i := range m.Globals {
		m.Exports = append(m.Exports, wasm.Export{Name: fmt.Sprint("g", i), Kind: wasm.KindGlobal, Index: uint32(i)})
	}
	for i := range m.Funcs {
		m.Exports = append(m.Exports, wasm.Export{Name: fmt.Sprint("f", i), Kind: wasm.KindFunc, Index: uint32(i)})
	}
	for _, t := range m.Funcs {
		m.Bodies = append(m.Bodies, g.function(m.Types[t]))
	}
	return m
}

const tableSize = 8

var numbers = []wasm.ValType{wasm.I32, wasm.I64, wasm.F32, wasm.F64}

type generator struct {
	r *rand.Rand
	m *wasm.Module

	// Of the function that is being made:
	b      []byte
	locals []wasm.ValType // parameters first
	free   int            // locals from here on are counters and temporaries, not for everyone
	labels [][]wasm.ValType
	budget int // of instructions, about
}

func (g *generator) types(most int) (types []wasm.ValType) {
	for range g.r.IntN(most + 1) {
		types = append(types, numbers[g.r.IntN(4)])
	}
	return types
}

func (g *generator) typeIndex(want Signature) uint32 {
	for i, t := range g.m.Types {
		if slices.Equal(t.Params, want.Params) && slices.Equal(t.Results, want.Results) {
			return uint32(i)
		}
	}
	g.m.Types = append(g.m.Types, want)
	return uint32(len(g.m.Types) - 1)
}

func (g *generator) function(s Signature) wasm.Body {
	g.b, g.budget = nil, 20+g.r.IntN(150)
	g.locals = append(append(slices.Clone(s.Params), numbers...), g.types(3)...)
	g.free = len(g.locals)
	g.labels = [][]wasm.ValType{s.Results}
	g.statements(0)
	g.values(s.Results, 0)
	g.op(wasm.OpEnd)
	var groups []wasm.LocalGroup
	for _, t := range g.locals[len(s.Params):] {
		groups = append(groups, wasm.LocalGroup{Count: 1, Type: t})
	}
	return wasm.Body{Locals: groups, Code: g.b}
}

func (g *generator) op(code ...byte)      { g.b = append(g.b, code...) }
func (g *generator) index(op byte, i int) { g.b = wasm.AppendU32(append(g.b, op), uint32(i)) }
func (g *generator) i32(n int64)          { g.b = wasm.AppendS64(append(g.b, wasm.OpI32Const), n) }
func (g *generator) chance(one int) bool  { return g.r.IntN(one) == 0 }
func (g *generator) temp(t wasm.ValType) int {
	g.locals = append(g.locals, t)
	return len(g.locals) - 1
}
func (g *generator) bulk(sub byte, is ...byte) { g.op(append([]byte{wasm.OpPrefixFC, sub}, is...)...) }

// local is one of a type; every function has one of each.
func (g *generator) local(t wasm.ValType) int {
	for {
		if i := g.r.IntN(g.free); g.locals[i] == t {
			return i
		}
	}
}

func (g *generator) values(types []wasm.ValType, depth int) {
	for _, t := range types {
		g.value(t, depth)
	}
}

func (g *generator) statements(depth int) {
	for range 1 + g.r.IntN(5) {
		if g.budget > 0 {
			g.statement(depth)
		}
	}
}

// statement leaves the stack as it is.
func (g *generator) statement(depth int) {
	g.budget--
	if depth > 5 {
		g.set()
		return
	}
	switch g.r.IntN(22) {
	case 0, 1, 2, 3, 4:
		g.set()
	case 5, 6:
		g.store(depth)
	case 7:
		g.block(wasm.OpBlock, depth)
	case 8, 9:
		g.value(wasm.I32, depth+1)
		g.block(wasm.OpIf, depth)
	case 10, 11, 12:
		g.loop(depth)
	case 13:
		g.branch(depth)
	case 14:
		g.branchTable(depth)
	case 15, 16:
		g.call(depth)
	case 17:
		g.bulkOperation(depth)
	case 18:
		g.table(depth)
	case 19:
		g.grow()
	case 20:
		if g.chance(8) {
			g.op(wasm.OpUnreachable)
		} else {
			g.op(wasm.OpNop)
		}
	case 21:
		g.wildLoop(depth)
	}
}

func (g *generator) set() {
	t := numbers[g.r.IntN(4)]
	g.value(t, 3)
	if g.chance(3) {
		g.index(wasm.OpGlobalSet, slices.Index(numbers, t))
	} else {
		g.index(wasm.OpLocalSet, g.local(t))
	}
}

func (g *generator) blockType(s Signature) {
	switch {
	case len(s.Params) == 0 && len(s.Results) == 0 && !g.chance(4):
		g.op(wasm.BlockEmpty)
	case len(s.Params) == 0 && len(s.Results) == 1 && !g.chance(4):
		g.op(byte(s.Results[0]))
	default:
		g.b = wasm.AppendS64(g.b, int64(g.typeIndex(s)))
	}
}

// block makes a block or an if, with parameters and results now and then, and
// drops the results.
func (g *generator) block(op byte, depth int) {
	s := Signature{Results: g.types(2)}
	if g.chance(3) {
		s.Params = g.types(2)
	}
	condition := -1
	if op == wasm.OpIf && len(s.Params) > 0 { // parameters lie below the condition
		condition = g.temp(wasm.I32)
		g.index(wasm.OpLocalSet, condition)
	}
	g.values(s.Params, depth+1)
	if condition >= 0 {
		g.index(wasm.OpLocalGet, condition)
	}
	g.op(op)
	g.blockType(s)
	g.labels = append(g.labels, s.Results)
	g.arm(s, depth)
	if op == wasm.OpIf && (len(s.Results) > 0 || len(s.Params) > 0 || g.chance(2)) {
		g.op(wasm.OpElse)
		g.arm(s, depth)
	}
	g.close(s)
}

func (g *generator) arm(s Signature, depth int) {
	for range s.Params {
		g.op(wasm.OpDrop)
	}
	g.statements(depth + 1)
	g.values(s.Results, depth+1)
}

func (g *generator) close(s Signature) {
	g.op(wasm.OpEnd)
	g.labels = g.labels[:len(g.labels)-1]
	for range s.Results {
		g.op(wasm.OpDrop)
	}
}

// loop makes a loop that runs a few times, sometimes with a parameter.
func (g *generator) loop(depth int) {
	var s Signature
	if g.chance(3) {
		s.Params = []wasm.ValType{numbers[g.r.IntN(4)]}
	}
	counter := g.temp(wasm.I32)
	g.i32(int64(1 + g.r.IntN(9)))
	g.index(wasm.OpLocalSet, counter)
	g.values(s.Params, depth+1)
	g.op(wasm.OpLoop)
	g.blockType(s)
	g.labels = append(g.labels, s.Params)
	for range s.Params {
		g.op(wasm.OpDrop)
	}
	g.statements(depth + 1)
	g.values(s.Params, depth+1)
	g.index(wasm.OpLocalGet, counter)
	g.op(wasm.OpI32Const, 1, wasm.OpI32Sub)
	g.index(wasm.OpLocalTee, counter)
	g.op(wasm.OpBrIf, 0)
	for range s.Params {
		g.op(wasm.OpDrop)
	}
	g.close(s)
}

// wildLoop ends only by luck.
func (g *generator) wildLoop(depth int) {
	if !g.chance(3) {
		return
	}
	g.op(wasm.OpLoop, wasm.BlockEmpty)
	g.labels = append(g.labels, nil)
	g.statements(depth + 1)
	g.value(wasm.I32, depth+1)
	g.op(wasm.OpI32Const, 7, 0x71, wasm.OpI32Eqz, wasm.OpBrIf, 0) // one in eight goes on
	g.close(Signature{})
}

func (g *generator) branch(depth int) {
	l := g.r.IntN(len(g.labels))
	types := g.labels[len(g.labels)-1-l]
	switch g.r.IntN(8) {
	case 0:
		g.values(types, depth+1)
		g.index(wasm.OpBr, l)
	case 1:
		g.values(g.labels[0], depth+1)
		g.op(wasm.OpReturn)
	default:
		g.values(types, depth+1)
		g.value(wasm.I32, depth+1)
		g.op(wasm.OpI32Const, 3, 0x71, wasm.OpI32Eqz) // one in four
		g.index(wasm.OpBrIf, l)
		for range types {
			g.op(wasm.OpDrop)
		}
	}
}

// branchTable stands in a block of its own, which is one of its targets. The
// others are labels that want nothing.
func (g *generator) branchTable(depth int) {
	g.op(wasm.OpBlock, wasm.BlockEmpty)
	g.labels = append(g.labels, nil)
	targets := []int{0}
	for l := range g.labels {
		if len(g.labels[len(g.labels)-1-l]) == 0 && g.chance(4) {
			targets = append(targets, l)
		}
	}
	g.statements(depth + 1)
	g.value(wasm.I32, depth+1)
	g.index(wasm.OpBrTable, len(targets))
	for _, l := range targets {
		g.b = wasm.AppendU32(g.b, uint32(l))
	}
	g.op(0)
	g.close(Signature{})
}

func (g *generator) call(depth int) {
	if g.chance(3) {
		i := g.r.IntN(len(g.m.Funcs))
		s := g.m.Types[g.m.Funcs[i]]
		g.values(s.Params, depth+1)
		g.value(wasm.I32, depth+1)
		g.op(wasm.OpI32Const, 7, 0x71)
		g.index(wasm.OpCallIndirect, int(g.m.Funcs[i]))
		g.op(0)
		g.dropAll(s.Results)
		return
	}
	i := g.r.IntN(len(g.m.Funcs))
	s := g.m.Types[g.m.Funcs[i]]
	g.values(s.Params, depth+1)
	g.index(wasm.OpCall, i)
	g.dropAll(s.Results)
}

func (g *generator) dropAll(types []wasm.ValType) {
	for _, t := range slices.Backward(types) { // the last is on top
		if g.chance(2) {
			g.index(wasm.OpLocalSet, g.local(t))
		} else {
			g.op(wasm.OpDrop)
		}
	}
}

// address is mostly inside of the first page.
func (g *generator) address(depth int) {
	g.value(wasm.I32, depth+1)
	if !g.chance(20) {
		g.i32(0x7fff)
		g.op(0x71)
	}
}

func (g *generator) memArg() {
	g.op(0)
	g.b = wasm.AppendU32(g.b, uint32(g.r.IntN(40)))
}

func (g *generator) store(depth int) {
	op := []byte{0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e}[g.r.IntN(9)]
	g.address(depth)
	g.value([]wasm.ValType{wasm.I32, wasm.I64, wasm.F32, wasm.F64, wasm.I32, wasm.I32, wasm.I64, wasm.I64, wasm.I64}[op-0x36], depth+1)
	g.op(op)
	g.memArg()
}

// size of a bulk operation: small, or now and then anything.
func (g *generator) size() {
	g.value(wasm.I32, 4)
	if !g.chance(10) {
		g.i32(63)
		g.op(0x71)
	}
}

func (g *generator) bulkOperation(depth int) {
	g.address(depth)
	switch g.r.IntN(4) {
	case 0:
		g.value(wasm.I32, depth+1)
		g.size()
		g.bulk(wasm.FCMemoryFill, 0)
	case 1:
		g.address(depth)
		g.size()
		g.bulk(wasm.FCMemoryCopy, 0, 0)
	case 2:
		g.i32(int64(g.r.IntN(4)))
		g.i32(int64(g.r.IntN(5)))
		g.bulk(wasm.FCMemoryInit, 1, 0)
	case 3:
		g.op(wasm.OpDrop)
		if g.chance(3) {
			g.bulk(wasm.FCDataDrop, 1)
		}
	}
}

func (g *generator) place(depth int) {
	g.value(wasm.I32, depth+1)
	g.op(wasm.OpI32Const, tableSize-1, 0x71)
}

func (g *generator) table(depth int) {
	if !g.chance(4) {
		return // most modules change no table
	}
	g.place(depth)
	switch g.r.IntN(6) {
	case 0:
		g.op(0x25, 0) // table.get
		g.op(wasm.OpRefIsNull)
		g.index(wasm.OpLocalSet, g.local(wasm.I32))
	case 1:
		g.index(wasm.OpRefFunc, g.r.IntN(len(g.m.Funcs)))
		g.op(wasm.OpTableSet, 0)
	case 2:
		g.op(wasm.OpRefNull, byte(wasm.FuncRef), wasm.OpI32Const, 2)
		g.bulk(wasm.FCTableFill, 0)
	case 3:
		g.op(wasm.OpI32Const, 0, wasm.OpI32Const, 2)
		g.bulk(wasm.FCTableInit, 1, 0)
	case 4:
		g.place(depth)
		g.op(wasm.OpI32Const, 3)
		g.bulk(wasm.FCTableCopy, 0, 0)
	case 5:
		g.index(wasm.OpLocalSet, g.local(wasm.I32))
		g.op(wasm.OpRefNull, byte(wasm.FuncRef), wasm.OpI32Const, 1)
		g.bulk(wasm.FCTableGrow, 0)
		g.op(wasm.OpDrop)
		g.bulk(wasm.FCTableSize, 0)
		g.index(wasm.OpLocalSet, g.local(wasm.I32))
	}
}

func (g *generator) grow() {
	if !g.chance(3) {
		return
	}
	g.i32([]int64{0, 1, 1, 2, 1000, -1}[g.r.IntN(6)])
	g.op(wasm.OpMemoryGrow, 0)
	g.index(wasm.OpLocalSet, g.local(wasm.I32))
}

func (g *generator) constantOf(t wasm.ValType, b []byte) []byte {
	n := []int64{0, 1, -1, 2, 255, 1 << 31, -1 << 31, 1<<63 - 1, -1 << 63, int64(g.r.Uint64()), int64(g.r.IntN(1000))}[g.r.IntN(11)]
	x := []uint64{0, 1 << 63, 0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0x41dfffffffc00000, 0x43e0000000000000, 0x3fd3333333333333, 1}[g.r.IntN(9)]
	y := []uint32{0, 1 << 31, 0x3f800000, 0xbfc00000, 0x7f800000, 0x4f000000, 0x5f000000, 0x3e99999a, 1}[g.r.IntN(9)]
	switch t {
	case wasm.I32:
		return wasm.AppendS64(append(b, wasm.OpI32Const), int64(int32(n)))
	case wasm.I64:
		return wasm.AppendS64(append(b, wasm.OpI64Const), n)
	case wasm.F32:
		return binary.LittleEndian.AppendUint32(append(b, wasm.OpF32Const), y)
	}
	return binary.LittleEndian.AppendUint64(append(b, wasm.OpF64Const), x)
}

// value leaves one value of a type.
func (g *generator) value(t wasm.ValType, depth int) {
	g.budget--
	if depth > 6 || g.budget < 0 {
		g.leaf(t)
		return
	}
	switch g.r.IntN(12) {
	case 0, 1, 2:
		g.leaf(t)
	case 3:
		g.load(t, depth)
	case 4:
		g.value(t, depth+1)
		g.index(wasm.OpLocalTee, g.local(t))
	case 5:
		g.value(t, depth+1)
		g.value(t, depth+1)
		g.value(wasm.I32, depth+1)
		if g.chance(2) {
			g.op(wasm.OpSelect)
		} else {
			g.op(wasm.OpSelectTyped, 1, byte(t))
		}
	case 6:
		g.convert(t, depth)
	default:
		g.arithmetic(t, depth)
	}
}

func (g *generator) leaf(t wasm.ValType) {
	switch g.r.IntN(4) {
	case 0:
		g.index(wasm.OpGlobalGet, slices.Index(numbers, t))
	case 1:
		g.b = g.constantOf(t, g.b)
	default:
		g.index(wasm.OpLocalGet, g.local(t))
	}
}

func (g *generator) load(t wasm.ValType, depth int) {
	ops := map[wasm.ValType][]byte{
		wasm.I32: {0x28, 0x2c, 0x2d, 0x2e, 0x2f}, wasm.I64: {0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35}, wasm.F32: {0x2a}, wasm.F64: {0x2b},
	}[t]
	g.address(depth)
	g.op(ops[g.r.IntN(len(ops))])
	g.memArg()
	g.canonical(t)
}

func (g *generator) arithmetic(t wasm.ValType, depth int) {
	between := func(low, high byte) byte { return low + byte(g.r.IntN(int(high-low)+1)) }
	unary := func(of wasm.ValType, op byte) { g.value(of, depth+1); g.op(op) }
	binary := func(of wasm.ValType, op byte) {
		g.value(of, depth+1)
		g.value(of, depth+1)
		switch divides := op >= 0x6d && op <= 0x70 || op >= 0x7f && op <= 0x82; {
		case !divides || g.chance(8):
		case of == wasm.I32:
			g.op(wasm.OpI32Const, 1, 0x72) // or 1: most do not divide by zero
		default:
			g.op(wasm.OpI64Const, 1, 0x84)
		}
		g.op(op)
	}
	switch t {
	case wasm.I32:
		switch g.r.IntN(9) {
		case 0:
			unary(wasm.I32, between(0x67, 0x69))
		case 1:
			unary(wasm.I32, wasm.OpI32Eqz)
		case 2:
			binary(wasm.I32, between(0x46, 0x4f))
		case 3:
			binary(wasm.I64, between(0x51, 0x5a))
		case 4:
			binary(wasm.F32, between(0x5b, 0x60))
		case 5:
			binary(wasm.F64, between(0x61, 0x66))
		case 6:
			g.op(wasm.OpMemorySize, 0)
		default:
			binary(wasm.I32, between(0x6a, 0x78))
		}
	case wasm.I64:
		if g.chance(4) {
			unary(wasm.I64, between(0x79, 0x7b))
		} else {
			binary(wasm.I64, between(0x7c, 0x8a))
		}
	case wasm.F32:
		if g.chance(3) {
			unary(wasm.F32, between(0x8b, 0x91))
		} else {
			binary(wasm.F32, between(0x92, 0x98))
		}
	case wasm.F64:
		if g.chance(3) {
			unary(wasm.F64, between(0x99, 0x9f))
		} else {
			binary(wasm.F64, between(0xa0, 0xa6))
		}
	}
	g.canonical(t)
}

// convert makes a value out of one of another type. Most truncations are those
// that do not trap.
func (g *generator) convert(t wasm.ValType, depth int) {
	type conversion struct {
		from wasm.ValType
		op   []byte
	}
	i32, i64, f32, f64 := wasm.I32, wasm.I64, wasm.F32, wasm.F64
	sat := func(n byte) []byte { return []byte{wasm.OpPrefixFC, n} }
	all := map[wasm.ValType][]conversion{
		i32: {{i64, []byte{0xa7}}, {f32, []byte{0xa8}}, {f64, []byte{0xab}}, {f32, []byte{0xbc}}, {i32, []byte{0xc0}}, {i32, []byte{0xc1}}, {f32, sat(0)}, {f32, sat(1)}, {f64, sat(2)}, {f64, sat(3)}},
		i64: {{i32, []byte{0xac}}, {i32, []byte{0xad}}, {f32, []byte{0xaf}}, {f64, []byte{0xb0}}, {f64, []byte{0xbd}}, {i64, []byte{0xc2}}, {i64, []byte{0xc3}}, {i64, []byte{0xc4}}, {f32, sat(4)}, {f32, sat(5)}, {f64, sat(6)}, {f64, sat(7)}},
		f32: {{i32, []byte{0xb2}}, {i32, []byte{0xb3}}, {i64, []byte{0xb4}}, {i64, []byte{0xb5}}, {f64, []byte{0xb6}}, {i32, []byte{0xbe}}},
		f64: {{i32, []byte{0xb7}}, {i32, []byte{0xb8}}, {i64, []byte{0xb9}}, {i64, []byte{0xba}}, {f32, []byte{0xbb}}, {i64, []byte{0xbf}}},
	}[t]
	c := all[g.r.IntN(len(all))]
	g.value(c.from, depth+1)
	g.op(c.op...)
	g.canonical(t)
}

// canonical replaces whatever NaN is on the stack by one whose bits are known:
// the specification leaves them open.
func (g *generator) canonical(t wasm.ValType) {
	if t != wasm.F32 && t != wasm.F64 {
		return
	}
	x := g.temp(t)
	g.index(wasm.OpLocalTee, x)
	equal := byte(0x5b)
	if t == wasm.F32 {
		g.b = binary.LittleEndian.AppendUint32(append(g.b, wasm.OpF32Const), 0x7fc00000)
	} else {
		g.b = binary.LittleEndian.AppendUint64(append(g.b, wasm.OpF64Const), 0x7ff8000000000000)
		equal = 0x61
	}
	g.index(wasm.OpLocalGet, x)
	g.index(wasm.OpLocalGet, x)
	g.op(equal, wasm.OpSelect)
}
