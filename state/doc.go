// Package state is the contract between deciding and running: what the control plane keeps, how it
// changes, and how every node learns of each change.
//
// It owns the interfaces Store, Reader and Tx, the queries of the feed, and the counts that quotas
// look at. Reader and Tx are unions of the interfaces of the domains, and only adapters, the
// composer and flows across domains name them: a domain's function takes its domain's own.
//
// Invariants, which package statetest checks of every implementation:
//   - Update is the only way to make a revision; its writes and its events commit together or not at
//     all, revisions are in commit order and have no gaps;
//   - a closure of Update may run more than once: it does no I/O, and has no effect but through its
//     Tx and the variables that it sets anew each time;
//   - a closure of View cannot write: a Reader has no method that writes, and no Tx is behind it;
//   - what a method returns is a copy, and belongs to the caller;
//   - an effect that hangs on a change follows the feed (Followers), so that it happens on every
//     node and after a crash.
//
// It must not know any engine, nor what deciding and running do.
//
// A Store is safe for concurrent use; a Reader or a Tx belongs to the closure that it was given to,
// and ends with it.
package state
