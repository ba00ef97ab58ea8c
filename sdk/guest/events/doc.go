// Package events publishes to whoever may receive: this app's own event triggers,
// and those of other apps that a reviewer let subscribe. It needs
// [capabilities.events] with its topics in agora.toml, and a reviewer's grant.
// Outside WebAssembly, events are collected in memory. It must not know who
// receives; nothing in an instance is concurrent, so there is nothing to lock.
package events
