// Package statetest owns what every state.Store must do: one conformance suite over all domains, and
// the in-memory model that a store must be indistinguishable from.
//
// It also owns two stores for tests of what uses a store: one that runs each closure of Update twice
// (Strict), and one that fails after the closure (Failing). Over both, a closure that does more than
// its transaction shows.
//
// It must not know any backend, nor who uses one. Memory is safe for concurrent use; a suite runs in
// the goroutine of its test.
package statetest
