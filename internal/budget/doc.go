// Package budget owns amounts that the whole node has only so much of: connections, bytes of
// unfinished bodies, memory of guests. Whoever wants some takes it before the work and gives
// it back after.
//
// Invariants: what is used is never negative and never above the limit, except by Force;
// every amount that was taken is given back exactly once, by whoever took it.
//
// A Shared is a budget of which each person has a share at most, and for which one can wait.
//
// The package must not know what is counted, nor what is done when nothing is left.
//
// A Budget is safe for concurrent use, and takes no lock; a Shared is safe for concurrent use.
package budget
