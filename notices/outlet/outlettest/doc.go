// Package outlettest has a real mail server for tests: it speaks SMTP on a port of the loopback, with
// STARTTLS and a sign-in, and keeps what it takes.
//
// It must not know who sends.
//
// A Server is safe for concurrent use.
package outlettest
