// Package turns owns who may use a processor: guests run only while they hold one of a fixed
// number of tokens, and wait in a fair queue for it.
//
// It is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) on two levels: owners share
// the processors, and the apps of an owner share what is the owner's. Each has a virtual time,
// the time that it held tokens divided by its weight; the one with the least is served first.
// How many calls a person makes at once plays no part. A guest yields each tenth of a
// millisecond or so, and is made to wait there if a turn is in the queue that comes first.
//
// Invariants:
//   - no more turns hold a token than there are tokens, and while a turn waits none is free;
//   - time is charged for holding a token and never for waiting for one;
//   - an owner that was idle is at most margin ahead of those that wait, and of time that was used while no turn
//     waited at most lag is charged later;
//   - a turn whose caller left gives its place in the queue, or the token that it was just
//     granted, back.
//
// The package must not know what a guest is. It starts no goroutines.
//
// Turns and App are safe for concurrent use; a Turn belongs to one goroutine. While no turn
// waits, Begin, Yield and End take no lock.
package turns
