// Package registry owns apps, their immutable releases, their manifests, and
// what can be read from a module before it is trusted.
//
// Invariants:
//   - a release is never changed after it was stored, and its number is never
//     used again; numbers of an app start at 1 and have no gaps;
//   - the signer of every release was the owner of its app when it was uploaded;
//   - the name of an app is never given to another one, also after its removal;
//   - an app is in one State; only the methods of App in lifecycle.go change it;
//   - what was verified is what is stored: module, manifest and digest belong
//     together.
//
// It must not know how modules run, who decides about them, or what they cost.
// Storage, signatures and blobs are interfaces here, implemented elsewhere.
//
// Values are plain data, safe to copy; a Tx is used by one goroutine, inside
// the transaction that made it.
package registry
