// Package console owns the pages: html/template, one stylesheet and a vendored
// htmx (static/htmx.min.js is htmx.org 2.0.11 as published, Zero-Clause BSD).
//
// Invariants: every page works without JavaScript, and htmx only asks for a
// part of the same page; no inline script or style runs; a form of another
// site never acts for the person who is signed in; every error is the same
// problem that API and CLI show.
//
// It must not know how a node does what it is asked. The handler is safe for
// concurrent use.
package console
