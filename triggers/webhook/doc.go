// Package webhook owns the ways in which other services sign the requests that
// they send: GitHub's, Stripe's, Slack's, Standard Webhooks, and a plain
// HMAC-SHA256 in a header.
//
// Invariants: signatures are compared in constant time, over the body as it was
// sent; a header that a scheme reads occurs once; a timestamp that is signed lies
// within Tolerance of now; what is refused is refused with ErrRefused, whose text
// is for the app's owner and not for who sent it.
//
// It must not know where secrets come from, nor what becomes of a request: who
// asks remembers each Proof.Once for twice the Tolerance, since a timestamp may lie
// as far ahead as behind. Verify is a pure function.
package webhook
