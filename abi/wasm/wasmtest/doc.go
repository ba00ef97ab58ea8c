// Package wasmtest makes small modules for tests: valid apps of interface
// abi/v1 with a few hand-written instructions in the place that a test is
// about; a corpus of those that mean harm; and valid modules made of random
// numbers. It must not be imported outside tests and benchmarks. Values are plain
// data.
package wasmtest
