package wasm

// Opcodes that a rewriter has to know by name (spec 5.4).
const (
	OpUnreachable  = 0x00
	OpNop          = 0x01
	OpBlock        = 0x02
	OpLoop         = 0x03
	OpIf           = 0x04
	OpElse         = 0x05
	OpEnd          = 0x0b
	OpBr           = 0x0c
	OpBrIf         = 0x0d
	OpBrTable      = 0x0e
	OpReturn       = 0x0f
	OpCall         = 0x10
	OpCallIndirect = 0x11
	OpDrop         = 0x1a
	OpSelect       = 0x1b
	OpSelectTyped  = 0x1c
	OpLocalGet     = 0x20
	OpLocalSet     = 0x21
	OpLocalTee     = 0x22
	OpGlobalGet    = 0x23
	OpGlobalSet    = 0x24
	OpMemorySize   = 0x3f
	OpMemoryGrow   = 0x40
	OpI32Const     = 0x41
	OpI64Const     = 0x42
	OpF32Const     = 0x43
	OpF64Const     = 0x44
	OpTableSet     = 0x26
	OpI32Eqz       = 0x45
	OpI32Eq        = 0x46
	OpI32Ne        = 0x47
	OpI32LtS       = 0x48
	OpI32LtU       = 0x49
	OpI32GtU       = 0x4b
	OpI32LeU       = 0x4d
	OpI64LtS       = 0x53
	OpI64GtU       = 0x56
	OpI32Or        = 0x72
	OpF64Ge        = 0x66 // the last of the comparisons
	OpI32Add       = 0x6a
	OpI32Sub       = 0x6b
	OpI32Mul       = 0x6c
	OpI32DivS      = 0x6d
	OpI32DivU      = 0x6e
	OpI32RemU      = 0x70
	OpI64Add       = 0x7c
	OpI64Sub       = 0x7d
	OpI64Mul       = 0x7e
	OpI64DivS      = 0x7f
	OpI64RemU      = 0x82
	OpI64Shl       = 0x86
	OpI64ShrU      = 0x88
	OpF32Copysign  = 0x98
	OpF64Copysign  = 0xa6
	OpI32TruncF32S = 0xa8
	OpI32TruncF64U = 0xab
	OpI64ExtendU   = 0xad
	OpI64TruncF32S = 0xae
	OpI64TruncF64U = 0xb1
	OpI64Extend32S = 0xc4 // the last of the numeric instructions
	OpRefNull      = 0xd0
	OpRefIsNull    = 0xd1
	OpRefFunc      = 0xd2
	OpPrefixFC     = 0xfc
	OpPrefixFD     = 0xfd
)

// Sub-opcodes after OpPrefixFC.
const (
	FCMemoryInit = 8
	FCDataDrop   = 9
	FCMemoryCopy = 10
	FCMemoryFill = 11
	FCTableInit  = 12
	FCElemDrop   = 13
	FCTableCopy  = 14
	FCTableGrow  = 15
	FCTableSize  = 16
	FCTableFill  = 17
)

// BlockEmpty is the block type of a block without parameters and results.
const BlockEmpty = 0x40

// Instr is one instruction of a body.
type Instr struct {
	Op         byte
	Sub        uint32 // after a prefix
	Start, End int    // byte range in the code
	Index      uint32 // the first immediate index: function, local, label, global, type, table …
	Second     uint32 // the second, where there is one
}

// Code walks through a body's instructions. It checks their form and the
// nesting of blocks.
type Code struct {
	r      reader
	bounds Bounds
	stack  []byte // opcodes of the open blocks; the function itself is the first
	blocks int    // so far
	loops  int    // that are open
	ended  bool
}

// NewCode starts at the first instruction.
func NewCode(code []byte, b Bounds) *Code {
	return &Code{r: reader{b: code, section: "code"}, bounds: b, stack: []byte{OpBlock}}
}

// Err is why Next answered false, or nil at a proper end.
func (c *Code) Err() error { return c.r.err }

// Depth is the number of blocks that are open, the function itself not counted.
func (c *Code) Depth() int { return len(c.stack) - 1 }

// Next reads one instruction. False at the end, or when something is wrong.
func (c *Code) Next(in *Instr) bool {
	if c.r.err != nil {
		return false
	}
	if c.ended {
		if c.r.rest() > 0 {
			c.r.fail("instructions after a function's end")
		}
		return false
	}
	*in = Instr{Start: c.r.p}
	in.Op = c.r.byte()
	c.immediates(in)
	if c.r.err == nil {
		c.nest(in)
	}
	in.End = c.r.p
	return c.r.err == nil
}

func (c *Code) nest(in *Instr) {
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		c.blocks++
		if in.Op == OpLoop {
			c.loops++
		}
		c.r.beyond(uint64(len(c.stack)), uint64(c.bounds.Nesting), deepBlocks)
		c.r.beyond(uint64(c.loops), uint64(c.bounds.Loops), deepLoops)
		c.r.beyond(uint64(c.blocks), uint64(c.bounds.Blocks), manyBlocks)
		c.stack = append(c.stack, in.Op)
	case OpElse:
		if c.stack[len(c.stack)-1] != OpIf {
			c.r.fail("an else without an if")
		}
		c.stack[len(c.stack)-1] = OpElse
	case OpEnd:
		if c.stack[len(c.stack)-1] == OpLoop {
			c.loops--
		}
		c.stack = c.stack[:len(c.stack)-1]
		c.ended = len(c.stack) == 0
	}
}

// immediates reads what follows an opcode (spec 5.4). The order of the cases is
// that of the specification.
func (c *Code) immediates(in *Instr) {
	r := &c.r
	switch op := in.Op; {
	case op == OpBlock, op == OpLoop, op == OpIf:
		c.blockType(in)
	case op == OpBr, op == OpBrIf:
		in.Index = c.label()
	case op == OpBrTable:
		for range r.count(c.bounds.BranchTable, manyLabels) {
			c.label()
		}
		in.Index = c.label()
	case op == OpCall, op == OpRefFunc, op >= OpLocalGet && op <= 0x26:
		in.Index = r.u32()
	case op == OpCallIndirect:
		in.Index, in.Second = r.u32(), r.u32()
	case op == OpSelectTyped:
		for range r.count(c.bounds.Params, manyParams) {
			r.valType()
		}
	case op >= 0x28 && op <= 0x3e: // loads and stores
		c.memArg()
	case op == OpMemorySize, op == OpMemoryGrow:
		c.zero()
	case op == OpI32Const:
		r.leb(32, true)
	case op == OpI64Const:
		r.leb(64, true)
	case op == OpF32Const:
		r.bytes(4)
	case op == OpF64Const:
		r.bytes(8)
	case op == OpRefNull:
		r.refType()
	case op == OpUnreachable, op == OpNop, op == OpElse, op == OpEnd, op == OpReturn, op == OpDrop, op == OpSelect,
		op >= OpI32Eqz && op <= 0xc4, op == OpRefIsNull:
	case op == OpPrefixFC:
		c.prefixFC(in)
	case op == OpPrefixFD:
		c.prefixFD(in)
	default:
		r.featureOr(featureOfOp(op), "instruction 0x%02x is not known", op)
	}
}

// blockType reads a block type. Index is the type index, or 0x40 and the value
// types as they are written; Second tells which it is: 1 for a type index.
func (c *Code) blockType(in *Instr) {
	r := &c.r
	if r.p < len(r.b) {
		switch t := r.b[r.p]; ValType(t) {
		case BlockEmpty, I32, I64, F32, F64, V128, FuncRef, ExternRef:
			in.Index = uint32(r.byte())
			return
		}
	}
	if r.p < len(r.b) && r.b[r.p] >= 0x40 && r.b[r.p] < 0x80 { // one byte, below zero: a type and no index
		r.featureOr(featureOfType(r.b[r.p]), "a block's type is not known")
	}
	v := r.leb(33, true)
	if v>>32 != 0 {
		r.fail("a block's type is not known")
	}
	in.Index, in.Second = uint32(v), 1
}

func (c *Code) label() uint32 {
	l := c.r.u32()
	if int64(l) >= int64(len(c.stack)) {
		c.r.fail("a branch leads out of its function")
	}
	return l
}

func (c *Code) memArg() {
	if align := c.r.u32(); align >= 64 && align < 128 {
		c.r.feature(MultiMemory)
	} else if align > 4 {
		c.r.fail("an alignment of 2^%d is not possible", align)
	}
	c.r.u32()
}

func (c *Code) zero() {
	if c.r.byte() != 0 {
		c.r.feature(MultiMemory)
	}
}

func (c *Code) prefixFC(in *Instr) {
	r := &c.r
	in.Sub = r.u32()
	switch in.Sub {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case FCMemoryInit:
		in.Index = r.u32()
		c.zero()
	case FCDataDrop, FCElemDrop, FCTableGrow, FCTableSize, FCTableFill:
		in.Index = r.u32()
	case FCMemoryCopy:
		c.zero()
		c.zero()
	case FCMemoryFill:
		c.zero()
	case FCTableInit, FCTableCopy:
		in.Index, in.Second = r.u32(), r.u32()
	default:
		r.featureOr(featureOfSub(in.Op, in.Sub), "instruction 0xfc %d is not known", in.Sub)
	}
}

// prefixFD reads a vector instruction (spec 5.4.9).
func (c *Code) prefixFD(in *Instr) {
	r := &c.r
	in.Sub = r.u32()
	switch sub := in.Sub; {
	case sub <= 11, sub == 92, sub == 93: // loads, stores, loads with zeros
		c.memArg()
	case sub == 12, sub == 13: // v128.const, i8x16.shuffle
		r.bytes(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // loads and stores of a lane
		c.memArg()
		r.byte()
	case sub <= 255:
	default:
		r.featureOr(featureOfSub(in.Op, sub), "vector instruction %d is not known", sub)
	}
}
