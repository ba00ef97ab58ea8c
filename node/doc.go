// Package node is the running node and its only composer: it opens the stores,
// the trust root, the policy, the meter and the engine, joins them into the
// flows that cross domains, and serves the front doors.
//
// The flows are one file each, readable from top to bottom: publish.go (bytes
// to release), review.go (request to decision), route.go (host name to
// release), invoke.go (call to usage).
//
// Invariants:
//   - nothing loads that was not verified over the same bytes;
//   - every change of state is one Update of the store, and the routes are
//     dropped before the change is acknowledged, so that the next request sees it;
//   - an invocation is metered before its answer leaves;
//   - no change makes larger what is at its quota: update compares, inside the transaction,
//     whatever the change did;
//   - a module's file is there as long as the state, or a snapshot of it, names it.
//
// It must not know a wire format, a policy rule or a byte of WebAssembly.
//
// A Node is safe for concurrent use. No lock is held across a guest call, a
// policy evaluation or I/O.
package node
