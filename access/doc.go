// Package access owns who may do what: users, their groups and roles, API tokens,
// browser sessions and one-time sign-in links.
//
// Invariants:
//   - a secret is stored only as its SHA-256; it is shown once, when made;
//   - a sign-in link works once, and for a short time;
//   - a user's name has one form, CanonicalName's, in which it is stored and compared;
//   - once there is an operator who is not disabled, there is one;
//   - whom a sign-in provider means is known by provider, issuer and subject alone, never by an address;
//   - roles that rules gave are those that the accounts and memberships of now give, and lapse;
//   - what was made with a token ends with it, when it expires and when it is revoked;
//   - a credential that has ended lets no user in, and is forgotten before a new one is stored;
//   - a token makes no token that reaches further than itself, and never a session if it is limited;
//   - a group that a provider tells is changed by that provider alone, and its source never changes;
//   - a backup, which holds the node's keys, asks for more than a role: MayBackUp;
//   - a role allows exactly what Role says, on every surface; who has none sees the public face of
//     apps that serve, and what is their own;
//   - what is made for an app's address is good there alone, ends with the session of the console behind
//     it, and is no credential anywhere else;
//   - a program gets a token once, for what a person has confirmed in a session that still lasts;
//   - an audience admits exactly whom Audience.Admits says.
//
// It must not know what the acts do that it allows.
//
// Values are plain data; a Tx is used by one goroutine inside its transaction.
package access
