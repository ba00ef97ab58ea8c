// Package identity makes what apps are told of people: pseudonyms, which link no person from one app to
// another, and short-lived signed tokens by which an app proves to other services who called it.
//
// It owns the file with the two secrets that both are made of, the keys that tokens are signed with, and
// the set of public keys that is published.
//
// Invariants:
//   - a person has one pseudonym at an app as long as the file is kept, and pseudonyms of two apps cannot
//     be joined without it;
//   - a token is signed with the key of its week. A key is published a week before it signs and a week
//     after, so that whoever reads the set once a day knows every key in time;
//   - nodes that share the file make the same pseudonyms and publish the same keys, at any time.
//
// It must not know who is let in, nor what an app may be told: its callers decide that.
//
// Keys are safe for concurrent use.
package identity
