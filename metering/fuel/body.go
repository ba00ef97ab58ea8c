package fuel

import (
	"encoding/binary"

	"github.com/agora-host/agora/abi/wasm"
)

// emitter writes one rewritten body.
type emitter struct {
	code
	rw    *rewriter
	plan  plan
	types []wasm.ValType // of the original's locals

	open     []construct // of the original code, innermost last
	loops    int         // that were opened so far
	inside   []loop      // that are open, innermost last
	keeps    bool        // the segment that is open sets leftLocal, see segment.keeps
	returns  bool        // the function returns something
	outer    uint32      // labels of ours around the whole body: see body
	compared bool        // the last instruction answered what a branch asks for
}

// construct is an open block of the original code.
type construct struct {
	loop    bool
	asks    bool    // a loop that is wrapped, see openLoop
	head    bool    // its first segment is next
	first   segment // that segment
	carries bool    // a branch to it takes values along
}

// The locals that are added behind a function's own.
const (
	leftLocal   = iota // i64: what is left, see hold
	sizeLocal          // i32
	answerLocal        // i32
	depthLocal         // i32: open calls, this one included
)

// body rewrites a function to this, where what is in brackets is there only if
// the function calls others:
//
//	[block $deep
//	  depth = $deep + 1; br_if $deep if it is too much]
//	  loop $again
//	    block $yield
//	      charge the first segment; br_if $yield if nothing is left
//	      …the original…, [before each call $deep = depth]
//	      return
//	    end
//	    ask the host; give the charge back, as it is about to be charged again
//	    br $again
//	  end
//	[end
//	$deep = depth]
//	unreachable
//
// What happens rarely is out of line: the compiler lets the usual way fall through,
// and keeps the original's values in registers on the way past a call to the host.
// Who calls says how deep the callee is: nothing has to be undone when a function
// returns, by whichever way.
func (rw *rewriter) body(i int) wasm.Body {
	body, p := rw.in.Bodies[i], survey(rw.in.Bodies[i].Code, rw.table)
	signature := rw.in.Types[rw.in.Funcs[i]]
	first := p.segments[0]
	e := &emitter{rw: rw, plan: p, code: code{b: make([]byte, 0, len(body.Code)+len(body.Code)/2+64)}, returns: len(signature.Results) > 0}
	e.types = append(e.types, signature.Params...)
	for _, g := range body.Locals {
		for range g.Count {
			e.types = append(e.types, g.Type)
		}
	}
	e.first = uint32(len(e.types))
	locals := append(append([]wasm.LocalGroup(nil), body.Locals...), wasm.LocalGroup{Count: 1, Type: wasm.I64})
	switch {
	case p.calls:
		locals = append(locals, wasm.LocalGroup{Count: 3, Type: wasm.I32})
		e.enter()
	case p.scratch:
		locals = append(locals, wasm.LocalGroup{Count: 2, Type: wasm.I32})
	}
	if first.check {
		e.op(wasm.OpLoop, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty)
		e.outer += 2
	}
	e.instructions(body.Code)
	if e.outer > 0 {
		e.op(wasm.OpReturn)
	}
	if first.check {
		e.op(wasm.OpEnd)
		e.askAgain(first)
		e.branch(wasm.OpBr, 0)
		e.op(wasm.OpEnd)
	}
	if p.calls {
		e.op(wasm.OpEnd)
		e.tellDepth()
	}
	if e.outer > 0 {
		e.op(wasm.OpUnreachable)
	}
	e.op(wasm.OpEnd)
	return wasm.Body{Locals: locals, Code: e.b}
}

// instructions copies the body without its end, with a charge at the start of
// each segment.
func (e *emitter) instructions(code []byte) {
	next := 0
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for c.Next(&in) {
		for next < len(e.plan.segments) && e.plan.segments[next].at == in.Start {
			e.segment(e.plan.segments[next], next == 0)
			next++
		}
		e.instruction(in, code[in.Start:in.End])
		e.compared = in.Op >= wasm.OpI32Eqz && in.Op <= wasm.OpF64Ge
	}
}

func (e *emitter) instruction(in wasm.Instr, raw []byte) {
	switch in.Op {
	case wasm.OpBlock, wasm.OpIf:
		_, results := e.arity(raw[1:])
		e.open = append(e.open, construct{carries: results})
		e.op(raw...)
	case wasm.OpLoop:
		e.openLoop(raw)
	case wasm.OpEnd:
		e.end()
	case wasm.OpBr:
		e.branch(in.Op, e.label(in.Index))
	case wasm.OpBrIf:
		e.branchIf(in.Index)
	case wasm.OpBrTable:
		e.branchTable(raw)
	case wasm.OpCall:
		if e.rw.calls(in.Index) {
			e.tellDepth()
		}
		e.branch(in.Op, e.rw.shift(in.Index))
	case wasm.OpCallIndirect:
		if e.rw.callsIndirectly(in.Index) {
			e.tellDepth()
		}
		e.op(raw...)
	case wasm.OpRefFunc:
		e.branch(in.Op, e.rw.shift(in.Index))
	default:
		e.sized(in, raw)
	}
}

// loopWrap is how many labels stand around a loop that asks: out, again, yield.
const loopWrap = 3

// openLoop opens a loop whose head asks for fuel out of line:
//
//	block T $out
//	  loop $again
//	    block $yield
//	      loop T $head
//	        charge; br_if $yield if nothing is left
//	        …
//	      end
//	      br $out
//	    end
//	    renew the loop's locals; ask the host; give the charge back
//	    br $again
//	  end
//	  unreachable
//	end
//
// A loop that takes parameters cannot be entered twice like this; it asks in line.
func (e *emitter) openLoop(raw []byte) {
	l := e.plan.loops[e.loops]
	e.charge(l.entry)
	c := construct{loop: true}
	c.carries, _ = e.arity(raw[1:])
	c.asks, c.head = !c.carries, !c.carries
	if c.asks {
		e.op(wasm.OpBlock)
		e.op(raw[1:]...)
		e.op(wasm.OpLoop, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty)
	}
	e.op(raw...)
	e.open = append(e.open, c)
	e.loops++
	e.inside = append(e.inside, l)
}

// arity reports whether a block type has parameters and results.
func (e *emitter) arity(blockType []byte) (params, results bool) {
	t := blockType[0]
	if t&0x40 != 0 && t < 0x80 { // a negative number: none, or one value type
		return false, t != wasm.BlockEmpty
	}
	index, _ := binary.Uvarint(blockType) // positive: unsigned reads it alike
	if index >= uint64(len(e.rw.in.Types)) {
		return true, true // for the compiler to refuse
	}
	return len(e.rw.in.Types[index].Params) > 0, len(e.rw.in.Types[index].Results) > 0
}

// end closes the innermost construct of the original. The function's own end is
// written by body.
func (e *emitter) end() {
	if len(e.open) == 0 {
		return
	}
	c := e.open[len(e.open)-1]
	e.open = e.open[:len(e.open)-1]
	e.op(wasm.OpEnd)
	if !c.loop {
		return
	}
	if c.asks {
		e.branch(wasm.OpBr, 2)
		e.op(wasm.OpEnd)
		e.renew(e.inside[len(e.inside)-1].renew)
		e.askAgain(c.first)
		e.branch(wasm.OpBr, 0)
		e.op(wasm.OpEnd, wasm.OpUnreachable, wasm.OpEnd)
	}
	e.inside = e.inside[:len(e.inside)-1]
}

// renew gives the locals that a loop carries from turn to turn to new values that
// are equal. What is alive while the host is asked goes to memory; the compiler
// stores a value where it is made, and one that a loop carries is made again in
// each turn. So the value that crosses the call is made here.
func (e *emitter) renew(locals []uint32) {
	for _, l := range locals {
		if int(l) >= len(e.types) {
			continue // for the compiler to refuse
		}
		var same []byte
		switch e.types[l] {
		case wasm.I32:
			same = []byte{wasm.OpI32Const, 0, wasm.OpI32Add}
		case wasm.I64:
			same = []byte{wasm.OpI64Const, 0, wasm.OpI64Add}
		case wasm.F32:
			same = append(wasm.AppendU32([]byte{wasm.OpLocalGet}, l), wasm.OpF32Copysign)
		case wasm.F64:
			same = append(wasm.AppendU32([]byte{wasm.OpLocalGet}, l), wasm.OpF64Copysign)
		default:
			continue
		}
		e.branch(wasm.OpLocalGet, l)
		e.op(same...)
		e.branch(wasm.OpLocalSet, l)
	}
}

// label translates a label of the original, counted from the innermost, to the
// rewritten code, where labels of our own stand in between.
func (e *emitter) label(l uint32) uint32 {
	n := uint32(len(e.open))
	moved := l
	for _, c := range e.open[n-min(l, n):] {
		if c.asks {
			moved += loopWrap
		}
	}
	if l == n { // the function's own label
		moved += e.outer
	}
	return moved
}

// branchIf writes `br_if` as `if br end` in loops. A branch to where others arrive as
// well gets a block of its own from the compiler in any case; if it is in the code,
// comparison and jump become one, and the way that is not taken falls through.
// Where a loop calls, that pays only behind a comparison.
func (e *emitter) branchIf(l uint32) {
	n := len(e.inside)
	if n == 0 || e.inside[n-1].calls && !e.compared || e.carriesTo(l) {
		e.branch(wasm.OpBrIf, e.label(l))
		return
	}
	e.op(wasm.OpIf, wasm.BlockEmpty)
	e.branch(wasm.OpBr, e.label(l)+1)
	e.op(wasm.OpEnd)
}

// carriesTo reports whether a branch takes values along.
func (e *emitter) carriesTo(l uint32) bool {
	if int(l) >= len(e.open) {
		return e.returns
	}
	return e.open[len(e.open)-1-int(l)].carries
}

func (e *emitter) branchTable(raw []byte) {
	e.op(wasm.OpBrTable)
	count, _ := binary.Uvarint(raw[1:])
	e.b = wasm.AppendU32(e.b, uint32(count))
	for l := range labels(raw) {
		e.b = wasm.AppendU32(e.b, e.label(l))
	}
}

// enter finds out how deep this call is, and leaves if that is too deep.
func (e *emitter) enter() {
	e.op(wasm.OpBlock, wasm.BlockEmpty)
	e.outer++
	e.global(wasm.OpGlobalGet, e.rw.deep)
	e.op(wasm.OpI32Const, 1, wasm.OpI32Add)
	e.local(wasm.OpLocalTee, depthLocal)
	e.b = wasm.AppendS64(append(e.b, wasm.OpI32Const), int64(int32(e.rw.depth)))
	e.op(wasm.OpI32GtU)
	e.branch(wasm.OpBrIf, 0)
}

// tellDepth says how deep the function is that runs.
func (e *emitter) tellDepth() {
	e.local(wasm.OpLocalGet, depthLocal)
	e.global(wasm.OpGlobalSet, e.rw.deep)
}
