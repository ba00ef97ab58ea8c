// Package blobstore keeps bytes under their SHA-256 digest, in files.
//
// Invariants: a blob is durable before Put returns and is never changed; Get
// returns bytes that match the digest or an error, never anything else; a name
// on disk is made from a checked digest, never from a user's text.
//
// It must not know what is in a blob.
//
// A blob that is pinned, or that something names, is not removed.
//
// A Store is safe for concurrent use. Several processes may put and get; one removes.
package blobstore
