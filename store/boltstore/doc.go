// Package boltstore keeps a node's state in checked files: the control plane in one, the apps' own
// data in another and what waits to be delivered in a third, so that busy apps do not hold up
// publishing.
//
// What a file is, and how damage in it is found, is checked's; here are the types of the records,
// their keys, and what is derived of them.
//
// Invariants:
//   - Update is the only way to change the control plane; state, revision and
//     events commit together, and revisions have no gaps;
//   - a record whose checksum does not match is
//     storage.ErrCorrupt with its bucket and key, never a value;
//   - records change through the writer alone, which keeps counts and index with them;
//   - each count is the sum of what the records that are there add to it (counting), in the
//     same transaction, and a file in which it is not is damaged; the same holds for the index;
//   - nothing that a file owns leaves a transaction: values are decoded copies.
//
// It must not know what the records mean.
//
// A Store, a KV and a Queue are safe for concurrent use; a reader or a transaction belongs to the
// closure it was given to.
package boltstore
