// Package kv keeps data between requests, in the app's own space. It needs
// [capabilities.kv] with a quota in agora.toml, and a reviewer's grant. Outside
// WebAssembly it is a map in memory. It must not know what the data means;
// nothing in an instance is concurrent, so there is nothing to lock.
package kv
