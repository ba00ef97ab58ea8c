// Package log writes lines to the app's log, which its owner reads in the
// console and with `agora logs`. It needs [capabilities.log] in agora.toml.
// Outside WebAssembly it writes to standard error. It must not know who reads;
// nothing in an instance is concurrent, so there is nothing to lock.
package log
