package fuel

import "github.com/agora-host/agora/abi/wasm"

// segment writes what stands at the beginning of one: its charge, and a question
// to the host where the plan says so.
func (e *emitter) segment(s segment, entry bool) {
	e.keeps = s.keeps
	e.charge(s)
	if !s.check {
		return
	}
	if s.charge == 0 {
		e.left(s.reads)
		if s.keeps && !s.reads {
			e.local(wasm.OpLocalTee, leftLocal)
		}
	} else {
		e.left(true)
	}
	e.i64(s.owed)
	e.op(wasm.OpI64LtS)
	n := len(e.open)
	switch {
	case entry:
		e.branch(wasm.OpBrIf, 0) // $yield of the function
	case n > 0 && e.open[n-1].head:
		e.open[n-1].head, e.open[n-1].first = false, s
		e.branch(wasm.OpBrIf, 1) // $yield of the loop
	default:
		e.op(wasm.OpIf, wasm.BlockEmpty)
		e.ask(s.owed, 0, s.keeps)
		e.op(wasm.OpEnd)
	}
}

// charge takes from what is left what a segment is charged.
func (e *emitter) charge(s segment) {
	if s.charge == 0 {
		if s.keeps && s.enter == settled && !s.check {
			e.left(false)
			e.local(wasm.OpLocalSet, leftLocal)
		}
		return
	}
	e.left(s.reads)
	e.subtract(s.charge)
	e.set(s.keeps || s.check)
}

// left pushes what is left.
func (e *emitter) left(local bool) {
	if local {
		e.local(wasm.OpLocalGet, leftLocal)
	} else {
		e.global(wasm.OpGlobalGet, e.rw.fuel)
	}
}

// set pops what is left. keep: the local is to know as well.
func (e *emitter) set(keep bool) {
	if keep {
		e.local(wasm.OpLocalTee, leftLocal)
	}
	e.global(wasm.OpGlobalSet, e.rw.fuel)
}

// askAgain asks the host at the beginning of a segment that was charged, and gives
// the charge back: it is about to be charged again.
func (e *emitter) askAgain(s segment) { e.ask(s.owed, s.charge, s.reads) }

// subtract writes constants above zero, which this compiler handles best.
func (e *emitter) subtract(n int64) {
	if n < 0 {
		e.i64(-n)
		e.op(wasm.OpI64Add)
		return
	}
	e.i64(n)
	e.op(wasm.OpI64Sub)
}

// ask calls the host for more fuel where units are owed, and gives units back.
func (e *emitter) ask(owed, back int64, keep bool) {
	e.i64(owed)
	e.i64(back)
	e.branch(wasm.OpCall, e.rw.ask)
	if keep {
		e.left(false)
		e.local(wasm.OpLocalSet, leftLocal)
	}
}

// sized copies an instruction; if its work depends on a size, that is charged.
func (e *emitter) sized(in wasm.Instr, raw []byte) {
	switch kind := bulk(in); kind {
	case bulkBytes:
		e.local(wasm.OpLocalTee, sizeLocal)
		e.chargeSize(kind)
		e.bulkMemory(in, raw)
	case bulkElements:
		e.local(wasm.OpLocalTee, sizeLocal)
		e.chargeSize(kind)
		e.op(raw...)
	case growPages, growElements:
		e.grow(kind, raw)
	default:
		e.op(raw...)
	}
}

// chargeSize charges for the size that is in the size local, and asks the host if
// nothing is left.
func (e *emitter) chargeSize(kind bulkKind) {
	e.left(false)
	e.local(wasm.OpLocalGet, sizeLocal)
	e.op(wasm.OpI64ExtendU)
	switch kind {
	case bulkBytes: // (n + 7) / 8
		e.op(wasm.OpI64Const, 7, wasm.OpI64Add, wasm.OpI64Const, 3, wasm.OpI64ShrU)
	case growPages:
		e.i64(8192)
		e.op(wasm.OpI64Mul)
	}
	e.op(wasm.OpI64Sub)
	e.set(true)
	e.left(true)
	e.op(wasm.OpI64Const, 0, wasm.OpI64LtS, wasm.OpIf, wasm.BlockEmpty)
	e.ask(0, 0, e.keeps)
	e.op(wasm.OpEnd)
}

// grow runs a growing instruction and charges for it if it succeeded. A
// success is bounded by the caps, so nothing large happens before it is paid.
func (e *emitter) grow(kind bulkKind, raw []byte) {
	e.local(wasm.OpLocalTee, sizeLocal)
	e.op(raw...)
	e.local(wasm.OpLocalTee, answerLocal)
	e.op(wasm.OpI32Const, 0x7f /* -1 */, wasm.OpI32Eq, wasm.OpIf, wasm.BlockEmpty)
	if kind == growPages {
		e.global(wasm.OpGlobalGet, e.rw.refused)
		e.op(wasm.OpI32Const, 1, wasm.OpI32Add)
		e.global(wasm.OpGlobalSet, e.rw.refused)
	}
	e.op(wasm.OpElse)
	e.chargeSize(kind)
	e.op(wasm.OpEnd)
	e.local(wasm.OpLocalGet, answerLocal)
}
