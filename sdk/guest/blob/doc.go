// Package blob keeps larger values between requests, in the app's own space:
// pictures, documents, exports. It needs [capabilities.blob] with a quota in
// agora.toml, and a reviewer's grant. Outside WebAssembly it is a map in memory.
// It must not know what the data means; nothing in an instance is concurrent, so
// there is nothing to lock.
package blob
