// Package checked keeps records in a file that says when they are not what was written. It is the
// one importer of bbolt, which checks nothing of what it stores.
//
// A file has buckets of records: key, and value behind a seal, which is a checksum over all three.
// Beside them it has a tally for each bucket, so that records which vanished or came back are
// noticed, and numbers that it gave out. What the records mean, the Shape of the file knows.
//
// Invariants:
//   - a file is opened only after every page of it was read, without bbolt, and found whole, and no
//     record of it has vanished or come back: a damaged one is refused, and a DamagedError lists what
//     is damaged in it;
//   - records change through a Writer alone, which keeps the tallies in the same transaction;
//   - a file under its own name was whole once: it is made under another one;
//   - what bbolt does about a page that is damaged while the file is open, a panic or a fault, is an
//     error that wraps storage.ErrCorrupt;
//   - a change that cannot be made durable is storage.ErrUnwritable, and did not happen.
//
// It must not know what records mean, nor how keys and values are encoded.
//
// A File and a Committer are safe for concurrent use; a Tx and a Writer belong to the closure that
// they were given to, and so does every byte that they show: what is kept is copied.
package checked
