package registry

import (
	"bytes"
	"fmt"
	"regexp"
)

// worlds are what components offer, by the name and version of the interface.
var worlds = regexp.MustCompile(`wasi:(http/incoming-handler|http/handler|cli/run)@(\d+\.\d+)`)

// componentLanguages are recognised by what their toolchains leave in a component, in the order in
// which they are looked for: a JavaScript engine is C++, and an adapter in most components is Rust.
var componentLanguages = []struct {
	marks []string
	build string
}{
	{[]string{"StarlingMonkey", "starlingmonkey", "ComponentizeJS", "componentize-js", "componentize-qjs"},
		"for JavaScript: compile it into a WASI command with Javy (javy build), which prints its response"},
	{[]string{"componentize-py"}, "for Python: run the script in CPython's build for wasm32-wasip1, as a WASI command"},
	{[]string{"NativeAOT", "dotnet.wit"}, "for C#: build a WASI command for wasip1 (wasi-wasm without componentize-dotnet)"},
	{[]string{"TinyGo"}, "for TinyGo: tinygo build -target=wasip1"},
	{[]string{"go:buildid", "Go cmd/compile"}, "for Go: GOOS=wasip1 GOARCH=wasm go build, without wasm-tools component new"},
	{[]string{"rustc", "cargo-component", "wit-bindgen-rust"}, "for Rust: cargo build --target wasm32-wasip1, as a program that prints its response"},
	{[]string{"clang", "wit-bindgen-c"}, "for C and C++: clang --target=wasm32-wasip1 (wasi-sdk), not wasm32-wasip2"},
}

// componentAdvice says what a component is and what its author builds instead.
func componentAdvice(module []byte) string {
	what := "a library of its own interfaces"
	if world := worlds.FindSubmatch(module); world != nil {
		switch version := string(world[2]); string(world[1]) {
		case "cli/run":
			what = fmt.Sprintf("a command of WASI %s (wasi:cli/run)", version)
		default:
			what = fmt.Sprintf("it serves wasi:http %s", version)
		}
	}
	build := "Rust: cargo build --target wasm32-wasip1; TinyGo: -target=wasip1; Go: GOOS=wasip1; C: clang --target=wasm32-wasip1"
	for _, l := range componentLanguages {
		for _, mark := range l.marks {
			if bytes.Contains(module, []byte(mark)) {
				return component(what, l.build)
			}
		}
	}
	return component(what, build)
}

func component(what, build string) string {
	return fmt.Sprintf("it is a WebAssembly component (%s), and core modules are run here; build a WASI preview 1 command, or an app of the guest SDK, instead (%s)", what, build)
}
