// Package outlet sends notices out of the node: mail to a server by SMTP, and events to webhooks.
//
// It owns the file in which an operator says where to (File), what a mail and a call look like on the
// wire, and the signature of a call.
//
// Invariants:
//   - no text of a letter reaches a header but as one encoded line; no recipient is any but the one
//     plain address of the letter;
//   - a password leaves through TLS alone, but to the machine itself;
//   - a webhook is reached through the dialer that the node gives, and none of its redirects is
//     followed; what it returns is read up to a bound and decides nothing but whether to try again;
//   - a letter and a call that are sent again carry the same id.
//
// It must not know who is told of what, nor a store.
//
// A Mailer and a Hook are safe for concurrent use.
package outlet
