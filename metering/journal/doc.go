// Package journal owns records that outlive a kill and the loss of power: files
// to which records are appended, one sync for all that wait, and what can still
// be read when something went wrong.
//
// Invariants:
//   - Append and Wait return nil only when the record is as durable as it was
//     asked to be, in the file in front of every later one;
//   - records are numbered without gaps from 1;
//   - after one failed write or sync nothing is acknowledged again, and the file is
//     not synced again: what a kernel kept of it can only be learned by reading;
//   - a reader returns no record whose checksum does not match, and says which
//     come after something that cannot be read.
//
// It must not know what a record means.
//
// A Journal is safe for concurrent use. It has one goroutine, which Close and
// Abandon end.
package journal
