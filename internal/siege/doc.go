// Package siege owns attacks on a node's front door, for tests and benchmarks: clients that
// connect and say nothing, that keep connections they do not use, that do not finish what they
// send, and that do not read what they asked for.
//
// Invariants: an attack goes to a loopback address and nowhere else; it opens as many
// connections as it was told to, and ends with its context. It must not know how a node defends
// itself.
//
// An Attack's counts may be read while it runs.
package siege
