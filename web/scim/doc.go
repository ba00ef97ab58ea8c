// Package scim is the front door of providers that tell who there is: SCIM 2.0 (RFC 7643 and 7644),
// below /scim/v2/{provider} on the console's origin.
//
// It owns the protocol: what attributes a person and a group have, filters, the operations of PATCH,
// pages, entity tags, and how errors are written. What a provider sends in other ways than the RFC has
// it, and what is meant by it is plain, is taken: "False" for false, operations in any case, members
// without a path, filters in paths, a manager as a bare text. An attribute that is not kept is left
// out, and the log says so: an odd mapping does not keep a person from being ended.
//
// Invariants:
//   - whoever calls is a provider, and the path names that provider;
//   - what a body may cost is bounded before it is read, and a filter before it is parsed;
//   - PATCH is applied to, and If-Match compared with, what is there in the transaction that changes it;
//   - sorting and bulk operations are refused, and ServiceProviderConfig says so.
//
// It must not know who is a person here, nor what being ended means: its Services do.
//
// A handler is safe for concurrent use.
package scim
