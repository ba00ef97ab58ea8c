// Package engine runs modules: it rewrites them to count themselves, compiles
// them in a killable child process, and gives every request the state
// after start-up, fresh, with limits on all it may use. It is the one importer of wazero.
//
// Invariants:
//   - the code that runs is compiled from the very bytes given to Load, or comes
//     from a cache file that carries this node's own MAC; compiler and interpreter
//     agreed about it before it was taken in;
//   - modules that are the same but for their data share code; what memory begins with
//     is written from the very bytes given to Load, before anything runs;
//   - an invocation ends: fuel, and with every slice of it the clock and the
//     caller's context, are checked inside the guest's loops, and the clock at
//     every host call;
//   - whatever a guest does, the result is an error of package abi, never a panic;
//   - an instance is given to another request only after everything that one
//     could change was put back, also when it failed; where that cannot be known it is thrown away. The
//     one exception is a program whose limits say KeepState;
//   - nothing of a request is in the image that later requests start from;
//   - Result counts what was done, also when it failed.
//
// It must not know apps, releases, grants or storage. wazero's own context
// watching and function listeners are never used: fuel does their work cheaper.
//
// An Engine and a Program are safe for concurrent use; an instance belongs to
// one invocation.
package engine
