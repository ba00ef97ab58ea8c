// Package call makes capability calls: one shape for all of them, as
// abi.Capability describes. It must not know what a capability does. An
// instance runs one goroutine at a time; there is nothing to lock.
package call
