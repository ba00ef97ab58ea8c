// Package host is what apps do: it leads a request to the release behind an address, runs it within
// its limits and its rights, and bills it.
//
// It owns the routes to releases, the programs and the files of releases in memory, the binding of
// capabilities to what is granted, the journaling of each call, the delivery of triggers, what is
// taken out of apps' logs, and whether an app may be called at all.
//
// Invariants:
//   - a response is released only once the journal has the call; a call that failed is journaled, too;
//   - a release runs only after its module was verified over the bytes that are run;
//   - nothing of a state is remembered that does not follow the feed: see Follow. What a change has an
//     effect on here, it has an effect on at every node;
//   - an app that is stopped is not called, and its running calls end;
//   - nothing of a release is reached at an address before package gate has let the request in.
//
// It must not know control, a store's file, a front door or an error's page: what it needs of the
// node is in Options, as small interfaces of its own.
//
// A Host is safe for concurrent use. No lock of its is held while a guest, a store or the network is
// waited for, except a follower's turn.
package host
