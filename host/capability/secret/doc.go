// Package secret owns the host side of app:secret/v1: the secrets of an app that
// its release was granted, by name.
//
// Invariants: a release reads the names it was granted and nothing else, and
// cannot tell by the responses whether another name is set. It must not know how
// secrets are kept; it holds none itself and logs none. A bound link is safe for
// concurrent use.
package secret
