// Package people is who may come in, and with what: users, sign-in links and sessions, API tokens,
// and the public keys that sign for a person.
//
// Invariants:
//   - every method asks for itself whether its actor may do what it does; those of welcome.go act for
//     anyone who holds the data directory, and no front door reaches them;
//   - a secret leaves the package once, when it is made;
//   - one more session or link than a person may have ends the oldest: no person is locked out.
//
// It must not know what people do with apps: only apps, governance and publishing, which import it,
// do.
//
// A Service is safe for concurrent use.
package people
