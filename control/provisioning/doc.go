// Package provisioning is the people of whom a provider tells, by SCIM or by a file: it makes them,
// changes them, and ends what those may do who are not there any more.
//
// Invariants:
//   - a provider is let in by a token of its own, which opens this package's methods for providers
//     and nothing else, and sees no other provider's people;
//   - no person is found by a name or a mail address: only by the provider's own key, or because an
//     operator said who it is. Whoever would be two people at once is a conflict, and nothing of it
//     is stored;
//   - who is deactivated or deleted loses, in the same transaction, all that they came in with; the
//     last operator stays;
//   - what a provider says twice changes nothing the second time, and makes no revision;
//   - a file changes what its preview showed, or nothing.
//
// It must not know SCIM.
//
// A Service is safe for concurrent use.
package provisioning
