// Package calm owns what happens when the node's own code panics: the process goes on.
//
// Every goroutine of a node starts through a Watch. A panic in it becomes an error that is
// logged with its stack and counted by place; the process, the other goroutines and whoever
// waits for this one go on. What the panicking code held is for its own deferred calls to
// give back.
//
// Invariants:
//   - no panic leaves Do, Go, Job or Loop, except http.ErrAbortHandler out of Do, which net/http
//     expects;
//   - runtime.Goexit passes through;
//   - what a Job took is given back by its end, which runs whatever becomes of the job;
//   - a panic is counted before whoever waits for the goroutine learns that it has ended.
//
// The package cannot hold fatal errors of the Go runtime (concurrent map writes, memory that
// is exhausted, a stack overflow), nor goroutines and finalizers of other libraries. It must
// not know what runs. A guest's trap is not a panic of this kind: package engine handles it.
//
// A Watch is safe for concurrent use; a nil *Watch recovers too, and counts nothing.
package calm
