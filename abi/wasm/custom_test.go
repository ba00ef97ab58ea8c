package wasm_test

import (
	"bytes"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

func TestCustomSections(t *testing.T) {
	module := wasmtest.App{Frame: []byte("x")}.Bytes()
	one, err := wasm.WithCustomSection(module, "agora:static", []byte("files"))
	if err != nil {
		t.Fatal(err)
	}
	if data, ok, err := wasm.CustomSection(one, "agora:static"); string(data) != "files" || !ok || err != nil {
		t.Errorf("%q, %v, %v", data, ok, err)
	}
	two, err := wasm.WithCustomSection(one, "agora:static", []byte{})
	if err != nil {
		t.Fatal(err)
	}
	if data, ok, _ := wasm.CustomSection(two, "agora:static"); len(data) != 0 || !ok {
		t.Errorf("replaced: %q, %v", data, ok)
	}
	if back, err := wasm.WithCustomSection(two, "agora:static", nil); !bytes.Equal(back, module) || err != nil {
		t.Errorf("taken away, it is another module: %v", err)
	}
	if _, err := wasm.Parse(one, wasm.DefaultBounds()); err != nil {
		t.Errorf("with the section: %v", err)
	}
	for _, b := range [][]byte{nil, []byte("\x00asm"), append(bytes.Clone(module), 0), append(bytes.Clone(module), 0, 200, 1), append(bytes.Clone(module), 0, 1, 9)} {
		if _, _, err := wasm.CustomSection(b, "a"); err == nil {
			t.Errorf("%x is read", b[max(0, len(b)-4):])
		}
	}
}

func FuzzCustomSection(f *testing.F) {
	f.Add(wasmtest.App{Frame: []byte("x")}.Bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\x03\x01ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		with, err := wasm.WithCustomSection(b, "s", []byte("data"))
		if err != nil {
			return
		}
		if data, ok, err := wasm.CustomSection(with, "s"); string(data) != "data" || !ok || err != nil {
			t.Errorf("%q, %v, %v", data, ok, err)
		}
	})
}
