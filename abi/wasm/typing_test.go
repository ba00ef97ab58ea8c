package wasm

import "testing"

// follow walks a body and reports whether its types add up, and what it selects.
func follow(m *Module, body int) (selects []ValType, err error) {
	typing := NewTyping(m, body)
	code := m.Bodies[body].Code
	c := NewCode(code, DefaultBounds())
	var in Instr
	for c.Next(&in) {
		if in.Op == OpSelect {
			selects = append(selects, typing.Operand(1))
		}
		if err := typing.Next(in, code[in.Start:in.End]); err != nil {
			return selects, err
		}
	}
	return selects, c.Err()
}

func TestTyping(t *testing.T) {
	f := func(code ...byte) *Module {
		return &Module{
			Types:   []FuncType{{Params: []ValType{F64, I32}, Results: []ValType{F64}}, {Params: []ValType{F32}, Results: []ValType{F32, I64}}},
			Funcs:   []uint32{0},
			Globals: []Global{{GlobalType: GlobalType{Type: V128}}},
			Bodies:  []Body{{Locals: []LocalGroup{{2, F32}}, Code: append(code, OpEnd)}},
		}
	}
	for _, c := range []struct {
		name string
		m    *Module
		want ValType
	}{
		{"of a parameter", f(OpLocalGet, 0, OpLocalGet, 0, OpLocalGet, 1, OpSelect), F64},
		{"of a local", f(OpLocalGet, 3, OpLocalGet, 2, OpI32Const, 0, OpSelect, OpDrop, OpLocalGet, 0), F32},
		{"of a global", f(OpGlobalGet, 0, OpGlobalGet, 0, OpI32Const, 0, OpSelect, OpDrop, OpLocalGet, 0), V128},
		{"of a block's result", f(OpBlock, byte(I64), OpI64Const, 1, OpEnd, OpBlock, byte(I64), OpI64Const, 1, OpEnd, OpI32Const, 0, OpSelect, OpDrop, OpLocalGet, 0), I64},
		{"of a parameter of a block", f(OpLocalGet, 2, OpBlock, 1, OpLocalGet, 2, OpI32Const, 0, OpSelect, OpI64Const, 0, OpEnd, OpDrop, OpDrop, OpLocalGet, 0), F32},
		{"of what a call answers", f(OpLocalGet, 0, OpLocalGet, 1, OpCall, 0, OpLocalGet, 0, OpI32Const, 0, OpSelect), F64},
		{"of nothing, in dead code", f(OpUnreachable, OpSelect), Unknown},
		{"of half of nothing, in dead code", f(OpBr, 0, OpI32Const, 0, OpSelect), Unknown},
	} {
		got, err := follow(c.m, 0)
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("a select %s is %v, %v; want %#x", c.name, got, err, byte(c.want))
		}
	}
	for name, m := range map[string]*Module{
		"an operand is missing": f(OpI32Const, 0, OpSelect), "a local that is not there": f(OpLocalGet, 9), "a value too many": f(OpLocalGet, 0, OpLocalGet, 0), "a call of nothing": f(OpCall, 7),
	} {
		if _, err := follow(m, 0); err == nil {
			t.Errorf("%s, and nothing is said", name)
		}
	}
}
