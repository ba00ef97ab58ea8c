// Command digest is an example app that reaches out: it fetches a page and has a
// language model say what is in it, while the caller reads along. It keeps nothing;
// one request is one goroutine.
package main
