// Package sigstore signs modules and checks their signatures; it is the one
// importer of sigstore-go.
//
// It owns the node's embedded trust root: a certificate authority that certifies
// identities for ten minutes, and a timestamp authority that proves a signature
// was made within them. Bundles are sigstore bundles v0.3 with a message
// signature over the SHA-256 of the module, by ECDSA P-256.
//
// Invariants:
//   - there is one verifier for each trust domain, and the domains are never
//     merged: a key does not vouch for a certificate, nor the other way round;
//   - a certificate names the identity that the caller's session has, never one
//     that a request asks for, and only against proof of possession of its key;
//   - a key is registered against a signature of its private half over a text that
//     names the node, the identity and the time;
//   - a certificate counts only together with a signed timestamp;
//   - verification is over the digest of the bytes that were given, computed here.
//
// It must not know who may sign what. Private keys of signers never reach it
// over the network.
//
// An Authority and a Verifier are safe for concurrent use.
package sigstore
