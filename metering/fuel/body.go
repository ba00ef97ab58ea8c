package fuel

import (
	"github.com/agora-host/agora/abi/wasm"
)

// segment is a straight line of code. It is charged at its first byte.
type segment struct {
	at    int // offset of its first instruction
	cost  uint64
	check bool // ask the host here if the fuel is below zero
}

// plan is what is known about a body before it is rewritten.
type plan struct {
	segments []segment
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
	rw      *rewriter
	b       []byte
	scratch uint32 // index of the first scratch local; they are i32
}

func (rw *rewriter) body(typeIndex uint32, body wasm.Body) (wasm.Body, error) {
	p, err := survey(body.Code)
	if err != nil {
		return wasm.Body{}, err
	}
	rw.restorable = rw.restorable && !p.traces
	signature := rw.in.Types[typeIndex]
	e := &emitter{rw: rw, b: make([]byte, 0, len(body.Code)+len(body.Code)/2+64)}
	locals := append([]wasm.LocalGroup(nil), body.Locals...)
	if p.scratch {
		e.scratch = uint32(len(signature.Params))
		for _, g := range locals {
			e.scratch += g.Count
		}
		locals = append(locals, wasm.LocalGroup{Count: scratchLocals, Type: wasm.I32})
	}
	if p.calls {
		e.enter()
		e.openFrame(signature)
	}
	e.instructions(body.Code, p)
	if p.calls {
		e.leave()
	}
	return wasm.Body{Locals: locals, Code: e.b}, nil
}

// instructions copies the body, with a charge at the start of each segment.
func (e *emitter) instructions(code []byte, p plan) {
	next := 0
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for {
		depth := c.Depth() // of the place where the instruction stands
		if !c.Next(&in) {
			return
		}
		for next < len(p.segments) && p.segments[next].at == in.Start {
			e.charge(p.segments[next])
			next++
		}
		switch {
		case in.Op == wasm.OpReturn && p.calls:
			// Out through the frame, where the depth is counted down.
			e.b = wasm.AppendU32(append(e.b, wasm.OpBr), uint32(depth))
		case in.Op == wasm.OpCall, in.Op == wasm.OpRefFunc:
			e.b = wasm.AppendU32(append(e.b, in.Op), e.rw.shift(in.Index))
		default:
			e.sized(in, code[in.Start:in.End])
		}
	}
}

func (e *emitter) charge(s segment) {
	if s.cost > 0 {
		e.global(wasm.OpGlobalGet, e.rw.fuel)
		e.b = wasm.AppendS64(append(e.b, wasm.OpI64Const), int64(s.cost))
		e.b = append(e.b, wasm.OpI64Sub)
		e.global(wasm.OpGlobalSet, e.rw.fuel)
	}
	if s.check {
		e.check()
	}
}

// check asks the host for fuel when there is none left.
func (e *emitter) check() {
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	e.b = append(e.b, wasm.OpI64Const, 0, wasm.OpI64LtS, wasm.OpIf, wasm.BlockEmpty)
	e.global(wasm.OpGlobalGet, e.rw.fuel)
	e.b = wasm.AppendU32(append(e.b, wasm.OpCall), e.rw.refuel)
	e.global(wasm.OpGlobalSet, e.rw.fuel)
	e.b = append(e.b, wasm.OpEnd)
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

// The scratch locals, behind the function's own.
const (
	sizeLocal = iota
	answerLocal
	scratchLocals
)

func (e *emitter) local(op byte, which uint32) {
	e.b = wasm.AppendU32(append(e.b, op), e.scratch+which)
}

func (e *emitter) global(op byte, index uint32) { e.b = wasm.AppendU32(append(e.b, op), index) }

// enter counts a call and traps when there are too many.
func (e *emitter) enter() {
	e.global(wasm.OpGlobalGet, e.rw.deep)
	e.b = append(e.b, wasm.OpI32Const, 1, wasm.OpI32Add)
	e.global(wasm.OpGlobalSet, e.rw.deep)
	e.global(wasm.OpGlobalGet, e.rw.deep)
	e.b = wasm.AppendS64(append(e.b, wasm.OpI32Const), int64(int32(e.rw.depth)))
	e.b = append(e.b, wasm.OpI32GtU, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, wasm.OpEnd)
}

// openFrame opens a block around the whole body, in the place of the function's
// own label, so that every way out leads through leave.
func (e *emitter) openFrame(signature wasm.FuncType) {
	e.b = append(e.b, wasm.OpBlock)
	switch len(signature.Results) {
	case 0:
		e.b = append(e.b, wasm.BlockEmpty)
	case 1:
		e.b = append(e.b, byte(signature.Results[0]))
	default:
		e.b = wasm.AppendS64(e.b, int64(e.rw.typeIndex(wasm.FuncType{Results: signature.Results})))
	}
}

// leave follows the body's own end, which closes the frame.
func (e *emitter) leave() {
	e.global(wasm.OpGlobalGet, e.rw.deep)
	e.b = append(e.b, wasm.OpI32Const, 1, wasm.OpI32Sub)
	e.global(wasm.OpGlobalSet, e.rw.deep)
	e.b = append(e.b, wasm.OpEnd)
}
