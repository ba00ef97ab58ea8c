package wasm

import (
	"bytes"
	"slices"
	"testing"
)

func constantAt(at int64) []byte { return append(AppendS64([]byte{OpI32Const}, at), OpEnd) }

// aModule has a memory of one page, a function, and data.
func aModule(data ...Data) *Module {
	return &Module{Types: []FuncType{{}}, Funcs: []uint32{0}, Memory: &Limits{Min: 1}, Bodies: []Body{{Code: []byte{OpEnd}}}, Data: data}
}

// TestTakeApart: data that only says what memory begins with is taken out, and what is left is the
// same whatever the data; all else stays.
func TestTakeApart(t *testing.T) {
	with := func(change func(*Module)) []byte {
		m := aModule(Data{Offset: constantAt(8), Bytes: []byte("abc")})
		change(m)
		return m.Encode()
	}
	two := uint32(1)
	plain := aModule().Encode()
	raw := func(section ...byte) []byte { return append(bytes.Clone(plain), section...) }
	for _, c := range []struct {
		name   string
		module []byte
		ok     bool
		want   []Segment
	}{
		{"no data", plain, true, nil},
		{"one segment", with(func(*Module) {}), true, []Segment{{8, []byte("abc")}}},
		{"several, in their order", with(func(m *Module) { m.Data = append(m.Data, Data{Offset: constantAt(9), Bytes: []byte("x")}) }), true, []Segment{{8, []byte("abc")}, {9, []byte("x")}}},
		{"to the last byte", with(func(m *Module) { m.Data[0].Offset = constantAt(65533) }), true, []Segment{{65533, []byte("abc")}}},
		{"a custom section that tells of no code", with(func(m *Module) { m.Custom = []Custom{{Name: "producers"}} }), true, []Segment{{8, []byte("abc")}}},
		{"of memory 0, written out", raw(11, 7, 1, 2, 0, OpI32Const, 1, OpEnd, 0), true, []Segment{{1, []byte{}}}},

		{"one byte behind the end", with(func(m *Module) { m.Data[0].Offset = constantAt(65534) }), false, nil},
		{"below zero", with(func(m *Module) { m.Data[0].Offset = constantAt(-1) }), false, nil},
		{"passive", with(func(m *Module) { m.Data[0] = Data{Mode: Passive, Bytes: []byte("abc")} }), false, nil},
		{"counted for instructions", with(func(m *Module) { m.DataCount = &two }), false, nil},
		{"placed by a global", with(func(m *Module) { m.Data[0].Offset = []byte{OpGlobalGet, 0, OpEnd} }), false, nil},
		{"placed by another type", with(func(m *Module) { m.Data[0].Offset = []byte{OpI64Const, 0, OpEnd} }), false, nil},
		{"placed by two constants", with(func(m *Module) { m.Data[0].Offset = []byte{OpI32Const, 0, OpI32Const, 0, OpEnd} }), false, nil},
		{"no memory", with(func(m *Module) { m.Memory = nil }), false, nil},
		{"an imported memory", with(func(m *Module) {
			m.Memory, m.Imports = nil, []Import{{Module: "m", Name: "m", Kind: KindMemory, Memory: Limits{Min: 1}}}
		}), false, nil},
		{"a memory of no page", with(func(m *Module) { m.Memory.Min, m.Data[0] = 0, Data{Offset: constantAt(0)} }), false, nil},
		{"data twice", raw(11, 1, 0, 11, 1, 0), false, nil},
		{"data in front of something", raw(11, 1, 0, 10, 1, 0), false, nil},
		{"a byte too many", raw(11, 2, 0, 0), false, nil},
		{"more segments than bytes", raw(11, 1, 5), false, nil},
		{"of memory 1", raw(11, 7, 1, 2, 1, OpI32Const, 1, OpEnd, 0), false, nil},
		{"of a kind that is not known", raw(11, 2, 1, 3), false, nil},
		{"a place of too many bits", raw(11, 10, 1, 0, OpI32Const, 0xff, 0xff, 0xff, 0xff, 0x2f, OpEnd, 0), false, nil},
		{"cut off", plain[:len(plain)-1], false, nil},
		{"no module", []byte("hello"), false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, data, ok := TakeApart(c.module)
			if ok != c.ok || ok && !slices.EqualFunc(data, c.want, func(a, b Segment) bool { return a.At == b.At && bytes.Equal(a.Bytes, b.Bytes) }) {
				t.Fatalf("data %v, %v; want %v, %v", data, ok, c.want, c.ok)
			}
			if rest := bytes.Join(code, nil); ok && !bytes.Equal(rest, plain[8:]) {
				t.Errorf("its code is %x, and the same without data is %x", rest, plain[8:])
			}
		})
	}
}

// FuzzTakeApart: a module whose code is accepted is accepted with any data that is taken out of it, and
// that data is what Parse reads.
func FuzzTakeApart(f *testing.F) {
	f.Add(aModule(Data{Offset: constantAt(8), Bytes: []byte("abc")}, Data{Offset: constantAt(65536)}).Encode())
	f.Add(append(aModule().Encode(), 11, 7, 1, 2, 0, OpI32Const, 1, OpEnd, 0, 0, 2, 1, 'a'))
	f.Fuzz(func(t *testing.T, b []byte) {
		code, data, ok := TakeApart(b)
		if !ok {
			return
		}
		alone, err := Parse(append(bytes.Clone(b[:8]), bytes.Join(code, nil)...), DefaultBounds())
		if err != nil {
			return
		}
		m, err := Parse(b, DefaultBounds())
		if err != nil || m.DataCount != nil || len(m.Data) != len(data) || len(data) > 0 && m.Memory == nil {
			t.Fatalf("its code is accepted, and it is not: %v", err)
		}
		for i, d := range m.Data {
			if d.Mode != Active || !bytes.Equal(d.Bytes, data[i].Bytes) || uint64(data[i].At)+uint64(len(d.Bytes)) > uint64(m.Memory.Min)<<16 {
				t.Errorf("segment %d is %v, and is taken for %v", i, d, data[i])
			}
		}
		m.Data, m.Custom, alone.Custom = nil, nil, nil
		if !bytes.Equal(m.Encode(), alone.Encode()) {
			t.Error("what is left is another module")
		}
	})
}
