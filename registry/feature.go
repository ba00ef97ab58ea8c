package registry

import (
	"fmt"

	"github.com/agora-host/agora/abi/wasm"
)

// llvmNames are the features that compilers based on LLVM turn on and off by a name.
var llvmNames = map[wasm.Feature]string{
	wasm.ExtendedConst: "extended-const", wasm.RelaxedSIMD: "relaxed-simd", wasm.HalfPrecision: "fp16",
	wasm.TailCalls: "tail-call", wasm.MultiMemory: "multimemory", wasm.WideArithmetic: "wide-arithmetic",
}

// switches say how a feature is turned off that has no such name.
var switches = map[wasm.Feature]string{
	wasm.Exceptions: "clang: -fno-exceptions, without -fwasm-exceptions and -mllvm -wasm-enable-sjlj; Rust: -C panic=abort; " +
		"TinyGo: -panic=trap; Emscripten: -fno-exceptions -sSUPPORT_LONGJMP=0",
	wasm.Threads: "clang: --target=wasm32-wasip1 without -pthread and with -mno-atomics; Rust: --target wasm32-wasip1, and -C target-feature=-atomics; " +
		"TinyGo: -scheduler=asyncify; Emscripten: without -pthread",
	wasm.Memory64: "clang: --target=wasm32-wasip1; Rust: --target wasm32-wasip1; TinyGo: -target=wasip1; Emscripten: -sMEMORY64=0",
	wasm.CustomPageSizes: "clang: without -Wl,--page-size; Rust: without -C link-arg=--page-size; TinyGo: without --page-size in -ldflags; " +
		"Emscripten: without -Wl,--page-size",
	wasm.FunctionReferences: "clang: -mno-reference-types -mno-gc; Rust: -C target-feature=-reference-types; TinyGo: -target=wasip1; " +
		"Emscripten: -mno-reference-types. Kotlin, Dart, Java, OCaml and Scheme need it, for garbage collection: write the app in a language that brings its own memory",
	wasm.GC: "clang, Rust, TinyGo and Emscripten do not use it. Kotlin, Dart, Java, OCaml and Scheme need it, and have no flag that turns it off: " +
		"write the app in a language that brings its own memory, such as Go, Rust, C or AssemblyScript",
	wasm.StackSwitching: "clang and Rust do not use it by themselves: leave out what switches stacks; TinyGo: -scheduler=asyncify; Emscripten: -sASYNCIFY in place of -sJSPI",
	wasm.StringReferences: "clang, Rust, TinyGo and Emscripten do not use it: build with the compiler's strings in linear memory " +
		"(Guile Hoot and others: without stringref)",
}

// TurnOff says how a feature is turned off, for each of the toolchains that may have made the module.
func TurnOff(f wasm.Feature) string {
	if name, ok := llvmNames[f]; ok {
		return fmt.Sprintf("clang: -mno-%[1]s; Rust: -C target-feature=-%[1]s (RUSTFLAGS); TinyGo: a copy of its target file without +%[1]s under \"features\"; Emscripten: -mno-%[1]s", name)
	}
	return switches[f]
}
