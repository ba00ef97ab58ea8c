// Package archive is the form of a backup: one stream, a tar file within gzip,
// whose last member lists all others with their SHA-256. tar and gzip open it
// anywhere, also without agora.
//
// Invariants: an archive that Read accepts is complete and holds what was put
// in, nothing else; a name in it stays below the directory that it is unpacked
// to; reading is bounded by Limits, whatever the stream claims.
//
// It must not know what the members are.
//
// A Writer belongs to one goroutine.
package archive
