// Package abi is what a guest, a manifest or the wire can see: the request and
// response frames of ABI v1, the import modules through which an app reaches a
// capability or streams its response, the tiers, the findings of a check, the ways in which an
// invocation can fail, and the events of the revision feed.
//
// It owns the numbers and names that both sides of the sandbox must agree on.
// Everything here is append-only: a byte offset, an errno, a capability module
// or a fault kind never changes its meaning once released.
//
// It is a leaf. It imports only the standard library, builds for wasip1 so that
// guest code links the same definitions as the host, and must not know how a
// module is stored, run, judged or billed.
//
// Everything is a value; there is no shared state and nothing to lock.
package abi
