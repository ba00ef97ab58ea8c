// Package fetch owns the host side of app:fetch/v1: requests of apps to the
// world outside.
//
// Invariants:
//   - a request goes to an origin that the app's grant lists, or nowhere; this is
//     asked again for each redirect;
//   - a connection is made to an address that may be reached, or not at all: the
//     decision is made on the address that is about to be connected to, whatever
//     name led there, and no second look-up lies between;
//   - no connection serves two apps;
//   - a credential goes to the origin that it is bound to, and only if no redirect
//     led there from another one; the app never sees it;
//   - nothing is kept of what is sent and received.
//
// It must not know where secrets are stored, nor who decides about grants. A
// bound link is safe for concurrent use.
package fetch
