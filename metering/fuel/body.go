package fuel

import (
	"encoding/binary"

	"github.com/agora-host/agora/abi/wasm"
)

// segment is a straight line of code. It is charged at its first byte.
type segment struct {
	at    int // offset of its first instruction
	cost  uint64
	check bool // ask the host here if the fuel is below zero
}

// shortLeaf is the most units of a function that does not ask at its entry.
const shortLeaf = 32

// plan is what is known about a body before it is rewritten.
type plan struct {
	segments []segment
	total    uint64 // of all segments
	loops    bool
	calls    bool // it calls: its depth is counted
	scratch  bool // it has bulk operations, which need scratch locals
	traces   bool // it changes state other than memory, globals and locals
}

// bounds for code that was accepted once: only its form matters again.
func codeBounds() wasm.Bounds { return wasm.DefaultBounds() }

// survey cuts a body into segments.
func survey(code []byte) (plan, error) {
	var p plan
	var straight uint64 // units since the last check
	open := func(at int, check bool) { p.segments = append(p.segments, segment{at: at, check: check}) }
	open(0, true)
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for c.Next(&in) {
		s := &p.segments[len(p.segments)-1]
		s.cost += cost(in)
		straight += cost(in)
		p.total += cost(in)
		p.loops = p.loops || in.Op == wasm.OpLoop
		p.traces = p.traces || leavesTraces(in)
		switch in.Op {
		case wasm.OpCall, wasm.OpCallIndirect:
			p.calls = true
		case wasm.OpPrefixFC, wasm.OpMemoryGrow:
			p.scratch = p.scratch || bulk(in) != bulkNone
		}
		if ends(in) || straight > MaxStraightLine {
			check := in.Op == wasm.OpLoop || straight > MaxStraightLine
			if check {
				straight = 0
			}
			open(in.End, check)
		}
	}
	// A short function that calls nobody and repeats nothing is over before it
	// matters: whoever calls it asks often enough.
	if p.total <= shortLeaf && !p.calls && !p.loops && !p.scratch {
		p.segments[0].check = false
	}
	return p, c.Err()
}

// ends tells whether a segment ends after an instruction.
func ends(in wasm.Instr) bool {
	switch in.Op {
	case wasm.OpLoop, wasm.OpIf, wasm.OpElse, wasm.OpEnd, wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable, wasm.OpReturn,
		wasm.OpUnreachable, wasm.OpCall, wasm.OpCallIndirect:
		return true
	}
	return false
}

func cost(in wasm.Instr) uint64 {
	switch in.Op {
	case wasm.OpEnd, wasm.OpElse:
		return 0
	case wasm.OpRefFunc:
		return 100
	}
	return 1
}

// bulkKind is how an instruction's size is charged.
type bulkKind byte

const (
	bulkNone     bulkKind = iota
	bulkBytes             // one unit for every 8 bytes, before
	bulkElements          // one for each element, before
	growPages             // 8192 for each page, after, if it succeeded
	growElements          // one for each element, after, if it succeeded
)

func bulk(in wasm.Instr) bulkKind {
	if in.Op == wasm.OpMemoryGrow {
		return growPages
	}
	if in.Op != wasm.OpPrefixFC {
		return bulkNone
	}
	switch in.Sub {
	case wasm.FCMemoryInit, wasm.FCMemoryCopy, wasm.FCMemoryFill:
		return bulkBytes
	case wasm.FCTableInit, wasm.FCTableCopy, wasm.FCTableFill:
		return bulkElements
	case wasm.FCTableGrow:
		return growElements
	}
	return bulkNone
}

// emitter writes one rewritten body.
type emitter struct {
	rw    *rewriter
	b     []byte
	first uint32 // index of the first local that is ours

	open   []construct // of the original code, innermost last
	yields bool        // the function's entry asks for fuel: see body
}

// construct is an open block of the original code.
type construct struct {
	asks   bool   // a loop that is wrapped, see openLoop
	head   bool   // its first segment is next
	charge uint64 // of that segment
}

// The locals that are added behind a function's own.
const (
	leftLocal   = iota // i64: fuel after a charge
	sizeLocal          // i32
	answerLocal        // i32
	depthLocal         // i32: open calls, this one included
)

// body rewrites a function to this, where what is in brackets is there only if
// the function calls others:
//
//	[depth = $deep + 1; if it is too much, trap]
//	loop $again
//	  block $yield
//	    charge the first segment; br_if $yield if nothing is left
//	    …the original…, [before each call $deep = depth]
//	    return
//	  end
//	  ask the host; give the charge back, as it is about to be charged again
//	  br $again
//	end
//	unreachable
//
// Asking is out of line so that the compiler keeps the original's values in
// registers on the way past it. Who calls says how deep the callee is: nothing has
// to be undone when a function returns, by whichever way.
func (rw *rewriter) body(i int) wasm.Body {
	body, p := rw.in.Bodies[i], rw.plans[i]
	signature := rw.in.Types[rw.in.Funcs[i]]
	e := &emitter{rw: rw, b: make([]byte, 0, len(body.Code)+len(body.Code)/2+64), first: uint32(len(signature.Params)), yields: p.segments[0].check}
	for _, g := range body.Locals {
		e.first += g.Count
	}
	locals := append(append([]wasm.LocalGroup(nil), body.Locals...), wasm.LocalGroup{Count: 1, Type: wasm.I64})
	switch {
	case p.calls:
		locals = append(locals, wasm.LocalGroup{Count: 3, Type: wasm.I32})
		e.enter()
	case p.scratch:
		locals = append(locals, wasm.LocalGroup{Count: 2, Type: wasm.I32})
	}
	if e.yields {
		e.op(wasm.OpLoop, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty)
	}
	e.instructions(body.Code, p)
	if e.yields {
		e.op(wasm.OpReturn, wasm.OpEnd)
		e.ask(p.segments[0].cost)
		e.branch(wasm.OpBr, 0)
		e.op(wasm.OpEnd, wasm.OpUnreachable)
	}
	e.op(wasm.OpEnd)
	return wasm.Body{Locals: locals, Code: e.b}
}

// instructions copies the body without its end, with a charge at the start of
// each segment.
func (e *emitter) instructions(code []byte, p plan) {
	next := 0
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for c.Next(&in) {
		for next < len(p.segments) && p.segments[next].at == in.Start {
			e.charge(p.segments[next], next == 0)
			next++
		}
		e.instruction(in, code[in.Start:in.End])
	}
}

func (e *emitter) instruction(in wasm.Instr, raw []byte) {
	switch in.Op {
	case wasm.OpBlock, wasm.OpIf:
		e.open = append(e.open, construct{})
		e.op(raw...)
	case wasm.OpLoop:
		e.openLoop(raw)
	case wasm.OpEnd:
		e.end()
	case wasm.OpBr, wasm.OpBrIf:
		e.branch(in.Op, e.label(in.Index))
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
//	    ask the host; give the charge back
//	    br $again
//	  end
//	  unreachable
//	end
//
// A loop that takes parameters cannot be entered twice like this; it asks in line.
func (e *emitter) openLoop(raw []byte) {
	blockType := raw[1:]
	asks := !e.takesParameters(blockType)
	if asks {
		e.op(wasm.OpBlock)
		e.op(blockType...)
		e.op(wasm.OpLoop, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty)
	}
	e.op(raw...)
	e.open = append(e.open, construct{asks: asks, head: asks})
}

func (e *emitter) takesParameters(blockType []byte) bool {
	t := blockType[0]
	if t == wasm.BlockEmpty || (t&0x40 != 0 && t < 0x80) {
		return false // none, or one value type: a negative number
	}
	index, _ := binary.Uvarint(blockType) // positive: unsigned reads it alike
	// A type that does not exist is for the compiler to refuse.
	return index >= uint64(len(e.rw.in.Types)) || len(e.rw.in.Types[index].Params) > 0
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
	if c.asks {
		e.branch(wasm.OpBr, 2)
		e.op(wasm.OpEnd)
		e.ask(c.charge)
		e.branch(wasm.OpBr, 0)
		e.op(wasm.OpEnd, wasm.OpUnreachable, wasm.OpEnd)
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
	if l == n && e.yields {
		moved += 2 // the function's own label, outside of $again and $yield
	}
	return moved
}

func (e *emitter) branchTable(raw []byte) {
	e.op(wasm.OpBrTable)
	raw = raw[1:]
	count, size := binary.Uvarint(raw)
	e.b = wasm.AppendU32(e.b, uint32(count))
	for range count + 1 {
		raw = raw[size:]
		var l uint64
		l, size = binary.Uvarint(raw)
		e.b = wasm.AppendU32(e.b, e.label(uint32(l)))
	}
}

func (e *emitter) op(code ...byte) { e.b = append(e.b, code...) }

func (e *emitter) branch(op byte, index uint32) { e.b = wasm.AppendU32(append(e.b, op), index) }

// charge takes a segment's cost, and asks for more if nothing is left where the
// segment says so.
func (e *emitter) charge(s segment, entry bool) {
	if s.cost == 0 && !s.check {
		return
	}
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	if s.cost > 0 {
		e.b = wasm.AppendS64(append(e.b, wasm.OpI64Const), int64(s.cost))
		e.op(wasm.OpI64Sub)
	}
	if !s.check {
		e.global(wasm.OpGlobalSet, e.rw.fuel)
		return
	}
	e.local(wasm.OpLocalTee, leftLocal)
	e.global(wasm.OpGlobalSet, e.rw.fuel)
	e.local(wasm.OpLocalGet, leftLocal)
	e.op(wasm.OpI64Const, 0, wasm.OpI64LtS)
	n := len(e.open)
	switch {
	case entry:
		e.branch(wasm.OpBrIf, 0) // $yield of the function
	case n > 0 && e.open[n-1].head:
		e.open[n-1].head, e.open[n-1].charge = false, s.cost
		e.branch(wasm.OpBrIf, 1) // $yield of the loop
	default:
		e.op(wasm.OpIf, wasm.BlockEmpty)
		e.ask(0)
		e.op(wasm.OpEnd)
	}
}

// check asks the host for fuel when there is none left, in line.
func (e *emitter) check() {
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	e.op(wasm.OpI64Const, 0, wasm.OpI64LtS, wasm.OpIf, wasm.BlockEmpty)
	e.ask(0)
	e.op(wasm.OpEnd)
}

// ask calls the host for more fuel, and gives back what is to be charged again.
func (e *emitter) ask(giveBack uint64) {
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	e.branch(wasm.OpCall, e.rw.refuel)
	if giveBack > 0 {
		e.b = wasm.AppendS64(append(e.b, wasm.OpI64Const), int64(giveBack))
		e.op(wasm.OpI64Add)
	}
	e.global(wasm.OpGlobalSet, e.rw.fuel)
}

// sized copies an instruction; if its work depends on a size, that is charged.
func (e *emitter) sized(in wasm.Instr, raw []byte) {
	kind := bulk(in)
	switch kind {
	case bulkBytes, bulkElements:
		e.local(wasm.OpLocalTee, sizeLocal)
		e.chargeSize(kind)
		e.b = append(e.b, raw...)
	case growPages, growElements:
		e.grow(kind, raw)
	default:
		e.b = append(e.b, raw...)
	}
}

// chargeSize charges for the size that is in the size local.
func (e *emitter) chargeSize(kind bulkKind) {
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	e.local(wasm.OpLocalGet, sizeLocal)
	e.b = append(e.b, wasm.OpI64ExtendU)
	switch kind {
	case bulkBytes: // (n + 7) / 8
		e.b = append(e.b, wasm.OpI64Const, 7, wasm.OpI64Add, wasm.OpI64Const, 3, wasm.OpI64ShrU)
	case growPages:
		e.b = append(wasm.AppendS64(append(e.b, wasm.OpI64Const), 8192), wasm.OpI64Mul)
	}
	e.b = append(e.b, wasm.OpI64Sub)
	e.global(wasm.OpGlobalSet, e.rw.fuel)
	e.check()
}

// grow runs a growing instruction and charges for it if it succeeded. A
// success is bounded by the caps, so nothing large happens before it is paid.
func (e *emitter) grow(kind bulkKind, raw []byte) {
	e.local(wasm.OpLocalTee, sizeLocal)
	e.b = append(e.b, raw...)
	e.local(wasm.OpLocalTee, answerLocal)
	e.b = append(e.b, wasm.OpI32Const, 0x7f /* -1 */, wasm.OpI32Eq, wasm.OpIf, wasm.BlockEmpty)
	if kind == growPages {
		e.global(wasm.OpGlobalGet, e.rw.refused)
		e.b = append(e.b, wasm.OpI32Const, 1, wasm.OpI32Add)
		e.global(wasm.OpGlobalSet, e.rw.refused)
	}
	e.b = append(e.b, wasm.OpElse)
	e.chargeSize(kind)
	e.b = append(e.b, wasm.OpEnd)
	e.local(wasm.OpLocalGet, answerLocal)
}

func (e *emitter) local(op byte, which uint32) {
	e.b = wasm.AppendU32(append(e.b, op), e.first+which)
}

func (e *emitter) global(op byte, index uint32) { e.b = wasm.AppendU32(append(e.b, op), index) }

// enter finds out how deep this call is, and traps if that is too deep.
func (e *emitter) enter() {
	e.global(wasm.OpGlobalGet, e.rw.deep)
	e.op(wasm.OpI32Const, 1, wasm.OpI32Add)
	e.local(wasm.OpLocalTee, depthLocal)
	e.b = wasm.AppendS64(append(e.b, wasm.OpI32Const), int64(int32(e.rw.depth)))
	e.op(wasm.OpI32GtU, wasm.OpIf, wasm.BlockEmpty)
	e.tellDepth()
	e.op(wasm.OpUnreachable, wasm.OpEnd)
}

// tellDepth says how deep the function is that runs.
func (e *emitter) tellDepth() {
	e.local(wasm.OpLocalGet, depthLocal)
	e.global(wasm.OpGlobalSet, e.rw.deep)
}
