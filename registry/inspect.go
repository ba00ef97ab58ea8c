package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

// DigestOf names bytes.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Inspect reads what a module is and needs. What the node cannot run is refused
// with ErrBadModule or ErrUnsupportedModule and a sentence that says what to do.
func Inspect(module []byte) (Inspection, error) {
	m, err := wasm.Parse(module, wasm.DefaultBounds())
	switch {
	case errors.Is(err, wasm.ErrComponent):
		return Inspection{}, unsupported("it is a WebAssembly component; build a core module instead (for Rust: target wasm32-wasip1)")
	case err != nil:
		return Inspection{}, fmt.Errorf("%w: %s", ErrBadModule, whatInstead(module, err))
	}
	i := Inspection{
		Digest: DigestOf(module), Size: int64(len(module)), Functions: len(m.Funcs), Language: language(m),
	}
	for _, im := range m.Imports {
		i.Imports = append(i.Imports, Import{im.Module, im.Name})
	}
	for _, e := range m.Exports {
		i.Exports = append(i.Exports, e.Name)
	}
	for _, c := range m.Custom {
		i.Sections = append(i.Sections, c.Name)
	}
	if m.Memory != nil {
		i.MemoryMin = int64(m.Memory.Min) << 16
		if m.Memory.HasMax {
			i.MemoryMax = int64(m.Memory.Max) << 16
		}
	}
	if i.Interface, err = detect(m); err != nil {
		return Inspection{}, err
	}
	i.Capabilities, err = capabilities(m)
	return i, err
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupportedModule, fmt.Sprintf(format, args...))
}

// whatInstead recognises files that people upload by mistake.
func whatInstead(b []byte, err error) string {
	for _, known := range []struct{ magic, what string }{
		{"PK\x03\x04", "this is a zip archive; upload the .wasm file that is in it"},
		{"\x1f\x8b", "this is a gzip archive; upload the .wasm file that is in it"},
		{"\x7fELF", "this is a Linux program; build for WebAssembly instead (for Go: GOOS=wasip1 GOARCH=wasm)"},
		{"MZ", "this is a Windows program; build for WebAssembly instead (for Go: GOOS=wasip1 GOARCH=wasm)"},
		{"\xcf\xfa\xed\xfe", "this is a macOS program; build for WebAssembly instead (for Go: GOOS=wasip1 GOARCH=wasm)"},
		{"(module", "this is WebAssembly text; translate it with wat2wasm first"},
		{"<", "this is a web page, not a module; was something else downloaded?"},
	} {
		if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte(known.magic)) {
			return known.what
		}
	}
	if len(b) == 0 {
		return "the file is empty"
	}
	return err.Error()
}

var (
	i32        = wasm.I32
	i64        = wasm.I64
	nothing    = wasm.FuncType{}
	handleType = wasm.FuncType{Params: []wasm.ValType{i32, i32}, Results: []wasm.ValType{i64}}
	allocType  = wasm.FuncType{Params: []wasm.ValType{i32}, Results: []wasm.ValType{i32}}
	hostType   = wasm.FuncType{Params: []wasm.ValType{i32, i32, i32, i32}, Results: []wasm.ValType{i64}}
)

// detect tells the interface from exports and imports, once and for all.
func detect(m *wasm.Module) (abi.Interface, error) {
	if err := foreign(m); err != nil {
		return "", err
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, abi.ReservedPrefix) {
			return "", unsupported("it exports %q, and names that start with %q are the node's", clip(e.Name, 60), abi.ReservedPrefix)
		}
	}
	_, handles := m.Export(abi.ExportHandle)
	_, starts := m.Export(abi.ExportStart)
	if e, ok := m.Export(abi.ExportMemory); (handles || starts) && (!ok || e.Kind != wasm.KindMemory) {
		return "", unsupported("it does not export its memory under the name %q", abi.ExportMemory)
	}
	switch {
	case handles:
		return abi.InterfaceV1, exportsHave(m, map[string]wasm.FuncType{
			abi.ExportHandle: handleType, abi.ExportAlloc: allocType, abi.ExportInitialize: nothing, abi.ExportInit: nothing,
		}, abi.ExportHandle, abi.ExportAlloc)
	case starts:
		return abi.InterfaceWASI, exportsHave(m, map[string]wasm.FuncType{abi.ExportStart: nothing}, abi.ExportStart)
	}
	return "", noInterface(m)
}

// exportsHave checks the signatures of exports, and that the needed ones exist.
func exportsHave(m *wasm.Module, types map[string]wasm.FuncType, needed ...string) error {
	for name, want := range types {
		e, ok := m.Export(name)
		if !ok {
			if slices.Contains(needed, name) {
				return unsupported("it exports %s but not %s", needed[0], name)
			}
			continue
		}
		got, _ := m.TypeOf(e.Index)
		if e.Kind != wasm.KindFunc || !sameType(got, want) {
			return unsupported("its export %s has another signature than interface abi/v1 says", name)
		}
	}
	return nil
}

func sameType(a, b wasm.FuncType) bool {
	return slices.Equal(a.Params, b.Params) && slices.Equal(a.Results, b.Results)
}

func noInterface(m *wasm.Module) error {
	has := func(name string) bool { _, ok := m.Export(name); return ok }
	switch {
	case has("handle_request") || has("handle_response"):
		return unsupported("it is an http-wasm handler, which is not supported yet; export %s, or build a WASI command that prints its answer", abi.ExportHandle)
	case has("handle-http-request"):
		return unsupported("it is an app for an early version of Spin; build a WASI command that prints its answer")
	case hasPrefix(m, "app_handle_v"):
		return unsupported("it is built for a newer interface than this node speaks; it needs %s", abi.ExportHandle)
	case has(abi.ExportInitialize):
		return unsupported("it is a WASI library without %s; use the guest SDK, or build a command with a main function", abi.ExportHandle)
	}
	return unsupported("it exports neither %s nor %s; use the guest SDK, or build a WASI command that prints its answer", abi.ExportHandle, abi.ExportStart)
}

func hasPrefix(m *wasm.Module, prefix string) bool {
	return slices.ContainsFunc(m.Exports, func(e wasm.Export) bool { return strings.HasPrefix(e.Name, prefix) })
}

// foreign recognises modules that were built for another host by their imports.
func foreign(m *wasm.Module) error {
	for _, im := range m.Imports {
		if im.Kind != wasm.KindFunc {
			return unsupported("it imports a memory, table or global (%s.%s); link it so that it brings its own", clip(im.Module, 40), clip(im.Name, 40))
		}
		if why := foreignImport(im); why != "" {
			return unsupported("%s", why)
		}
	}
	return nil
}

func foreignImport(im wasm.Import) string {
	switch {
	case im.Module == abi.WASIModule, abi.IsCapabilityModule(im.Module):
		return ""
	case strings.HasPrefix(im.Module, "extism:"):
		return "it is an Extism plug-in, which is not supported yet; build it with the guest SDK, or as a WASI command that prints its answer"
	case im.Module == "http_handler":
		return "it is an http-wasm handler, which is not supported yet; build it with the guest SDK, or as a WASI command that prints its answer"
	case im.Module == "env" && strings.HasPrefix(im.Name, "proxy_"):
		return "it is a proxy-wasm filter; those belong into a proxy, not here"
	case im.Module == "env" && im.Name == "abort":
		return "it is AssemblyScript that needs env.abort; build it with --use abort="
	case im.Module == "env" && (strings.HasPrefix(im.Name, "emscripten_") || strings.HasPrefix(im.Name, "invoke_")):
		return "it is built by Emscripten for a browser; build it with -sSTANDALONE_WASM or with clang --target=wasm32-wasi"
	case strings.HasPrefix(im.Module, "__wbindgen") || im.Module == "wbg" || im.Module == "./":
		return "it is built with wasm-bindgen for a browser; build it for the target wasm32-wasip1"
	case im.Module == "gojs" || im.Module == "go":
		return "it is built with GOOS=js for a browser; build it with GOOS=wasip1 GOARCH=wasm"
	case im.Module == "wasi_unstable":
		return "it is built for an old draft of WASI; build it with a current compiler for WASI preview 1"
	case strings.HasPrefix(im.Module, abi.ReservedPrefix):
		return fmt.Sprintf("it imports %q, and names that start with %q are the node's", clip(im.Module, 60), abi.ReservedPrefix)
	}
	return fmt.Sprintf("it imports %q from %q, which no node offers; remove what needs it", clip(im.Name, 60), clip(im.Module, 60))
}

// capabilities are the words of the capability modules, sorted.
func capabilities(m *wasm.Module) ([]string, error) {
	words := []string{}
	for _, im := range m.Imports {
		if im.Module == abi.StreamModule {
			if err := checkStream(m, im); err != nil {
				return nil, err
			}
			continue
		}
		if !abi.IsCapabilityModule(im.Module) {
			continue
		}
		c, ok := abi.CapabilityOf(im.Module)
		if !ok {
			return nil, unsupported("it imports %q, a capability or a version of one that this node does not have", clip(im.Module, 60))
		}
		if !slices.Contains(c.Functions, im.Name) {
			return nil, unsupported("it imports %q from %s, which has only %s", clip(im.Name, 60), im.Module, strings.Join(c.Functions, ", "))
		}
		if !sameType(m.Types[im.Func], hostType) {
			return nil, unsupported("it imports %s.%s with another signature than (i32, i32, i32, i32) -> i64", im.Module, im.Name)
		}
		words = append(words, c.Name)
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}

// checkStream checks an import of the baseline by which answers are streamed.
func checkStream(m *wasm.Module, im wasm.Import) error {
	if im.Name != abi.StreamStart && im.Name != abi.StreamWrite {
		return unsupported("it imports %q from %s, which has only %s and %s", clip(im.Name, 60), im.Module, abi.StreamStart, abi.StreamWrite)
	}
	if !sameType(m.Types[im.Func], hostType) {
		return unsupported("it imports %s.%s with another signature than (i32, i32, i32, i32) -> i64", im.Module, im.Name)
	}
	return nil
}

// language guesses what a module was written in, for people.
func language(m *wasm.Module) string {
	for _, c := range m.Custom {
		if c.Name == "go:buildid" {
			return "Go"
		}
		if c.Name != "producers" {
			continue
		}
		for _, known := range []string{"Rust", "TinyGo", "Go", "C++", "C11", "C99", "Zig", "AssemblyScript", "Swift"} {
			if bytes.Contains(c.Data, []byte(known)) {
				return known
			}
		}
	}
	return ""
}
