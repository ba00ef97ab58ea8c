// Package boltstore keeps a node's state in bbolt, of which it is the one
// importer: the control plane in one file, the apps' own data in another, so
// that busy apps do not hold up publishing.
//
// Invariants:
//   - Update is the only way to change the control plane; state, revision and
//     events commit together, and revisions have no gaps;
//   - every record carries a checksum, and one that does not match is
//     storage.ErrCorrupt with its bucket and key, never a value;
//   - a file is opened only after every page of it was read and found whole, and
//     no record of it has vanished or come back: a damaged one is refused with
//     what is damaged in it;
//   - records change through the writer alone, which counts them;
//   - each count is the sum of what the records that are there add to it (counting), in the
//     same transaction, and a file in which it is not is damaged;
//   - nothing that bbolt owns leaves a transaction: values are decoded copies.
//
// It must not know what the records mean.
//
// A Store and a KV are safe for concurrent use; a reader or a transaction belongs to the closure it
// was given to.
package boltstore
