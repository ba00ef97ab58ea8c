package registry

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

// asCommand is what to do with an app that has no other way here.
const asCommand = "build it with the guest SDK, or as a WASI command that prints its response"

// foreignHost is another host that modules are built for.
type foreignHost struct {
	what    string // "is …"
	module  string // of its imports, as a regular expression
	name    string // of those imports; "" for any
	exports string // that nothing but its modules have; "" for none
	advice  string
}

// foreignHosts are in the order in which they are looked for: a module may fit several.
var foreignHosts = []foreignHost{
	{"an app for the first SDK of Spin", `^(spin[-_].*|wasi-outbound-.*|outbound-.*|wasi-key-value)$`, "", `^(handle-http-request|handle-redis-message|canonical_abi_realloc)$`,
		asCommand + " (Spin's own: executor = { type = \"wagi\" } in spin.toml)"},
	{"an Extism plug-in", `^extism:`, "", "", asCommand},
	{"an http-wasm handler", `^http_handler$`, "", "", asCommand},
	{"a proxy-wasm filter", `^env$`, `^proxy_`, `^proxy_(abi_version|on_)`, "a filter belongs into a proxy, not here"},
	{"an app for Fastly Compute", `^fastly_`, "", "", asCommand},
	{"a waPC guest", `^wapc$`, "", `^__guest_call$`, asCommand},
	{"a Javy program that is linked dynamically", `^javy_quickjs_provider`, "", "", "build it with javy build, without -C dynamic"},
	{"a Shopify function", `^shopify_function`, "", "", asCommand},
	{"built with wasm-bindgen for JavaScript", `^(wbg|__wbindgen.*|\./|.*_bg(\.js)?)$`, "", "", "build it with cargo for the target wasm32-wasip1, as a program with a main function that prints its response, and without wasm-pack"},
	{"built with GOOS=js for a browser", `^(gojs|go)$`, "", "", "build it with GOOS=wasip1 GOARCH=wasm (TinyGo: -target=wasip1)"},
	{"built by Emscripten for dynamic linking", `^GOT\.(mem|func)$`, "", "", "build it without -sMAIN_MODULE and -sSIDE_MODULE, with -sSTANDALONE_WASM or with clang --target=wasm32-wasi"},
	{"built by Emscripten for JavaScript", `^(env|wasi_snapshot_preview1)$`, `^(_*emscripten_|invoke_[a-z]+$|__syscall_|_abort_js$|_tzset_js$|_embind_|_emval_|__cxa_(throw|begin_catch|find_matching_catch)|getTempRet0$|setTempRet0$|nullFunc_|abortStackOverflow$|asm2wasm)`, "",
		"build it with -sSTANDALONE_WASM -sPURE_WASI, or with clang --target=wasm32-wasi (wasi-sdk)"},
	{"built by Emscripten for JavaScript, with minified names", `^a$`, `^[a-zA-Z_$]{1,2}$`, "", "build it with -sSTANDALONE_WASM -sPURE_WASI, or with clang --target=wasm32-wasi (wasi-sdk)"},
	{"built for JavaScript by Swift", `^javascript_kit$`, "", "", "build it for the target wasm32-unknown-wasip1 without JavaScriptKit"},
	{"AssemblyScript that needs its host's functions", `^env$`, `^(abort|trace|seed|console\.log|Date\.now)$`, "", "build it with --use abort= and without trace, seed and Date"},
	{"for WASIX, Wasmer's extension of WASI", `^wasix_`, "", "", "build it for WASI preview 1 itself (Rust: cargo build --target wasm32-wasip1)"},
	{"in need of threads (wasi-threads)", `^wasi$`, `^thread-spawn$`, "", "build it for wasm32-wasip1, not for wasm32-wasip1-threads, and without -pthread"},
	{"in need of a machine-learning or cryptographic extension of WASI", `^wasi_ephemeral_`, "", "", "no node offers that; use a library that computes it in the module"},
	{"built for an old draft of WASI", `^wasi_unstable$`, "", "", "build it with a current compiler, for WASI preview 1"},
	{"the core of a component, for WASI 0.2 or newer", `^(wasi:|\[export\]|cm32p2|\$root$|__main_module__$)`, "", `^(wasi:|cm32p2|cabi_post_)`, "build it for WASI preview 1 (Rust: cargo build --target wasm32-wasip1; TinyGo: -target=wasip1; C: clang --target=wasm32-wasip1)"},
}

var foreignPatterns = func() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for _, h := range foreignHosts {
		for _, pattern := range []string{h.module, h.name, h.exports} {
			all[pattern] = regexp.MustCompile(pattern)
		}
	}
	return all
}()

// needs reports whether a module needs the host: by an import, or by an export that nothing
// else has.
func (h foreignHost) needs(m *wasm.Module) bool {
	for _, im := range m.Imports {
		if _, _, standard := abi.WASIFunction(im.Name); standard && im.Module == abi.WASIModule {
			continue
		}
		if foreignPatterns[h.module].MatchString(im.Module) && foreignPatterns[h.name].MatchString(im.Name) {
			return true
		}
	}
	return h.exports != "" && slices.ContainsFunc(m.Exports, func(e wasm.Export) bool { return foreignPatterns[h.exports].MatchString(e.Name) })
}

// foreign recognises modules that were built for another host. It is asked before anything else:
// such a module may also have what a module for this one has.
func foreign(m *wasm.Module) error {
	for _, h := range foreignHosts {
		if h.needs(m) {
			return unsupported("it is %s; %s", h.what, h.advice)
		}
	}
	for _, im := range m.Imports {
		if err := foreignImport(m, im); err != nil {
			return err
		}
	}
	return nil
}

// foreignImport refuses what no node offers, whatever it is for.
func foreignImport(m *wasm.Module, im wasm.Import) error {
	switch {
	case im.Kind != wasm.KindFunc:
		return unsupported("it imports a memory, table or global (%s.%s); link it so that it brings its own (clang: without -Wl,--import-memory; Emscripten: -sSTANDALONE_WASM)", clip(im.Module, 40), clip(im.Name, 40))
	case im.Module == abi.WASIModule:
		return checkWASI(m, im)
	case abi.IsCapabilityModule(im.Module):
		return nil
	case strings.HasPrefix(im.Module, abi.ReservedPrefix):
		return unsupported("it imports %q, and names that start with %q are the node's", clip(im.Module, 60), abi.ReservedPrefix)
	case im.Module == "env":
		return unsupported("it imports %q from \"env\", as a linker writes for a function that it did not find; link the library that has it, and without -Wl,--allow-undefined", clip(im.Name, 60))
	}
	return unsupported("it imports %q from %q, which no node offers; remove what needs it", clip(im.Name, 60), clip(im.Module, 60))
}

// checkWASI refuses an import that is no function of WASI preview 1, or has another type than it
// has there: an engine would find that out in the first call.
func checkWASI(m *wasm.Module, im wasm.Import) error {
	params, returns, ok := abi.WASIFunction(im.Name)
	got := m.Types[im.Func]
	if !ok {
		return unsupported("it imports %s.%s of type %s, and WASI preview 1 has no such function; some hosts add functions of their own (WasmEdge: sockets): build it with a library for WASI preview 1 alone", abi.WASIModule, clip(im.Name, 60), typeText(got))
	}
	want := wasm.FuncType{}
	for _, c := range params {
		t := i32
		if c == 'I' {
			t = i64
		}
		want.Params = append(want.Params, t)
	}
	if returns {
		want.Results = []wasm.ValType{i32}
	}
	if !sameType(got, want) {
		return unsupported("it imports %s.%s of type %s, and WASI preview 1 has it with the type %s; correct its declaration, or build it for WASI preview 1 with a current compiler", abi.WASIModule, im.Name, typeText(got), typeText(want))
	}
	return nil
}

var typeNames = map[wasm.ValType]string{
	wasm.I32: "i32", wasm.I64: "i64", wasm.F32: "f32", wasm.F64: "f64", wasm.V128: "v128", wasm.FuncRef: "funcref", wasm.ExternRef: "externref",
}

// typeText writes a signature as "(i32, i64) -> i32".
func typeText(t wasm.FuncType) string {
	list := func(types []wasm.ValType) string {
		names := make([]string, len(types))
		for i, v := range types {
			names[i] = typeNames[v]
		}
		return strings.Join(names, ", ")
	}
	if len(t.Results) == 1 {
		return fmt.Sprintf("(%s) -> %s", list(t.Params), list(t.Results))
	}
	return fmt.Sprintf("(%s) -> (%s)", list(t.Params), list(t.Results))
}
