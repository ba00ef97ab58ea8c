// Package stream responds to a request piece by piece, so that the caller sees the
// first of it while the app works on the rest. It needs nothing in agora.toml; an
// response still ends at the app's limits of time and size. Outside WebAssembly,
// Collect stands in for the caller. It must not know what is sent. An instance
// runs one goroutine at a time; there is nothing to lock.
package stream
