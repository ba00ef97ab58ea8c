// Package guest is the Go SDK for apps: it speaks interface abi/v1, so that an
// app is one function from a request to a response. Build with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o app.wasm .
//
// Subpackages reach the capabilities events, kv, log and config; each must be declared
// in agora.toml. Package stream sends a response piece by piece. Everything also
// builds for the machine you develop on, where the capabilities are in memory, so
// that an app's tests are ordinary Go tests.
//
// Invariant: each request finds the app as its init functions left it; what a
// request leaves in variables is gone after it, unless the manifest says
// keep_state. Nothing is concurrent unless the app makes it so. With start_once in
// agora.toml, init functions run once for all requests, which is much faster;
// math/rand then yields the same numbers in each.
package guest
