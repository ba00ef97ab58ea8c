// Package fueltest is a second opinion on a bill: an interpreter of WebAssembly
// 2.0 without vectors that counts by the cost table of package fuel, written
// from the specification and that table alone. It reads modules with
// abi/wasm, as everything here does, and shares nothing else with what it judges.
//
// It is for tests: slow, simple, and strict about nothing that validation has
// ruled out. A Machine is for one goroutine.
package fueltest
