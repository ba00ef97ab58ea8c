// Command ticker is an example app that streams: a page, and server-sent events
// that reach it one by one while the app runs. It keeps nothing; one request is
// one goroutine.
package main
