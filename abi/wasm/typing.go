package wasm

import (
	"fmt"
	"slices"
	"strings"
)

// Typing follows the types on the operand stack through a body, as validation
// does (spec, appendix "Validation Algorithm"), for a rewriter that has to know
// what an instruction works on. It takes the code to be valid and checks only
// what it stumbles over: of other code it returns errors or nonsense.
type Typing struct {
	m      *Module
	locals []ValType
	stack  []ValType
	open   []typingFrame
}

// Unknown is the type of an operand that no execution has: in code that cannot be
// reached.
const Unknown ValType = 0

type typingFrame struct {
	FuncType
	height int  // of the stack, below the parameters
	dead   bool // the rest of it cannot be reached
}

// NewTyping starts at the first instruction of a body.
func NewTyping(m *Module, body int) *Typing {
	signature := m.Types[m.Funcs[body]]
	t := &Typing{m: m, locals: slices.Clone(signature.Params)}
	for _, g := range m.Bodies[body].Locals {
		t.locals = append(t.locals, slices.Repeat([]ValType{g.Type}, int(g.Count))...)
	}
	t.open = []typingFrame{{FuncType: FuncType{Results: signature.Results}}}
	return t
}

// Operand is the type of the n-th operand from the top, 0 being the top, or
// Unknown.
func (t *Typing) Operand(n int) ValType {
	if i := len(t.stack) - 1 - n; len(t.open) > 0 && i >= t.open[len(t.open)-1].height {
		return t.stack[i]
	}
	return Unknown
}

// Next goes past an instruction whose bytes are raw.
func (t *Typing) Next(in Instr, raw []byte) (err error) {
	defer func() {
		if r := recover(); r != nil { // an index out of range, of code that is not valid
			err = &Error{Offset: in.Start, Section: "code", Msg: fmt.Sprint(r)}
		}
	}()
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		t.enter(in)
	case OpElse:
		f := t.leave()
		t.push(f.Params)
		f.dead = false
		t.open = append(t.open, f)
	case OpEnd:
		t.push(t.leave().Results)
	case OpUnreachable, OpBr, OpReturn:
		t.die()
	case OpBrIf:
		t.pop(1)
	case OpBrTable:
		t.die()
	case OpCall:
		s, ok := t.m.TypeOf(in.Index)
		if !ok {
			return &Error{Offset: in.Start, Section: "code", Msg: "a call of nothing"}
		}
		t.pop(len(s.Params))
		t.push(s.Results)
	case OpCallIndirect:
		s := t.m.Types[in.Index]
		t.pop(len(s.Params) + 1)
		t.push(s.Results)
	case OpDrop:
		t.pop(1)
	case OpSelect:
		of := t.Operand(1)
		if of == Unknown {
			of = t.Operand(2)
		}
		t.pop(3)
		t.push([]ValType{of})
	case OpSelectTyped:
		t.pop(3)
		t.push([]ValType{ValType(raw[2])})
	default:
		t.plain(in, raw)
	}
	return nil
}

// plain goes past an instruction that is not about control.
func (t *Typing) plain(in Instr, raw []byte) {
	switch in.Op {
	case OpLocalGet:
		t.push([]ValType{t.locals[in.Index]})
	case OpLocalSet, OpGlobalSet:
		t.pop(1)
	case OpLocalTee:
		t.pop(1)
		t.push([]ValType{t.locals[in.Index]})
	case OpGlobalGet:
		t.push([]ValType{t.m.globalType(in.Index)})
	case 0x25: // table.get
		t.pop(1)
		t.push([]ValType{t.m.tableType(in.Index)})
	case OpTableSet:
		t.pop(2)
	case OpRefNull:
		t.push([]ValType{ValType(raw[1])})
	case OpRefFunc:
		t.push([]ValType{FuncRef})
	default:
		pops, pushes, _ := strings.Cut(signatureOf(in), ":")
		t.pop(len(pops))
		for i := range pushes {
			t.push([]ValType{letters[pushes[i]]})
		}
	}
}

func (t *Typing) enter(in Instr) {
	if in.Op == OpIf {
		t.pop(1)
	}
	var f typingFrame
	switch {
	case in.Second == 1:
		f.FuncType = t.m.Types[in.Index]
	case in.Index != BlockEmpty:
		f.Results = []ValType{ValType(in.Index)}
	}
	t.pop(len(f.Params))
	f.height = len(t.stack)
	t.open = append(t.open, f)
	t.push(f.Params)
}

// leave closes the innermost frame.
func (t *Typing) leave() typingFrame {
	f := t.open[len(t.open)-1]
	if n := len(t.stack) - f.height; n != len(f.Results) && !f.dead || n > len(f.Results) {
		panic(fmt.Sprintf("a block leaves %d values, not %d", n, len(f.Results)))
	}
	t.stack = t.stack[:f.height]
	t.open = t.open[:len(t.open)-1]
	return f
}

func (t *Typing) die() {
	f := &t.open[len(t.open)-1]
	f.dead = true
	t.stack = t.stack[:f.height]
}

func (t *Typing) push(types []ValType) { t.stack = append(t.stack, types...) }

// pop takes n operands. Dead code has as many as it wants.
func (t *Typing) pop(n int) {
	f := t.open[len(t.open)-1]
	if left := len(t.stack) - f.height; left < n {
		if !f.dead {
			panic("an operand is missing")
		}
		n = left
	}
	t.stack = t.stack[:len(t.stack)-n]
}

func (m *Module) globalType(index uint32) ValType {
	im, i := m.find(KindGlobal, index)
	if im != nil {
		return im.Global.Type
	}
	return m.Globals[i].Type
}

func (m *Module) tableType(index uint32) ValType {
	im, i := m.find(KindTable, index)
	if im != nil {
		return im.Table.Type
	}
	return m.Tables[i].Type
}

// letters abbreviate types in signatures. A reference is popped and never pushed.
var letters = map[byte]ValType{'i': I32, 'I': I64, 'f': F32, 'F': F64, 'v': V128}

// span gives all opcodes up to one a signature: operands, a colon, results.
type span struct {
	last      uint32
	signature string
}

// signatureOf is what an instruction takes and leaves, for those where that
// depends on the opcode alone (spec 5.4).
func signatureOf(in Instr) string {
	spans, op := plainSpans, uint32(in.Op)
	switch in.Op {
	case OpPrefixFC:
		spans, op = prefixFCSpans, in.Sub
	case OpPrefixFD:
		spans, op = prefixFDSpans, in.Sub
	}
	i, _ := slices.BinarySearchFunc(spans, op, func(s span, op uint32) int { return int(s.last) - int(op) })
	return spans[i].signature
}

var plainSpans = []span{
	{0x01, ":"},                                                                              // nop
	{0x28, "i:i"}, {0x29, "i:I"}, {0x2a, "i:f"}, {0x2b, "i:F"}, {0x2f, "i:i"}, {0x35, "i:I"}, // loads
	{0x36, "ii:"}, {0x37, "iI:"}, {0x38, "if:"}, {0x39, "iF:"}, {0x3b, "ii:"}, {0x3e, "iI:"}, // stores
	{0x3f, ":i"}, {0x40, "i:i"}, // memory.size, memory.grow
	{0x41, ":i"}, {0x42, ":I"}, {0x43, ":f"}, {0x44, ":F"}, // constants
	{0x45, "i:i"}, {0x4f, "ii:i"}, {0x50, "I:i"}, {0x5a, "II:i"}, {0x60, "ff:i"}, {0x66, "FF:i"}, // comparisons
	{0x69, "i:i"}, {0x78, "ii:i"}, {0x7b, "I:I"}, {0x8a, "II:I"}, // integers
	{0x91, "f:f"}, {0x98, "ff:f"}, {0x9f, "F:F"}, {0xa6, "FF:F"}, // floats
	{0xa7, "I:i"}, {0xa9, "f:i"}, {0xab, "F:i"}, {0xad, "i:I"}, {0xaf, "f:I"}, {0xb1, "F:I"}, // conversions
	{0xb3, "i:f"}, {0xb5, "I:f"}, {0xb6, "F:f"}, {0xb8, "i:F"}, {0xba, "I:F"}, {0xbb, "f:F"},
	{0xbc, "f:i"}, {0xbd, "F:I"}, {0xbe, "i:f"}, {0xbf, "I:F"}, // reinterpretations
	{0xc1, "i:i"}, {0xc4, "I:I"}, // sign extensions
	{0xd1, "r:i"}, // ref.is_null
}

var prefixFCSpans = []span{
	{1, "f:i"}, {3, "F:i"}, {5, "f:I"}, {7, "F:I"}, // saturating truncations
	{FCMemoryInit, "iii:"}, {FCDataDrop, ":"}, {FCTableInit, "iii:"}, {FCElemDrop, ":"}, {FCTableCopy, "iii:"},
	{FCTableGrow, "ri:i"}, {FCTableSize, ":i"}, {FCTableFill, "iri:"},
}

var prefixFDSpans = []span{
	{10, "i:v"}, {11, "iv:"}, {12, ":v"}, {14, "vv:v"}, // loads, store, constant, shuffle and swizzle
	{17, "i:v"}, {18, "I:v"}, {19, "f:v"}, {20, "F:v"}, // splats
	{22, "v:i"}, {23, "vi:v"}, {25, "v:i"}, {26, "vi:v"}, {27, "v:i"}, {28, "vi:v"}, // lanes
	{29, "v:I"}, {30, "vI:v"}, {31, "v:f"}, {32, "vf:v"}, {33, "v:F"}, {34, "vF:v"},
	{76, "vv:v"}, {77, "v:v"}, {81, "vv:v"}, {82, "vvv:v"}, {83, "v:i"}, // comparisons, bits
	{87, "iv:v"}, {91, "iv:"}, {93, "i:v"}, {95, "v:v"}, // loads and stores of lanes, conversions
	{98, "v:v"}, {100, "v:i"}, {102, "vv:v"}, {106, "v:v"}, {109, "vi:v"}, {115, "vv:v"}, {117, "v:v"}, {121, "vv:v"}, // i8x16, some floats
	{122, "v:v"}, {123, "vv:v"}, {127, "v:v"},
	{129, "v:v"}, {130, "vv:v"}, {132, "v:i"}, {134, "vv:v"}, {138, "v:v"}, {141, "vi:v"}, {147, "vv:v"}, {148, "v:v"}, {159, "vv:v"}, // i16x8
	{161, "v:v"}, {164, "v:i"}, {170, "v:v"}, {173, "vi:v"}, {191, "vv:v"}, // i32x4
	{193, "v:v"}, {196, "v:i"}, {202, "v:v"}, {205, "vi:v"}, {223, "vv:v"}, // i64x2
	{227, "v:v"}, {235, "vv:v"}, {239, "v:v"}, {247, "vv:v"}, {255, "v:v"}, // floats, conversions
}
