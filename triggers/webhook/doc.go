// Package webhook owns the ways in which other services sign the requests that
// they send: GitHub's, Stripe's, Slack's, Standard Webhooks, and a plain
// HMAC-SHA256 in a header; and the handshakes by which services ask beforehand
// whether an address takes them.
//
// Invariants: signatures are compared in constant time, over the body as it was
// sent; a header that a scheme reads occurs once; a timestamp that is signed lies
// within Tolerance of now; what is refused is refused with ErrRefused, whose text
// is for the app's owner and not for who sent it; nothing that a stranger chose is
// signed with a secret.
//
// It must not know where secrets come from, nor what becomes of a request: who
// asks remembers each Proof.Once for twice the Tolerance, since a timestamp may lie
// as far ahead as behind. All functions
// are pure.
package webhook
