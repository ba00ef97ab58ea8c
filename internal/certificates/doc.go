// Package certificates owns the node's TLS certificates: pairs of files, which are read again when
// they change, and certificates that a directory issues by ACME (RFC 8555).
//
// Invariants:
//   - a pair that is broken, or that has expired while the one in use has not, does not replace the
//     one in use; the report says so until the files are right again;
//   - nothing is ordered for a name that Options.Known does not know, and nothing is ordered faster
//     than the pauses after failures, the node's own limit and the directory's allow;
//   - a handshake never waits for a file, and for an order no longer than its client does.
//
// It must not know connections, apps, or who asks. A Store is safe for concurrent use.
package certificates
