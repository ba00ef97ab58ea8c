// Package wasmtest makes small modules for tests: valid apps of interface
// abi/v1 with a few hand-written instructions in the place that a test is
// about. It must not be imported outside tests. Values are plain data.
package wasmtest
