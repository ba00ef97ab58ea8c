// Package guest is the Go SDK for apps: it speaks interface abi/v1, so that an
// app is one function from a request to a response. Build with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o app.wasm .
//
// Subpackages reach the capabilities kv, log and config; each must be declared
// in agora.toml. Everything also builds for the machine you develop on, where
// the capabilities are in memory, so that an app's tests are ordinary Go tests.
//
// Invariant: each request runs in an instance of its own, so that package
// variables begin fresh, and nothing is concurrent unless the app makes it so.
package guest
