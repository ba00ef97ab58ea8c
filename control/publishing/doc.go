// Package publishing is how a release comes in: the bodies of uploads and how many there may be at
// once, the walk from bytes to a stored release, and the node as an authority that signs for people.
//
// Invariants:
//   - a module is hostile: it is on the disk before anything of it is read, it takes a share of a
//     budget while it is in memory, and it is compiled behind a Compiler;
//   - nothing of an upload is visible before the one transaction at its end, which asks again for
//     all that the walk relied on: the owner, the key, the newest release, the grants and with them
//     the policy;
//   - the signature is checked over the same bytes that are stored.
//
// It must not know what runs a release, nor which store keeps its bytes.
//
// A Service and an Intake are safe for concurrent use.
package publishing
