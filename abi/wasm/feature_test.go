package wasm

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestFeatures: each proposal is recognised by whatever of its forms comes first in a module.
func TestFeatures(t *testing.T) {
	section := func(id byte, content ...byte) []byte {
		return append([]byte("\x00asm\x01\x00\x00\x00"), append([]byte{id, byte(len(content))}, content...)...)
	}
	body := func(code ...byte) []byte {
		m := sample()
		m.Bodies[0].Code = append(code, OpEnd)
		return m.Encode()
	}
	initial := func(code ...byte) []byte {
		m := sample()
		m.Globals[0].Init = append(code, OpEnd)
		return m.Encode()
	}
	seen := map[Feature]bool{}
	for _, c := range []struct {
		name   string
		module []byte
		want   Feature
	}{
		{"a tag section", section(13, 1, 0, 0), Exceptions},
		{"an imported tag", section(2, 1, 1, 'e', 1, 't', 4, 0, 0), Exceptions},
		{"an exported tag", section(7, 1, 1, 't', 4, 0), Exceptions},
		{"try", body(0x06, BlockEmpty), Exceptions},
		{"try_table", body(0x1f, BlockEmpty, 0), Exceptions},
		{"throw", body(0x08, 0), Exceptions},
		{"exnref", section(1, 1, 0x60, 1, 0x69, 0), Exceptions},
		{"an addition of constants", initial(OpI64Const, 1, OpI64Const, 1, OpI64Add), ExtendedConst},
		{"a structure", section(1, 1, 0x5f, 0), GC},
		{"an array", section(1, 1, 0x5e, 0x7f, 0), GC},
		{"a group of types", section(1, 1, 0x4e, 0), GC},
		{"a subtype", section(1, 1, 0x50, 0, 0x60, 0, 0), GC},
		{"anyref", section(1, 1, 0x60, 1, 0x6e, 0), GC},
		{"struct.new", body(0xfb, 0, 0), GC},
		{"struct.new as a constant", initial(0xfb, 0, 0), GC},
		{"ref.null of any", body(OpRefNull, 0x6e, OpDrop), GC},
		{"a block of eqref", body(OpBlock, 0x6d, OpEnd), GC},
		{"a reference to a type", section(1, 1, 0x60, 1, 0x64, 0x70, 0), FunctionReferences},
		{"call_ref", body(0x14, 0), FunctionReferences},
		{"a table with an initial value", section(4, 1, 0x40, 0, 0x70, 0, 0), FunctionReferences},
		{"a continuation", section(1, 1, 0x5d, 0), StackSwitching},
		{"suspend", body(0xe2, 0), StackSwitching},
		{"relaxed swizzle", body(OpPrefixFD, 0x80, 2), RelaxedSIMD},
		{"relaxed dot product", body(OpPrefixFD, 0x93, 2), RelaxedSIMD},
		{"f16x8.splat", body(OpPrefixFD, 0xa0, 2), HalfPrecision},
		{"shared memory", section(5, 1, 3, 1, 1), Threads},
		{"an atomic", body(0xfe, 0x10, 2, 0), Threads},
		{"memory of 64 bits", section(5, 1, 4, 1), Memory64},
		{"memory of 64 bits with a maximum", section(5, 1, 5, 1, 1), Memory64},
		{"small pages", section(5, 1, 8, 1, 0), CustomPageSizes},
		{"two memories", section(5, 2, 0, 1, 0, 1), MultiMemory},
		{"the size of another memory", body(OpMemorySize, 1, OpDrop), MultiMemory},
		{"a load from another memory", body(OpI32Const, 0, 0x28, 0x42, 1, 0, OpDrop), MultiMemory},
		{"return_call", body(0x12, 0), TailCalls},
		{"return_call_indirect", body(0x13, 0, 0), TailCalls},
		{"i64.add128", body(OpPrefixFC, 19), WideArithmetic},
		{"stringref", section(1, 1, 0x60, 1, 0x67, 0), StringReferences},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.module, DefaultBounds())
			if e, ok := errors.AsType[*Error](err); !ok || e.Feature != c.want || !strings.Contains(e.Msg, string(c.want)) {
				t.Errorf("err = %v, want %s", err, c.want)
			}
			seen[c.want] = true
		})
	}
	for _, f := range Features() {
		if !seen[f] {
			t.Errorf("%s is not tried", f)
		}
	}
	for _, unknown := range [][]byte{section(77), section(1, 1, 0x33), body(0xf0), body(OpPrefixFC, 99, 0), bytes.Clone(section(5, 1, 0x70, 0))} {
		_, err := Parse(unknown, DefaultBounds())
		if e, ok := errors.AsType[*Error](err); !ok || slices.Contains(Features(), e.Feature) {
			t.Errorf("%x: %v", unknown, err)
		}
	}
}
