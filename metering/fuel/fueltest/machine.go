package fueltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// Trap is why a program cannot go on.
type Trap string

func (t Trap) Error() string { return string(t) }

// The traps of the specification, and the two that are ours.
const (
	Unreachable       Trap = "unreachable"
	DivideByZero      Trap = "integer divide by zero"
	Overflow          Trap = "integer overflow"
	InvalidConversion Trap = "invalid conversion to integer"
	OutOfBounds       Trap = "out of bounds memory access"
	InvalidTable      Trap = "invalid table access"
	TypeMismatch      Trap = "indirect call type mismatch"
	TooDeep           Trap = "more calls are open than are allowed"
	TooLong           Trap = "more units than the test allows"
)

// ErrUnsupported: the module uses what this interpreter does not know.
var ErrUnsupported = errors.New("not known to this interpreter")

// null is the null reference; others are an index plus one.
const null = 0

// Options bound a machine as fuel.Options bound a module.
type Options struct {
	fuel.Options
	Units uint64 // a call that is charged more is given up with TooLong; 0: never
	// Counted, if it is not nil, is called with Charged whenever that has grown.
	Counted func(charged uint64)
	// Host serves imported functions. What that costs depends on the table.
	Host func(module, name string, args []uint64) []uint64
}

// Machine is an instance of a module.
type Machine struct {
	Memory  []byte
	Globals []uint64
	// Charged is what fuel has to have charged, by segments entered and sizes
	// handled; Executed counts instructions at their cost when they run. They are
	// the same after a call that returned.
	Charged, Executed uint64

	o         Options
	m         *wasm.Module
	maxPages  uint32
	tables    [][]uint64
	maxTables []uint32
	funcs     []*function
	dropped   struct{ data, elements []bool }
	stack     []uint64
	depth     uint32
	limit     uint64 // of Charged, during a call
}

// New instantiates a module that imports nothing but functions. What its start-up does is charged
// as fuel.Result.InitCost says, and not here; the start function does not run.
func New(m *wasm.Module, o Options) (*Machine, error) {
	v := &Machine{o: o, m: m}
	for _, im := range m.Imports {
		if im.Kind != wasm.KindFunc || o.Host == nil {
			return nil, fmt.Errorf("%w: it imports %s.%s", ErrUnsupported, im.Module, im.Name)
		}
		v.funcs = append(v.funcs, &function{signature: m.Types[im.Func], host: func(args []uint64) []uint64 { return v.askHost(im.Module, im.Name, args) }})
	}
	if m.Memory != nil {
		v.Memory = make([]byte, int(m.Memory.Min)<<16)
		if v.maxPages = o.MemoryPages; m.Memory.HasMax {
			v.maxPages = min(v.maxPages, m.Memory.Max)
		}
	}
	for _, g := range m.Globals {
		if g.Type == wasm.V128 {
			return nil, fmt.Errorf("%w: vectors", ErrUnsupported)
		}
		v.Globals = append(v.Globals, v.constant(g.Init))
	}
	for _, t := range m.Tables {
		limit := o.TableElements
		if t.HasMax {
			limit = min(limit, t.Max)
		}
		v.tables, v.maxTables = append(v.tables, make([]uint64, t.Min)), append(v.maxTables, limit)
	}
	for i := range m.Bodies {
		f, err := decode(m, i, o.Table)
		if err != nil {
			return nil, err
		}
		v.funcs = append(v.funcs, f)
	}
	v.dropped.data, v.dropped.elements = make([]bool, len(m.Data)), make([]bool, len(m.Elements))
	return v, v.segments()
}

// segments copies active segments, in order.
func (v *Machine) segments() error {
	for i := range v.m.Elements {
		e := &v.m.Elements[i]
		if e.Mode == wasm.Active {
			refs := v.references(i)
			if err := copyTo(v.tables[e.Table], uint32(v.constant(e.Offset)), refs, InvalidTable); err != nil {
				return err
			}
		}
		v.dropped.elements[i] = e.Mode != wasm.Passive
	}
	for i := range v.m.Data {
		d := &v.m.Data[i]
		if d.Mode == wasm.Active {
			if err := copyTo(v.Memory, uint32(v.constant(d.Offset)), d.Bytes, OutOfBounds); err != nil {
				return err
			}
			v.dropped.data[i] = true
		}
	}
	return nil
}

func copyTo[T any](to []T, at uint32, from []T, trap Trap) error {
	if uint64(at)+uint64(len(from)) > uint64(len(to)) {
		return trap
	}
	copy(to[at:], from)
	return nil
}

func (v *Machine) references(i int) (refs []uint64) {
	if v.dropped.elements[i] {
		return nil
	}
	e := &v.m.Elements[i]
	for _, f := range e.Funcs {
		refs = append(refs, uint64(f)+1)
	}
	for _, x := range e.Exprs {
		refs = append(refs, v.constant(x))
	}
	return refs
}

// constant is the value of a constant expression of one instruction.
func (v *Machine) constant(expr []byte) uint64 {
	rest := expr[1:]
	switch expr[0] {
	case wasm.OpI32Const:
		return uint64(uint32(signed(&rest)))
	case wasm.OpI64Const:
		return uint64(signed(&rest))
	case wasm.OpF32Const:
		return uint64(binary.LittleEndian.Uint32(rest))
	case wasm.OpF64Const:
		return binary.LittleEndian.Uint64(rest)
	case wasm.OpRefFunc:
		return uint64(unsigned(&rest)) + 1
	case wasm.OpGlobalGet:
		return v.Globals[unsigned(&rest)]
	}
	return null
}

func unsigned(b *[]byte) uint32 {
	n, size := binary.Uvarint(*b)
	*b = (*b)[size:]
	return uint32(n)
}

func signed(b *[]byte) int64 {
	var n int64
	for i, c := range *b {
		n |= int64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if shift := 7 * (i + 1); shift < 64 && c&0x40 != 0 {
				n |= -1 << shift
			}
			*b = (*b)[i+1:]
			break
		}
	}
	return n
}

// Call calls an export. The error is a Trap.
func (v *Machine) Call(name string, args ...uint64) (results []uint64, err error) {
	e, ok := v.m.Export(name)
	if !ok || e.Kind != wasm.KindFunc {
		return nil, fmt.Errorf("no function is exported as %q", name)
	}
	defer func() {
		if r := recover(); r != nil {
			trap, ok := r.(Trap)
			if !ok {
				panic(r)
			}
			err = trap
		}
	}()
	v.stack, v.depth, v.limit = append(v.stack[:0], args...), 0, math.MaxUint64
	if v.o.Units > 0 {
		v.limit = v.Charged + v.o.Units
	}
	v.run(v.funcs[e.Index])
	return slices.Clone(v.stack), nil
}

func (v *Machine) push(x uint64) { v.stack = append(v.stack, x) }

func (v *Machine) pop() uint64 {
	x := v.stack[len(v.stack)-1]
	v.stack = v.stack[:len(v.stack)-1]
	return x
}

func (v *Machine) pop32() uint32 { return uint32(v.pop()) }

// charge is for what depends on a size.
func (v *Machine) charge(units uint64) {
	v.Charged, v.Executed = v.Charged+units, v.Executed+units
	v.check()
}

func (v *Machine) check() {
	if v.o.Counted != nil {
		v.o.Counted(v.Charged)
	}
	if v.Charged > v.limit {
		panic(TooLong)
	}
}

// frame is a label that is open: what a branch to it keeps and drops.
type frame struct {
	target int // where a branch goes on
	loop   bool
	height int // of the stack, below the block's parameters
	arity  int // of a branch
}

// run calls a function whose arguments are on the stack.
func (v *Machine) run(f *function) {
	if f.host != nil {
		args := v.stack[len(v.stack)-len(f.signature.Params):]
		v.stack = append(v.stack[:len(v.stack)-len(args)], f.host(slices.Clone(args))...)
		return
	}
	if f.calls {
		if v.depth++; v.depth > v.o.CallDepth {
			panic(TooDeep)
		}
	}
	base := len(v.stack) - len(f.signature.Params)
	locals := append(slices.Clone(v.stack[base:]), make([]uint64, f.locals)...)
	v.stack = v.stack[:base]
	labels := []frame{{len(f.code), false, base, len(f.signature.Results)}}
	branch := func(l uint32) int {
		to := labels[len(labels)-1-int(l)]
		kept := v.stack[len(v.stack)-to.arity:]
		v.stack = append(v.stack[:to.height], kept...)
		labels = labels[:len(labels)-1-int(l)]
		if to.loop {
			labels = append(labels, to) // it stays open when it is repeated
		}
		return to.target
	}
	for pc := 0; pc < len(f.code); {
		in := &f.code[pc]
		v.Executed += in.cost
		if in.segment > 0 {
			v.Charged += in.segment
			v.check()
		}
		pc++
		switch in.op {
		case wasm.OpUnreachable:
			panic(Unreachable)
		case wasm.OpNop:
		case wasm.OpBlock:
			labels = append(labels, frame{in.end, false, len(v.stack) - in.params, in.results})
		case wasm.OpLoop:
			labels = append(labels, frame{pc, true, len(v.stack) - in.params, in.params})
		case wasm.OpIf:
			taken := v.pop32() != 0
			if !taken && in.other == in.end {
				pc = in.end
				break
			}
			labels = append(labels, frame{in.end, false, len(v.stack) - in.params, in.results})
			if !taken {
				pc = in.other
			}
		case wasm.OpElse: // the end of a taken arm
			labels = labels[:len(labels)-1]
			pc = in.end
		case wasm.OpEnd:
			labels = labels[:len(labels)-1]
		case wasm.OpBr:
			pc = branch(in.index)
		case wasm.OpBrIf:
			if v.pop32() != 0 {
				pc = branch(in.index)
			}
		case wasm.OpBrTable:
			i := min(int(v.pop32()), len(in.labels)-1)
			pc = branch(in.labels[i])
		case wasm.OpReturn:
			pc = branch(uint32(len(labels) - 1))
		case wasm.OpCall:
			v.run(v.funcs[in.index])
		case wasm.OpCallIndirect:
			v.run(v.lookUp(in))
		case wasm.OpLocalGet:
			v.push(locals[in.index])
		case wasm.OpLocalSet:
			locals[in.index] = v.pop()
		case wasm.OpLocalTee:
			locals[in.index] = v.stack[len(v.stack)-1]
		default:
			v.plain(in)
		}
	}
	if f.calls {
		v.depth--
	}
}

func (v *Machine) lookUp(in *instruction) *function {
	table, i := v.tables[in.second], v.pop32()
	if uint64(i) >= uint64(len(table)) || table[i] == null {
		panic(InvalidTable)
	}
	f := v.funcs[table[i]-1]
	want := v.m.Types[in.index]
	if !slices.Equal(f.signature.Params, want.Params) || !slices.Equal(f.signature.Results, want.Results) {
		panic(TypeMismatch)
	}
	return f
}

// plain runs an instruction that goes on at the next.
func (v *Machine) plain(in *instruction) {
	switch op := in.op; {
	case op == wasm.OpDrop:
		v.pop()
	case op == wasm.OpSelect, op == wasm.OpSelectTyped:
		if c, b := v.pop32(), v.pop(); c == 0 {
			v.pop()
			v.push(b)
		}
	case op == wasm.OpGlobalGet:
		v.push(v.Globals[in.index])
	case op == wasm.OpGlobalSet:
		v.Globals[in.index] = v.pop()
	case op == 0x25: // table.get
		table, i := v.tables[in.index], v.pop32()
		if uint64(i) >= uint64(len(table)) {
			panic(InvalidTable)
		}
		v.push(table[i])
	case op == wasm.OpTableSet:
		x, i := v.pop(), v.pop32()
		table := v.tables[in.index]
		if uint64(i) >= uint64(len(table)) {
			panic(InvalidTable)
		}
		table[i] = x
	case op >= 0x28 && op <= 0x35:
		v.load(in)
	case op >= 0x36 && op <= 0x3e:
		v.store(in)
	case op == wasm.OpMemorySize:
		v.push(uint64(len(v.Memory) >> 16))
	case op == wasm.OpMemoryGrow:
		v.growMemory()
	case op >= wasm.OpI32Const && op <= wasm.OpF64Const:
		v.push(in.value)
	case op == wasm.OpRefNull:
		v.push(null)
	case op == wasm.OpRefIsNull:
		v.push(boolean(v.pop() == null))
	case op == wasm.OpRefFunc:
		v.push(uint64(in.index) + 1)
	case op == wasm.OpPrefixFC && in.sub >= wasm.FCMemoryInit:
		v.bulk(in)
	default:
		v.numeric(in)
	}
}

func (v *Machine) growMemory() {
	before, n := uint32(len(v.Memory)>>16), v.pop32()
	if uint64(before)+uint64(n) > uint64(v.maxPages) {
		v.push(math.MaxUint32)
		return
	}
	v.Memory = append(v.Memory, make([]byte, int(n)<<16)...)
	v.charge(uint64(n) * 8192)
	v.push(uint64(before))
}

// span is n bytes of memory from an address, or a trap.
func (v *Machine) span(at, offset uint32, n uint64) []byte {
	from := uint64(at) + uint64(offset)
	if from+n > uint64(len(v.Memory)) {
		panic(OutOfBounds)
	}
	return v.Memory[from : from+n]
}

func (v *Machine) load(in *instruction) {
	// Bytes that are read, by opcode from i32.load on; below zero: sign-extended.
	sizes := [...]int8{4, 8, 4, 8, -1, 1, -2, 2, -1, 1, -2, 2, -4, 4}
	size := sizes[in.op-0x28]
	n := max(size, -size)
	var raw [8]byte
	copy(raw[:], v.span(v.pop32(), in.offset, uint64(n)))
	x := binary.LittleEndian.Uint64(raw[:])
	if size < 0 {
		shift := 64 - 8*uint(n)
		x = uint64(int64(x<<shift) >> shift)
		if in.op < 0x30 { // into an i32
			x = uint64(uint32(x))
		}
	}
	v.push(x)
}

func (v *Machine) store(in *instruction) {
	sizes := [...]uint64{4, 8, 4, 8, 1, 2, 1, 2, 4}
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], v.pop())
	n := sizes[in.op-0x36]
	copy(v.span(v.pop32(), in.offset, n), raw[:n])
}

// bulk runs what has a size. It is charged before it may trap.
func (v *Machine) bulk(in *instruction) {
	switch in.sub {
	case wasm.FCDataDrop:
		v.dropped.data[in.index] = true
		return
	case wasm.FCElemDrop:
		v.dropped.elements[in.index] = true
		return
	case wasm.FCTableSize:
		v.push(uint64(len(v.tables[in.index])))
		return
	}
	n := v.pop32()
	switch in.sub {
	case wasm.FCMemoryInit, wasm.FCMemoryCopy, wasm.FCMemoryFill:
		v.charge((uint64(n) + 7) / 8)
		v.bulkMemory(in, n)
	case wasm.FCTableGrow:
		v.growTable(in, n)
	default:
		v.charge(uint64(n))
		v.bulkTable(in, n)
	}
}

func (v *Machine) bulkMemory(in *instruction, n uint32) {
	second, at := v.pop32(), v.pop32()
	switch in.sub {
	case wasm.FCMemoryFill:
		for i := range v.span(at, 0, uint64(n)) {
			v.Memory[uint64(at)+uint64(i)] = byte(second)
		}
	case wasm.FCMemoryCopy:
		from := v.span(second, 0, uint64(n))
		copy(v.span(at, 0, uint64(n)), from)
	case wasm.FCMemoryInit:
		data := v.m.Data[in.index].Bytes
		if v.dropped.data[in.index] {
			data = nil
		}
		if uint64(second)+uint64(n) > uint64(len(data)) {
			panic(OutOfBounds)
		}
		copy(v.span(at, 0, uint64(n)), data[second:])
	}
}

func (v *Machine) bulkTable(in *instruction, n uint32) {
	second, at := v.pop(), v.pop32()
	to, from := in.index, []uint64(nil)
	switch in.sub {
	case wasm.FCTableFill:
		if uint64(at)+uint64(n) > uint64(len(v.tables[to])) {
			panic(InvalidTable)
		}
		for i := range v.tables[to][at : uint64(at)+uint64(n)] {
			v.tables[to][int(at)+i] = second
		}
		return
	case wasm.FCTableInit: // its immediates are segment, table
		to, from = in.second, v.references(int(in.index))
	case wasm.FCTableCopy: // destination, source
		from = v.tables[in.second]
	}
	if second+uint64(n) > uint64(len(from)) || uint64(at)+uint64(n) > uint64(len(v.tables[to])) {
		panic(InvalidTable)
	}
	copy(v.tables[to][at:], from[second:second+uint64(n)])
}

func (v *Machine) growTable(in *instruction, n uint32) {
	x := v.pop()
	before := uint32(len(v.tables[in.index]))
	if uint64(before)+uint64(n) > uint64(v.maxTables[in.index]) {
		v.push(math.MaxUint32)
		return
	}
	for range n {
		v.tables[in.index] = append(v.tables[in.index], x)
	}
	v.charge(uint64(n))
	v.push(uint64(before))
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
