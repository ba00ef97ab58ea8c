// Package redact takes secrets out of what apps write to their logs, as far as they can be
// recognised. It owns the forms in which a value is looked for, and the encodings in which a message
// is read.
//
// The value itself and each line of one that has several are found as they are and in base64, in the
// message as it is and in what it says in the encodings of unescape.go, one within another. What is
// compressed, encrypted, reversed or written over several messages is not found. An app that wants to
// give a secret away finds another form; this is against accidents.
//
// Invariants: the effort for one message is bounded by its length; what is returned has no known
// value in any of those forms, and names of secrets in their places.
//
// It must not know where secrets are kept, nor who writes messages. A Redactor is safe for concurrent
// use.
package redact
