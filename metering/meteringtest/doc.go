// Package meteringtest owns the conformance suite of metering.Store, and the
// in-memory store that is its model.
//
// It must not know any backend. A suite runs in the goroutine of its test.
package meteringtest
