package fuel

import "github.com/agora-host/agora/abi/wasm"

// Piece is the most bytes that memory.fill, memory.copy and memory.init move before they ask the
// host, which may let others run: each is one instruction to an engine, and takes milliseconds
// for as much as a memory can hold. Instructions on tables move less than that at most.
const Piece = 256 << 10

// pieces is a function of our own that does what an instruction does, in pieces.
type pieces struct {
	in    wasm.Instr
	index uint32
}

// bulkType is of an instruction's operands: where to, where from or what, and how many bytes.
var bulkType = wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32, wasm.I32}}

// inPieces returns the function for an instruction. It is written by addPieces.
func (rw *rewriter) inPieces(in wasm.Instr, raw []byte) uint32 {
	p, ok := rw.pieces[string(raw)]
	if !ok {
		p = pieces{in: in, index: rw.ask + 1 + uint32(len(rw.pieces))}
		rw.pieces[string(raw)] = p
		rw.inOrder = append(rw.inOrder, string(raw))
	}
	return p.index
}

// addPieces adds the functions that bodies call, behind the one that asks.
func (rw *rewriter) addPieces() {
	for _, raw := range rw.inOrder {
		e := &emitter{rw: rw}
		e.inPieces(rw.pieces[raw].in, []byte(raw))
		rw.addFunction(bulkType, e.b)
	}
}

// bulkMemory writes an instruction that moves as many bytes as are in the size local: itself, or
// a call of the function that works in pieces. It was charged, and its operands are on the stack.
// The instruction comes first, so that a trap in the function is told by the instruction's line.
func (e *emitter) bulkMemory(in wasm.Instr, raw []byte) {
	e.local(wasm.OpLocalGet, sizeLocal)
	e.i32(Piece)
	e.op(wasm.OpI32LeU, wasm.OpIf)
	e.b = wasm.AppendS64(e.b, int64(e.rw.typeIndex(bulkType)))
	e.op(raw...)
	e.op(wasm.OpElse)
	e.branch(wasm.OpCall, e.rw.inPieces(in, raw))
	if e.keeps {
		e.left(false)
		e.local(wasm.OpLocalSet, leftLocal)
	}
	e.op(wasm.OpEnd)
}

// The parameters of a function that works in pieces.
const (
	toParam = iota
	fromParam
	sizeParam
)

// inPieces writes the body of a function that does what an instruction does:
//
//	if the range is not within bounds
//	  the instruction, which traps before it has written anything; return
//	end
//	[if from < to, for memory.copy: from the end, so that no byte is overwritten before it is read]
//	loop
//	  a piece; ask the host; go on behind it, as long as more than a piece is left
//	end
//	the rest
//
// A segment that was dropped has no bytes: its first piece traps.
func (e *emitter) inPieces(in wasm.Instr, raw []byte) {
	e.outside(toParam, -1)
	switch in.Sub {
	case wasm.FCMemoryCopy:
		e.outside(fromParam, -1)
		e.op(wasm.OpI32Or)
	case wasm.FCMemoryInit:
		e.outside(fromParam, e.rw.segmentSize(in.Index))
		e.op(wasm.OpI32Or)
	}
	e.op(wasm.OpIf, wasm.BlockEmpty)
	e.whole(raw)
	e.op(wasm.OpReturn, wasm.OpEnd)
	if in.Sub == wasm.FCMemoryCopy {
		e.branch(wasm.OpLocalGet, fromParam)
		e.branch(wasm.OpLocalGet, toParam)
		e.op(wasm.OpI32LtU, wasm.OpIf, wasm.BlockEmpty)
		e.fromTheEnd(raw)
		e.op(wasm.OpReturn, wasm.OpEnd)
	}
	e.fromTheStart(in, raw)
	e.op(wasm.OpEnd)
}

// outside pushes whether a range ends behind what there is: so many bytes, or, below zero, the memory.
func (e *emitter) outside(param uint32, size int64) {
	e.branch(wasm.OpLocalGet, param)
	e.op(wasm.OpI64ExtendU)
	e.branch(wasm.OpLocalGet, sizeParam)
	e.op(wasm.OpI64ExtendU, wasm.OpI64Add)
	if size >= 0 {
		e.i64(size)
	} else {
		e.op(wasm.OpMemorySize, 0, wasm.OpI64ExtendU)
		e.i64(16)
		e.op(wasm.OpI64Shl)
	}
	e.op(wasm.OpI64GtU)
}

func (e *emitter) fromTheStart(in wasm.Instr, raw []byte) {
	e.op(wasm.OpLoop, wasm.BlockEmpty)
	e.branch(wasm.OpLocalGet, toParam)
	e.branch(wasm.OpLocalGet, fromParam)
	e.i32(Piece)
	e.op(raw...)
	e.ask(0, 0, false)
	e.move(toParam, wasm.OpI32Add)
	if in.Sub != wasm.FCMemoryFill {
		e.move(fromParam, wasm.OpI32Add)
	}
	e.repeat()
	e.whole(raw)
}

func (e *emitter) fromTheEnd(raw []byte) {
	e.op(wasm.OpLoop, wasm.BlockEmpty)
	for _, param := range []uint32{toParam, fromParam} {
		e.branch(wasm.OpLocalGet, param)
		e.branch(wasm.OpLocalGet, sizeParam)
		e.op(wasm.OpI32Add)
		e.i32(Piece)
		e.op(wasm.OpI32Sub)
	}
	e.i32(Piece)
	e.op(raw...)
	e.ask(0, 0, false)
	e.repeat()
	e.whole(raw)
}

// repeat ends a loop that goes on while more than a piece is left.
func (e *emitter) repeat() {
	e.move(sizeParam, wasm.OpI32Sub)
	e.branch(wasm.OpLocalGet, sizeParam)
	e.i32(Piece)
	e.op(wasm.OpI32GtU)
	e.branch(wasm.OpBrIf, 0)
	e.op(wasm.OpEnd)
}

// whole writes the instruction for all that the parameters say.
func (e *emitter) whole(raw []byte) {
	for param := range uint32(3) {
		e.branch(wasm.OpLocalGet, param)
	}
	e.op(raw...)
}

// move adds a piece to a parameter, or takes one from it.
func (e *emitter) move(param uint32, op byte) {
	e.branch(wasm.OpLocalGet, param)
	e.i32(Piece)
	e.op(op)
	e.branch(wasm.OpLocalSet, param)
}

// segmentSize returns how many bytes a data segment has; none, if it is for the compiler to refuse.
func (rw *rewriter) segmentSize(index uint32) int64 {
	if int(index) >= len(rw.in.Data) {
		return 0
	}
	return int64(len(rw.in.Data[index].Bytes))
}
