// Package memory owns how much memory the guests of a node may have together, and who gets it
// when there is not enough for all.
//
// A call reserves what it is likely to need before it begins, and only there does it wait. What
// it then needs beyond that it is given at once or not at all: a call that waited with memory in
// hand could wait for one that waits for it.
//
// Invariants:
//   - what is held never passes the limit;
//   - no call that waits is passed by another that waits and whose owner holds more;
//   - an owner that holds much leaves an eighth of all to those that hold little;
//   - what is held in Go's heap is an eighth of all at most;
//   - whatever was taken is given back exactly once;
//   - what is counted of a holder passes its quota only where that was lowered;
//   - a call that waits for its owner's quota is in nobody else's way.
//
// The package must not know what holds the memory. Evict is told when memory is short; it must
// not be called, and Give must not be called, with a lock that Evict needs.
//
// All is safe for concurrent use. While no call waits, Take and Give take no lock.
package memory
