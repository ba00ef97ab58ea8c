package fueltest

import (
	"encoding/binary"
	"fmt"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// function is a body that can be run.
type function struct {
	signature wasm.FuncType
	locals    int // without parameters
	calls     bool
	code      []instruction
	host      func([]uint64) []uint64 // of an import; it has no code
}

type instruction struct {
	op            byte
	sub           uint32
	index, second uint32
	offset        uint32   // of a load or store
	value         uint64   // of a constant
	labels        []uint32 // of a br_table, the default last
	other, end    int      // of a block: behind its else, and behind its end
	params        int      // of a block
	results       int
	cost          uint64 // of itself, without sizes
	segment       uint64 // of the whole segment, if it is the first of one
}

func decode(m *wasm.Module, i int, table fuel.Table) (*function, error) {
	f := &function{signature: m.Types[m.Funcs[i]]}
	for _, g := range m.Bodies[i].Locals {
		f.locals += int(g.Count)
	}
	code := m.Bodies[i].Code
	c := wasm.NewCode(code, wasm.DefaultBounds())
	var open []int // blocks
	var raw wasm.Instr
	for c.Next(&raw) {
		in, err := immediates(m, raw, code[raw.Start:raw.End])
		if err != nil {
			return nil, err
		}
		if in.op == wasm.OpBlock && table != fuel.Table1 && table != fuel.Table2 {
			in.cost = 0
		}
		at := len(f.code)
		f.code = append(f.code, in)
		switch in.op {
		case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
			open = append(open, at)
		case wasm.OpElse:
			f.code[open[len(open)-1]].other = at + 1
		case wasm.OpEnd:
			if len(open) == 0 { // the function's own
				continue
			}
			f.close(open[len(open)-1], at)
			open = open[:len(open)-1]
		case wasm.OpCall, wasm.OpCallIndirect:
			f.calls = true
		}
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	f.segment()
	return f, nil
}

// close tells a block, and the else within, where it ends.
func (f *function) close(block, end int) {
	b := &f.code[block]
	b.end = end + 1
	if b.other == 0 {
		b.other = b.end
		return
	}
	f.code[b.other-1].end = b.end
}

// segment charges straight lines as the documentation of package fuel says.
func (f *function) segment() {
	first, sinceCheck := 0, uint64(0)
	for i := range f.code {
		in := &f.code[i]
		f.code[first].segment += in.cost
		sinceCheck += in.cost
		ends := false
		switch in.op {
		case wasm.OpLoop:
			ends, sinceCheck = true, 0
		case wasm.OpIf, wasm.OpElse, wasm.OpEnd, wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable, wasm.OpReturn, wasm.OpUnreachable, wasm.OpCall, wasm.OpCallIndirect:
			ends = true
		}
		if sinceCheck > fuel.MaxStraightLine {
			ends, sinceCheck = true, 0
		}
		if ends {
			first = i + 1
		}
	}
}

func immediates(m *wasm.Module, raw wasm.Instr, code []byte) (instruction, error) {
	in := instruction{op: raw.Op, sub: raw.Sub, index: raw.Index, second: raw.Second, cost: 1}
	rest := code[1:]
	switch op := raw.Op; {
	case op == wasm.OpPrefixFD:
		return in, fmt.Errorf("%w: vectors", ErrUnsupported)
	case op == wasm.OpEnd, op == wasm.OpElse:
		in.cost = 0
	case op == wasm.OpRefFunc:
		in.cost = 100
	case op == wasm.OpBlock, op == wasm.OpLoop, op == wasm.OpIf:
		switch {
		case raw.Second == 1:
			in.params, in.results = len(m.Types[raw.Index].Params), len(m.Types[raw.Index].Results)
		case raw.Index != wasm.BlockEmpty:
			in.results = 1
		}
	case op == wasm.OpBrTable:
		for range unsigned(&rest) + 1 {
			in.labels = append(in.labels, unsigned(&rest))
		}
	case op >= 0x28 && op <= 0x3e:
		unsigned(&rest)
		in.offset = unsigned(&rest)
	case op == wasm.OpI32Const:
		in.value = uint64(uint32(signed(&rest)))
	case op == wasm.OpI64Const:
		in.value = uint64(signed(&rest))
	case op == wasm.OpF32Const:
		in.value = uint64(binary.LittleEndian.Uint32(rest))
	case op == wasm.OpF64Const:
		in.value = binary.LittleEndian.Uint64(rest)
	}
	return in, nil
}
