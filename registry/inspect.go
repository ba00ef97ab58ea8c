package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
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
		return Inspection{}, unsupported("%s", componentAdvice(module))
	case err != nil:
		return Inspection{}, notParsed(module, err)
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
	if made, ok := source.ReadOrigin(module); ok {
		i.Made = &made
		i.Language = languageOf(made.Engine) + " (" + made.Engine + ")"
	}
	i.Capabilities, err = capabilities(m)
	return i, err
}

// notParsed says what is wrong with bytes that are no module here: they are none at all, have too
// much of something, or use what is not run.
func notParsed(module []byte, err error) error {
	e, ok := errors.AsType[*wasm.Error](err)
	switch {
	case ok && e.Feature != "":
		return fmt.Errorf("%w: %s (%s section, at byte %d). Turn it off with %s", ErrFeature, e.Feature, e.Section, e.Offset, TurnOff(e.Feature))
	case ok && e.Bound:
		return fmt.Errorf("%w: %w", ErrTooHeavy, err)
	}
	return fmt.Errorf("%w: %s", ErrBadModule, whatInstead(module, err))
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
		{"!<arch>", "this is a library of object files, not a linked program; link it into a .wasm file first"},
		{"\xfe\xed\xfa", "this is a macOS program; build for WebAssembly instead (for Go: GOOS=wasip1 GOARCH=wasm)"},
		{"\xca\xfe\xba\xbe", "this is a macOS program or a Java class; build for WebAssembly instead (for Go: GOOS=wasip1 GOARCH=wasm)"},
		{"BC\xc0\xde", "this is LLVM bitcode; link it into a .wasm file first (clang --target=wasm32-wasi)"},
		{"BZh", "this is a bzip2 archive; upload the .wasm file that is in it"},
		{"\xfd7zXZ", "this is an xz archive; upload the .wasm file that is in it"},
		{"\x28\xb5\x2f\xfd", "this is a zstd archive; upload the .wasm file that is in it"},
		{"%PDF", "this is a PDF document, not a module"},
		{"#!", "this is a script; a node runs WebAssembly: upload the .wasm file that your compiler wrote"},
	} {
		if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte(known.magic)) {
			return known.what
		}
	}
	if len(b) == 0 {
		return "the file is empty"
	}
	if !bytes.HasPrefix(b, []byte("\x00asm")) {
		if isText(b) {
			return "this is text, such as a source file; upload the .wasm file that your compiler wrote of it"
		}
		return "this is no WebAssembly module, which begins with the bytes 00 61 73 6d; upload the .wasm file that your compiler wrote"
	}
	return err.Error()
}

// isText reports whether the beginning of a file is text.
func isText(b []byte) bool {
	b = b[:min(len(b), 4096)]
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n\f", r) || r == utf8.RuneError })
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
	_, initialises := m.Export(abi.ExportInitialize)
	switch {
	case handles && starts && !initialises && slices.Contains([]string{"Go", "TinyGo"}, language(m)):
		return "", unsupported("it is an app of the Go SDK that was built as a command; build it with -buildmode=c-shared: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o app.wasm . (TinyGo: -target=wasip1 -buildmode=c-shared)")
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
		return unsupported("it is an http-wasm handler, which is not supported yet; export %s, or build a WASI command that prints its response", abi.ExportHandle)
	case hasPrefix(m, "app_handle_v"):
		return unsupported("it is built for a newer interface than this node speaks; it needs %s", abi.ExportHandle)
	case has(abi.ExportInitialize):
		return unsupported("it is a WASI library without %s; use the guest SDK (in Go: import its package, and call guest.Handle in an init function), or build a command with a main function (in Go: without -buildmode=c-shared)", abi.ExportHandle)
	}
	return unsupported("it exports neither %s nor %s; use the guest SDK, or build a WASI command that prints its response", abi.ExportHandle, abi.ExportStart)
}

func hasPrefix(m *wasm.Module, prefix string) bool {
	return slices.ContainsFunc(m.Exports, func(e wasm.Export) bool { return strings.HasPrefix(e.Name, prefix) })
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

// checkStream checks an import of the baseline by which responses are streamed.
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

// languageOf is the language of an engine that modules are made with.
func languageOf(engine string) string {
	if strings.HasPrefix(engine, "pocketpy") {
		return "Python"
	}
	return "JavaScript"
}
