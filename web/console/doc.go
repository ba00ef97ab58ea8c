// Package console owns the pages: html/template, one stylesheet, a vendored
// htmx (static/htmx.min.js is htmx.org 2.0.11 as published, Zero-Clause BSD), and
// small programs of our own: static/live.js keeps parts marked data-live up to
// date, static/keys.js has the keys of the page of requests, and static/upload.js sends the form of an upload.
//
// Invariants: every page works without JavaScript, and programs only ask for a
// part of the same page; a request of theirs (HX-Request) that has no session is
// answered 401 and not with another page, so that what is shown can stay; what a
// reader holds (focus, selection, scroll position, a chosen file) is never taken
// away; no inline script or style runs; a form of another
// site never acts for the person who is signed in; every error is the same
// problem that API and CLI show.
//
// Console joins addresses to areas, each a small struct with the interfaces that it asks of a node
// (apps, reviews, uploads, settings …). What areas share is the frame: sessions, navigation, forms and
// errors. An area knows the frame and no other area.
//
// It must not know how a node does what it is asked. The handler is safe for
// concurrent use.
package console
