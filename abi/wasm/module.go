package wasm

import (
	"errors"
	"fmt"
)

// ErrComponent tells that the bytes are a component, not a core module.
var ErrComponent = errors.New("a WebAssembly component, not a core module")

// Error says what is wrong with a module, and where.
type Error struct {
	Offset  int    // in the module's bytes
	Section string // "code", "import" …; "" for the preamble
	Msg     string

	Bound   bool    // there is more of something than is taken in, by Bounds
	Feature Feature // that it uses and that is not run here; "" for none
}

func (e *Error) Error() string {
	if e.Section == "" {
		return fmt.Sprintf("%s (at byte %d)", e.Msg, e.Offset)
	}
	return fmt.Sprintf("%s section: %s (at byte %d)", e.Section, e.Msg, e.Offset)
}

// ValType is a value type's byte.
type ValType byte

// Value types (spec 5.3.1 to 5.3.4).
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
)

// Kind is what an import or an export is.
type Kind byte

// Kinds of imports and exports (spec 5.5.5).
const (
	KindFunc   Kind = 0
	KindTable  Kind = 1
	KindMemory Kind = 2
	KindGlobal Kind = 3
)

// FuncType is a function's signature.
type FuncType struct{ Params, Results []ValType }

// Limits bound a table or a memory.
type Limits struct {
	Min, Max uint32
	HasMax   bool
}

// Table is a table's type.
type Table struct {
	Type ValType
	Limits
}

// GlobalType is a global's type.
type GlobalType struct {
	Type    ValType
	Mutable bool
}

// Global is a global with its initial value: a constant expression, `end` included.
type Global struct {
	GlobalType
	Init []byte
}

// Import is something the module needs.
type Import struct {
	Module, Name string
	Kind         Kind
	Func         uint32 // type index, for KindFunc
	Table        Table
	Memory       Limits
	Global       GlobalType
}

// Export is something the module offers.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// SegmentMode tells when a segment is copied.
type SegmentMode byte

const (
	Active SegmentMode = iota
	Passive
	Declarative // elements only
)

// Element is an element segment. Either Funcs or Exprs is used.
type Element struct {
	Mode   SegmentMode
	Table  uint32
	Offset []byte // constant expression, for Active
	Type   ValType
	Funcs  []uint32
	Exprs  [][]byte
}

// Data is a data segment.
type Data struct {
	Mode   SegmentMode
	Offset []byte // constant expression, for Active
	Bytes  []byte
}

// LocalGroup declares Count locals of one type.
type LocalGroup struct {
	Count uint32
	Type  ValType
}

// Body is a function's code, its final `end` included.
type Body struct {
	Locals []LocalGroup
	Code   []byte
	// At is where Code was read: an offset from the start of the code section's
	// contents, as debug information counts. Encode ignores it.
	At int
}

// Custom is a custom section.
type Custom struct {
	Name string
	Data []byte
}

// Module is a parsed module.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Funcs     []uint32 // type index of each function defined here
	Tables    []Table
	Memory    *Limits // defined here; nil if there is none
	Globals   []Global
	Exports   []Export
	Start     *uint32
	Elements  []Element
	DataCount *uint32
	Bodies    []Body
	Data      []Data
	Custom    []Custom
}

// Imported counts the imports of a kind: the first indices of its index space.
func (m *Module) Imported(k Kind) int {
	n := 0
	for i := range m.Imports {
		if m.Imports[i].Kind == k {
			n++
		}
	}
	return n
}

// TypeOf is the signature of a function index, imported or defined.
func (m *Module) TypeOf(index uint32) (FuncType, bool) {
	im, i := m.find(KindFunc, index)
	switch {
	case im != nil:
		return m.Types[im.Func], true
	case int64(i) >= int64(len(m.Funcs)):
		return FuncType{}, false
	}
	return m.Types[m.Funcs[i]], true
}

// find is what an index of an index space means: an import, or the definition
// with the number that is answered, if there are so many.
func (m *Module) find(k Kind, index uint32) (im *Import, defined uint32) {
	for j := range m.Imports {
		if m.Imports[j].Kind != k {
			continue
		}
		if index == 0 {
			return &m.Imports[j], 0
		}
		index--
	}
	return nil, index
}

// Export finds an export by name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// MaxMemoryPages is one page less than 4 GiB, so that no length in bytes
// overflows 32 bits.
const MaxMemoryPages = 65_535
