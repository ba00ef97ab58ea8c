package wasm

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sample uses every section.
func sample() *Module {
	start := uint32(1)
	count := uint32(2)
	return &Module{
		Types:   []FuncType{{}, {Params: []ValType{I32}, Results: []ValType{I32}}},
		Imports: []Import{{Module: "app:log/v1", Name: "write", Kind: KindFunc, Func: 1}},
		Funcs:   []uint32{0, 1},
		Tables:  []Table{{FuncRef, Limits{Min: 2, Max: 10, HasMax: true}}},
		Memory:  &Limits{Min: 1},
		Globals: []Global{{GlobalType{I64, true}, []byte{OpI64Const, 0, OpEnd}}},
		Exports: []Export{{"memory", KindMemory, 0}, {"run", KindFunc, 2}},
		Start:   &start,
		Elements: []Element{
			{Mode: Active, Offset: []byte{OpI32Const, 0, OpEnd}, Type: FuncRef, Funcs: []uint32{1, 2}},
			{Mode: Passive, Type: FuncRef, Exprs: [][]byte{{OpRefFunc, 1, OpEnd}, {OpRefNull, 0x70, OpEnd}}},
			{Mode: Declarative, Type: FuncRef, Funcs: []uint32{2}},
		},
		DataCount: &count,
		Bodies: []Body{
			{Code: []byte{OpEnd}},
			{Locals: []LocalGroup{{2, I64}}, Code: []byte{OpBlock, BlockEmpty, OpLocalGet, 0, OpBrIf, 0, OpEnd, OpLocalGet, 0, OpEnd}},
		},
		Data:   []Data{{Offset: []byte{OpI32Const, 8, OpEnd}, Bytes: []byte("hi")}, {Mode: Passive, Bytes: []byte("there")}},
		Custom: []Custom{{"note", []byte{1, 2, 3}}},
	}
}

func TestRoundTrip(t *testing.T) {
	first := sample().Encode()
	m, err := Parse(first, DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	if second := m.Encode(); !bytes.Equal(first, second) {
		t.Errorf("Encode(Parse(b)) != b\n%x\n%x", first, second)
	}
	if !reflect.DeepEqual(m.Exports, sample().Exports) || *m.Start != 1 || m.Data[1].Mode != Passive {
		t.Errorf("the module changed: %+v", m)
	}
}

// TestGoGuest reads what a real toolchain makes.
func TestGoGuest(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\nimport \"fmt\"\nfunc main() { fmt.Println(1) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "main.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", out, source)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b, DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(m.Encode(), DefaultBounds()); err != nil {
		t.Errorf("what was written cannot be read: %v", err)
	}
	if _, ok := m.Export("_start"); !ok {
		t.Error("no _start")
	}
}

func TestRefusals(t *testing.T) {
	good := sample().Encode()
	change := func(edit func(m *Module)) []byte {
		m := sample()
		edit(m)
		return m.Encode()
	}
	body := func(code ...byte) []byte {
		return change(func(m *Module) { m.Bodies[0].Code = code })
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"nothing", nil, "ends before its version"},
		{"half a preamble", []byte("\x00as"), "ends before its version"},
		{"text", []byte("(module)"), "does not start like"},
		{"another version", []byte("\x00asm\x02\x00\x00\x00"), "version is not 1"},
		{"cut off", good[:len(good)-5], "ends too early"},
		{"a section twice", append(bytes.Clone(good), 1, 1, 0), "twice or out of order"},
		{"an unknown section", append(bytes.Clone(good), 99, 0), "section 99 is not known"},
		{"bytes after a section's content", append([]byte("\x00asm\x01\x00\x00\x00"), 1, 2, 0, 0), "bytes too many"},
		{"an integer of six bytes", append([]byte("\x00asm\x01\x00\x00\x00"), 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "too many bytes"},
		{"an integer beyond 32 bits", append([]byte("\x00asm\x01\x00\x00\x00"), 1, 0xff, 0xff, 0xff, 0xff, 0x7f), "out of range"},
		{"more types than bytes", append([]byte("\x00asm\x01\x00\x00\x00"), 1, 3, 0xff, 0x1f, 0), "ends too early"},
		{"a name that is not UTF-8", change(func(m *Module) { m.Exports[0].Name = "\xff" }), "not UTF-8"},
		{"an export twice", change(func(m *Module) { m.Exports[1].Name = "memory" }), "exported twice"},
		{"an export of nothing", change(func(m *Module) { m.Exports[1].Index = 99 }), "does not exist"},
		{"a type of nothing", change(func(m *Module) { m.Funcs[0] = 99 }), "type 99 does not exist"},
		{"too much memory", change(func(m *Module) { m.Memory.Min = 65_536 }), "pages is larger"},
		{"a huge table", change(func(m *Module) { m.Tables[0].Min, m.Tables[0].Max = 1<<20, 1<<21 }), "1048576 elements in a table are more than the 65536"},
		{"many locals", change(func(m *Module) { m.Bodies[1].Locals = []LocalGroup{{4_000_000_000, I32}} }), "local variables"},
		{"a code section that is short", change(func(m *Module) { m.Bodies = m.Bodies[:1] }), "differ in number"},
		{"a wrong data count", change(func(m *Module) { *m.DataCount = 7 }), "announced"},
		{"an element of nothing", change(func(m *Module) { m.Elements[0].Funcs[0] = 99 }), "function 99 does not exist"},
		{"an initial value that computes", change(func(m *Module) { m.Globals[0].Init = []byte{OpI64Const, 0, OpI64Const, 0, OpI64Add, OpEnd} }), "extended constant expressions"},
		{"an initial value that calls", change(func(m *Module) { m.Globals[0].Init = []byte{OpCall, 0, OpEnd} }), "must be a constant"},
		{"a body without an end", body(OpNop), "ends too early"},
		{"instructions after the end", body(OpEnd, OpNop), "after a function's end"},
		{"an else without an if", body(OpElse, OpEnd), "else without an if"},
		{"a branch out of the function", body(OpBr, 1, OpEnd), "leads out"},
		{"a call of nothing", body(OpCall, 9, OpEnd), "function 9 does not exist"},
		{"exceptions", body(0x06, BlockEmpty, OpEnd, OpEnd), "exception handling"},
		{"threads", body(0xfe, 0, OpEnd), "uses threads"},
		{"tail calls", body(0x12, 0, OpEnd), "tail calls"},
		{"a second memory", body(OpMemorySize, 1, OpDrop, OpEnd), "multiple memories"},
		{"many blocks", body(append(bytes.Repeat([]byte{OpBlock, BlockEmpty, OpEnd}, 20_001), OpEnd)...), "20001 blocks in one function are more than the 20000"},
		{"deep nesting", body(bytes.Repeat([]byte{OpBlock, BlockEmpty}, 5001)...), "5001 blocks within blocks are more than the 5000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.bytes, DefaultBounds())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want it to say %q", err, c.want)
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Offset > len(c.bytes) {
				t.Errorf("%#v is no *Error within the module", err)
			}
		})
	}
	if _, err := Parse([]byte("\x00asm\x0d\x00\x01\x00"), DefaultBounds()); !errors.Is(err, ErrComponent) {
		t.Errorf("a component gives %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample().Encode())
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b, DefaultBounds())
		if err != nil {
			return
		}
		once := m.Encode()
		again, err := Parse(once, DefaultBounds())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !bytes.Equal(once, again.Encode()) {
			t.Fatal("writing is not stable")
		}
	})
}
