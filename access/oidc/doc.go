// Package oidc signs people in by OpenID Connect: it is the only importer of go-oidc.
//
// It reads the tokens of a CI's jobs as well, for which rules name the issuers.
//
// It owns the providers that an operator has configured: their discovery, their keys, the way to
// their sign-in page and back, and the checks that make an ID token, or a logout token, one to act on.
//
// Invariants:
//   - a person is known by provider, issuer and subject, never by a mail address or a name;
//   - nothing of a token counts before all of accept's checks, which are those that go-oidc leaves
//     to its caller (OpenID Connect Core 1.0, 3.1.3.7);
//   - a node opens with every provider down: discovery happens when it is needed, and what was
//     found last is used until there is something newer;
//   - all traffic goes to a provider's own hosts, follows no redirect, and is bounded in time and size;
//   - what anybody may send (logout tokens) makes the node ask a provider for keys at a bounded rate.
//
// It must not know sessions, roles or pages: it returns an Assertion, and the flows decide.
//
// A Provider is safe for concurrent use.
package oidc
