// Package gate decides who is let in at an app's address, before a file of the release or its program is
// reached: by a session of that address alone, which the console vouches for (single sign-on), or by a
// token that opens this one app.
//
// It owns the order of the checks, the cookies of apps' addresses, the paths that begin with
// /.agora/, which no app ever sees, the rules for what other sites ask for, and the sessions in memory.
//
// Invariants:
//   - no secret of the platform reaches an app: not its cookies, not a token in Authorization;
//   - a session is good at the one address that it was made for, in one browser;
//   - what is remembered of a session follows the feed (Follow): after a change that ends it, or that
//     takes its person out of the audience, it is refused, and what it runs ends;
//   - an app learns no name from the pages here: they name nobody who is signed in;
//   - an app learns of its callers what its manifest asks for and a reviewer has seen, in headers that no
//     request from outside has;
//   - a request that is let in by a session that is remembered costs no allocation here.
//
// It must not know how a release is called, nor the console's pages.
//
// A Gate is safe for concurrent use. No lock of its is held while the state is read.
package gate
