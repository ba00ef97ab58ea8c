// Package certtest owns an authority that issues certificates for tests, and the files that they
// are in.
//
// Invariant: what it issues is trusted by no client but those that are told to. It must not know
// what the certificates are for, and only tests import it. An Authority is safe for concurrent use.
package certtest
