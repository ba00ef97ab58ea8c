package script

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/wasm"
)

// TestPackRefuses gives the packer what is not an engine.
func TestPackRefuses(t *testing.T) {
	compressed, err := os.ReadFile("../javascript/engine/engine.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := NewEngine("e", "", compressed).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*wasm.Module)) []byte {
		m, err := wasm.Parse(engine, wasm.Unbounded())
		if err != nil {
			t.Fatal(err)
		}
		f(m)
		return m.Encode()
	}
	for name, module := range map[string][]byte{
		"no module": []byte("no module"),
		"no header": change(func(m *wasm.Module) {
			m.Exports = slices.DeleteFunc(m.Exports, func(e wasm.Export) bool { return e.Name == exportHeader })
		}),
		"no heap": change(func(m *wasm.Module) {
			m.Exports = slices.DeleteFunc(m.Exports, func(e wasm.Export) bool { return e.Name == exportHeap })
		}),
		"no data": change(func(m *wasm.Module) { m.Data = nil }),
		"another header": change(func(m *wasm.Module) {
			for i := range m.Data {
				m.Data[i].Bytes = bytes.ReplaceAll(m.Data[i].Bytes, []byte(headerMagic), []byte("AGORAJS0"))
			}
		}),
		"a header in no constant": change(func(m *wasm.Module) {
			x, _ := m.Export(exportHeader)
			m.Globals[x.Index].Init = []byte{wasm.OpI32Const, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, wasm.OpEnd}
		}),
	} {
		if _, err := pack(module, Packing{}); err == nil {
			t.Errorf("%s: it was packed", name)
		}
	}
}

func FuzzPack(f *testing.F) {
	small := (&wasm.Module{
		Memory: &wasm.Limits{Min: 1}, Globals: []wasm.Global{{GlobalType: wasm.GlobalType{Type: wasm.I32}, Init: []byte{wasm.OpI32Const, 8, wasm.OpEnd}}},
		Exports: []wasm.Export{{Name: exportHeader, Kind: wasm.KindGlobal}, {Name: exportHeap, Kind: wasm.KindGlobal}},
		Data:    []wasm.Data{{Offset: []byte{wasm.OpI32Const, 8, wasm.OpEnd}, Bytes: append([]byte(headerMagic), make([]byte, headerSize-8)...)}},
	}).Encode()
	f.Add(small)
	if _, err := pack(small, Packing{Script: "x"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		packed, err := pack(module, Packing{Script: "export default 1", Info: source.Origin{Engine: "e"}})
		if err != nil {
			return
		}
		if i, ok := source.ReadOrigin(packed); !ok || i.Engine != "e" {
			t.Error("what was packed does not say what it is")
		}
	})
}
