package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestBounds: what lies at a bound is taken, and one more is refused with the number, the bound
// and advice, so that the author is not sent to build the same again.
func TestBounds(t *testing.T) {
	b := DefaultBounds()
	repeat := func(n int, code ...byte) []byte { return bytes.Repeat(code, n) }
	body := func(locals uint32, code ...[]byte) *Module {
		m := sample()
		m.Bodies[0].Code = append(bytes.Join(code, nil), OpEnd)
		m.Bodies[0].Locals = []LocalGroup{{locals, I32}}
		return m
	}
	nested := func(op byte, n int) *Module { return body(0, repeat(n, op, BlockEmpty), repeat(n, OpEnd)) }
	for _, c := range []struct {
		name   string
		limit  int
		module func(n int) *Module
		advice string
	}{
		{"data segments", b.DataSegments, func(n int) *Module {
			m := sample()
			m.DataCount, m.Data = nil, make([]Data, n)
			for i := range m.Data {
				m.Data[i] = Data{Offset: []byte{OpI32Const, 0, OpEnd}, Bytes: []byte{1}}
			}
			return m
		}, "static files"},
		{"local variables in one function", int(b.Locals), func(n int) *Module { return body(uint32(n)) }, "-O1"},
		{"local variables in all functions", b.AllLocals, func(n int) *Module {
			m := sample()
			each := int(b.Locals)
			for left := n - 2; left > 0; left -= each { // the sample has 2
				m.Funcs = append(m.Funcs, 0)
				m.Bodies = append(m.Bodies, Body{Locals: []LocalGroup{{uint32(min(left, each)), I64}}, Code: []byte{OpEnd}})
			}
			return m
		}, "-O1"},
		{"blocks within blocks", b.Nesting, func(n int) *Module { return nested(OpBlock, n) }, "-Os"},
		{"loops within loops", b.Loops, func(n int) *Module { return nested(OpLoop, n) }, "split"},
		{"blocks in one function", b.Blocks, func(n int) *Module { return body(0, repeat(n, OpBlock, BlockEmpty, OpEnd)) }, "-Os"},
		{"(local variables times blocks)", b.LocalBlocks, func(n int) *Module { // the bound is 4000 times 16000
			return body(uint32(b.Locals), repeat((n+int(b.Locals)-1)/int(b.Locals), OpBlock, BlockEmpty, OpEnd))
		}, "-O1"},
		{"mutable globals", b.MutableGlobals, func(n int) *Module {
			m := sample()
			for len(m.Globals) < n {
				m.Globals = append(m.Globals, m.Globals[0])
			}
			return m
		}, "statically"},
		{"imports", b.Imports, func(n int) *Module {
			m := sample()
			for len(m.Imports) < n {
				m.Imports = append(m.Imports, Import{Module: "m", Name: fmt.Sprint(len(m.Imports)), Func: 0})
			}
			return m
		}, "removal of what is not used"},
		{"elements in all segments", b.Elements, func(n int) *Module {
			m := sample()
			m.Elements = []Element{{Mode: Passive, Type: FuncRef, Funcs: make([]uint32, n-1)}, {Mode: Passive, Type: FuncRef, Funcs: make([]uint32, 1)}}
			return m
		}, "link-time optimisation"},
		{"elements in a table", int(b.TableElements), func(n int) *Module {
			m := sample()
			m.Tables[0].Min, m.Tables[0].Max = uint32(n), uint32(n)
			return m
		}, "link-time optimisation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.module(c.limit).Encode(), b); err != nil {
				t.Errorf("at the bound: %v", err)
			}
			_, err := Parse(c.module(c.limit+1).Encode(), b)
			e, ok := errors.AsType[*Error](err)
			if !ok || !e.Bound {
				t.Fatalf("beyond the bound: %v", err)
			}
			for _, word := range []string{c.name, fmt.Sprintf("more than the %d", c.limit), c.advice} {
				if !strings.Contains(e.Msg, word) {
					t.Errorf("%q does not say %q", e.Msg, word)
				}
			}
		})
	}
}
