// Package fuel rewrites a module so that it counts its own instructions and
// stops at its limits: bytes in, bytes out, no engine in sight, so that anybody
// can recompute a bill.
//
// # The cost tables
//
// A release is counted by the table that it was published with, for as long as it runs. All
// tables have what is in table 1, with one exception in table 3:
//
// One unit for each instruction of the original module that is executed, with
// these exceptions:
//
//   - `end` and `else` cost nothing, and from table 3 on `block`;
//   - `loop` costs one when it is entered, and nothing when it is repeated;
//   - memory.fill, memory.copy and memory.init cost, on top of their one, one
//     unit for every 8 bytes begun; table.fill, table.copy and table.init one
//     for each element;
//   - memory.grow costs, on top, 8192 units for each page, and table.grow one
//     for each element, when they succeed;
//   - ref.func costs 100: each execution keeps host memory until the instance ends;
//   - initialising an instance costs one unit for every 8 bytes of active data
//     and one for each active element (Result.InitCost).
//
// Tables 2 and 3 charge the node's work for the guest besides, before it is done, so that a unit buys
// about as much of a processor there as in the guest. In table 1 it costs nothing, and a guest
// that let the node make random numbers took seconds of it for a thousand units.
//
//   - a call of a WASI function costs 512, but proc_exit nothing; a call of a capability's or of
//     a stream's function 1024;
//   - poll_oneoff costs 8192 on top, if it asks for one to 64 subscriptions or not;
//   - a piece of a response that is sent before the call has ended costs 8192;
//   - each vector of fd_read and fd_write that is looked at, each subscription of poll_oneoff, and each argument
//     and variable that is counted or copied costs 256;
//   - bytes that are copied cost one unit for every 8 begun, of each vector, argument (with its
//     zero) and variable, of what a capability is asked, and of its response if that has room;
//   - each byte of random_get costs 8.
//
// In table 3 `block` costs nothing, as `end` does: it names a place that branches go to, and no
// machine code is made of it. In tables 1 and 2 it costs one each time it is entered, and an
// interpreter whose dispatch is a br_table to 250 blocks paid 250 units for each instruction of
// its own. Code without blocks costs the same by tables 2 and 3.
//
// An engine takes them from ExportFuel while the guest waits for the call, and does not do the
// work that is not paid for.
//
// # Where it is charged
//
// A function is cut into segments, straight lines of code that are entered only
// at their beginning: they end after branches and calls and where branches
// arrive. A segment is charged whole when it is entered. The total is therefore
// exact whenever a call returns, exits or is stopped by the limit; an invocation
// that traps has paid for the whole segment in which it trapped.
//
// # How it is enforced
//
// What is left is in a global of the module. At the entry of each function, at
// the head of each loop, after MaxStraightLine units without either, and after
// each bulk charge, code asks the host for more when it is below zero; the host
// returns or does not end. A short function without calls and loops does not
// ask, nor does one that begins with a loop: between two checks at most
// MaxStraightLine calls of such functions run unasked. The function that runs first
// finds zero and asks. The counter cannot wrap: one charge is below 2^47 and is
// checked at once.
//
// The global is right wherever it can be observed: in a segment that may trap or
// call, when a function returns, when the host is asked. Elsewhere a segment may leave
// its charge to its successors, so that most segments that cannot trap are not
// charged at all; see placement.go. A charge always writes the global, but where ways
// join it reads what is left from a local, so as not to wait for memory; see hold.go.
//
// Asking stands outside of the loop or body that asks, which is entered once
// more afterwards: a call in the middle of a loop would make the compiler keep
// the loop's values in memory. See body, openLoop and renew.
//
// An instruction that moves more than Piece bytes is done in pieces by a function of our own,
// which asks in between, with nothing missing, so that the host can let others run. All of it is
// charged before the first, and nothing is moved if any of it is out of bounds: neither its bill nor what
// it does depends on the pieces. See pieces.go.
//
// Call depth is in a second global: who calls a function that calls others
// writes its own depth there, and the callee reads it when it is entered.
//
// Invariants: the output depends on the input and the options alone; the
// module's results, traps and memory are what they were. Rewrite must not know
// who runs the module. It is a pure function and safe for concurrent use.
package fuel
