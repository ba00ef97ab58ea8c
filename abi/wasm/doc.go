// Package wasm reads, inspects and writes the WebAssembly binary format
// (core specification 2.0, chapter 5).
//
// It owns the rules that can be checked without types: section order and
// sizes, canonical integers, UTF-8 names, indices, nesting of blocks, and
// limits on everything whose size an attacker would like to choose.
//
// Invariants:
//   - Parse never panics, and what it allocates is bounded by the length of its
//     input times a small constant;
//   - what Parse accepts, Encode writes again, and Parse accepts that too.
//
// It does not validate the types of instructions; the engine does that. Typing
// follows them through code that is valid, for rewriters. It must not know what a module is for. It imports the standard library alone.
//
// A Module is plain data that aliases the bytes it was parsed from. Nothing
// here is shared or locked.
package wasm
