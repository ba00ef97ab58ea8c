// Package fetch asks other servers. It needs [capabilities.fetch] with the
// origins in agora.toml, and a reviewer's grant. Outside WebAssembly, functions that
// a test sets with Serve stand in for the other side. It must not know what is
// asked; nothing in an instance is concurrent, so there is nothing to lock.
package fetch
