// Package blob keeps larger values between requests, in the app's own space:
// pictures, documents, exports, each up to abi.MaxBlob bytes and written in one
// piece. It needs [capabilities.blob] with a quota in agora.toml, memory for what is
// read or written at once, and a reviewer's grant. Outside WebAssembly it is a map in memory.
// It must not know what the data means; nothing in an instance is concurrent, so
// there is nothing to lock.
package blob
