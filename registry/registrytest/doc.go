// Package registrytest owns the conformance suite of registry.Tx and the
// in-memory store that is its model.
//
// It must not know any backend. A suite runs in the goroutine of its test.
package registrytest
