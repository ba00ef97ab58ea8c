// Package node is the running node and its only composer: it opens the stores,
// the trust root, the policy, the meter and the engine, joins the services of
// control, the host and the front doors, and starts and stops them.
//
// A Node holds what it opened, and does nothing else. What a node does beside
// its services is in types of their own, each with the parts it needs and never
// with the Node: Upkeep (snapshots and backups), Checkup (the doctor), Calls
// (calls by people who are signed in), front (the two origins), metrics, budgets,
// reserve (of the disk), pressure (of memory) and startRecord. The ports
// (ports.go, ports_publishing.go, hosting.go) are how a service reaches a store
// or the host, which it must not know.
//
// Invariants:
//   - nothing loads that was not verified over the same bytes;
//   - what is opened is closed in the opposite order, also when New fails;
//   - no part of a node ends another one: each goes on after a panic of its own;
//   - a module's file is there as long as the state, or a snapshot of it, names it.
//
// It must not know a wire format, a policy rule or a byte of WebAssembly.
//
// A Node is safe for concurrent use. No lock is held across a guest call, a
// policy evaluation or I/O.
package node
