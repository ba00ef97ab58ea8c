// Package rights reads what releases are allowed out of one state: it joins the registry, which
// knows what a release asks for, with approvals, which knows what was granted and decides what of
// that holds.
//
// It owns the terms of a release, which are all that a review relies on, and the reading of an app's
// grants. Control and host both call it, so that a review, a document and a running app never
// disagree about a right.
//
// Invariants:
//   - it reads and decides nothing: approvals.Rights is the one place that decides;
//   - a grant that it returns says what was reviewed, however old its record is.
//
// It must not know who asks, nor any store.
//
// Its functions keep nothing, and belong to the transaction that they are given.
package rights
