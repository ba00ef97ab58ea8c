package engine

import (
	"runtime"

	"github.com/agora-host/agora/abi/wasm"
)

// mend works around a defect of the compiler that is pinned. On amd64 it lowers
// a select of floats or vectors to a move that keeps its destination under one
// condition, and does not tell its register allocator that the destination is
// read: the value may be gone when many are alive, and the other operand is
// answered. Upstream issue 2534 describes it; the version here has it. An `if` that
// does the same is compiled rightly, and to about the same code.
//
// It comes after counting, so it changes no bill. It is a variable for the test
// of what happens without it.
var mend = withoutFloatSelects

func withoutFloatSelects(m *wasm.Module) {
	if runtime.GOARCH != "amd64" {
		return
	}
	for i := range m.Bodies {
		if body, ok := bodyWithoutFloatSelects(m, i); ok {
			m.Bodies[i] = body
		}
	}
}

// everything bounds what was judged before it was rewritten.
var everything = wasm.Unbounded()

// bodyWithoutFloatSelects returns a body with each `select` of floats or vectors made
// an `if`; false if it has none, or is not valid: that is the compiler's to say.
func bodyWithoutFloatSelects(m *wasm.Module, body int) (wasm.Body, bool) {
	old := m.Bodies[body]
	locals := newLocals(m, body)
	typing := wasm.NewTyping(m, body)
	code := wasm.NewCode(old.Code, everything)
	var b []byte
	var in wasm.Instr
	copied := 0
	for code.Next(&in) {
		raw := old.Code[in.Start:in.End]
		if of, ok := floatSelect(typing, in, raw); ok {
			b = append(b, old.Code[copied:in.Start]...)
			b = appendChoice(b, of, locals)
			copied = in.End
		}
		if typing.Next(in, raw) != nil {
			return wasm.Body{}, false
		}
	}
	if copied == 0 || code.Err() != nil {
		return wasm.Body{}, false
	}
	return wasm.Body{Locals: append(append([]wasm.LocalGroup(nil), old.Locals...), locals.groups...), Code: append(b, old.Code[copied:]...)}, true
}

func floatSelect(typing *wasm.Typing, in wasm.Instr, raw []byte) (of wasm.ValType, ok bool) {
	switch in.Op {
	case wasm.OpSelect:
		if of = typing.Operand(1); of == wasm.Unknown {
			of = typing.Operand(2)
		}
	case wasm.OpSelectTyped:
		of = wasm.ValType(raw[2])
	}
	return of, of == wasm.F32 || of == wasm.F64 || of == wasm.V128
}

// appendChoice does what a select does: two values of a type and a condition are
// on the stack.
func appendChoice(b []byte, of wasm.ValType, locals *extraLocals) []byte {
	first, second, condition := locals.of(of, 0), locals.of(of, 1), locals.of(wasm.I32, 0)
	for _, i := range []uint32{condition, second, first} {
		b = wasm.AppendU32(append(b, wasm.OpLocalSet), i)
	}
	b = append(wasm.AppendU32(append(b, wasm.OpLocalGet), condition), wasm.OpIf, byte(of))
	b = append(wasm.AppendU32(append(b, wasm.OpLocalGet), first), wasm.OpElse)
	return append(wasm.AppendU32(append(b, wasm.OpLocalGet), second), wasm.OpEnd)
}

// extraLocals are added to a body when they are needed.
type extraLocals struct {
	next   uint32
	at     map[wasm.ValType][]uint32
	groups []wasm.LocalGroup
}

func newLocals(m *wasm.Module, body int) *extraLocals {
	l := &extraLocals{next: uint32(len(m.Types[m.Funcs[body]].Params)), at: map[wasm.ValType][]uint32{}}
	for _, g := range m.Bodies[body].Locals {
		l.next += g.Count
	}
	return l
}

func (l *extraLocals) of(t wasm.ValType, n int) uint32 {
	for len(l.at[t]) <= n {
		l.at[t] = append(l.at[t], l.next)
		l.groups = append(l.groups, wasm.LocalGroup{Count: 1, Type: t})
		l.next++
	}
	return l.at[t][n]
}
