package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/registry"
)

// TestManifestSlips: the finding says what a maker can act on, and not how a parser saw it.
func TestManifestSlips(t *testing.T) {
	for _, c := range []struct{ name, text, says, remedy string }{
		{"no quotes", "name = shop\n", "name = shop", "in double quotes"},
		{"a colon", "name: shop\n", "name: shop", "equals sign where YAML"},
		{"typographic quotes", "name = “shop”\n", "“shop”", "plain quotes"},
		{"open quotes", "name = \"shop\nteam = \"x\"\n", "line 1", "Close the quotes"},
		{"no value", "name =\n", "line 1", "value behind"},
		{"no equals sign", "name \"shop\"\n", "line 1", "equals sign between"},
		{"a size without quotes", "name = \"shop\"\n[limits]\nmemory = 32MiB\n", "line 3", "memory = \"32MiB\""},
		{"an open table", "name = \"shop\"\n[limits\nfuel = 1\n", "line 2", "bracket"},
		{"a comment of another language", "// my app\n", "// my app", "with #"},
		{"JSON", "{\"name\": \"shop\"}", "JSON", "TOML"},
		{"a module", "\x00asm\x01\x00\x00\x00", "WebAssembly module", "manifest (agora.toml) first"},
		{"UTF-16", "\xff\xfen\x00a\x00", "UTF-16", "UTF-8"},
		{"Latin-1", "name = \"shop\"\ntitle = \"Caf\xe9\"\n", "line 2 is not UTF-8", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registry.ParseManifest([]byte(c.text))
			e, ok := errors.AsType[*registry.ManifestError](err)
			if !ok || len(e.Problems) == 0 {
				t.Fatalf("err = %v", err)
			}
			p := e.Problems[0]
			if !strings.Contains(p.Message, c.says) || !strings.Contains(p.Remedy.Summary, c.remedy) || strings.Contains(p.Message, "U+") {
				t.Errorf("%q, %q: want %q, %q", p.Message, p.Remedy.Summary, c.says, c.remedy)
			}
		})
	}
}

func TestManifestWithBOM(t *testing.T) {
	m, err := registry.ParseManifest([]byte("\xef\xbb\xbfname = \"shop\"\r\nowner = \"a@b.c\"\r\n"))
	if err != nil || m.Name != "shop" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWrongFiles(t *testing.T) {
	for text, says := range map[string]string{
		"package main\n\nfunc main() {}\n": "source file",
		"fn main() { println!(\"hi\"); }":  "source file",
		"#!/bin/sh\necho hi":               "script",
		"\x7fELF\x02\x01\x01\x00\x00":      "Linux program",
		"\x01\x02\x03\x04\x05\x06\x07\x08": "00 61 73 6d",
		"!<arch>\nlib.o/":                  "object files",
	} {
		_, err := registry.Inspect([]byte(text))
		if !errors.Is(err, registry.ErrBadModule) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want it to say %q", text, err, says)
		}
	}
}

// TestStaticMemory: the sentence names the line of the manifest that mends it.
func TestStaticMemory(t *testing.T) {
	i, err := registry.Inspect(app(exports("_start"), func(m *wasm.Module) { m.Memory = &wasm.Limits{Min: 300 << 4} }))
	if err != nil {
		t.Fatal(err)
	}
	m := registry.Manifest{}.WithDefaults()
	if err := m.Fits(i); !errors.Is(err, registry.ErrTooHeavy) || !strings.Contains(err.Error(), `300 MiB`) || !strings.Contains(err.Error(), `memory = "300MiB"`) {
		t.Error(err)
	}
	m.Limits.Memory = 300 << 20
	if err := m.Fits(i); err != nil {
		t.Error(err)
	}
}
