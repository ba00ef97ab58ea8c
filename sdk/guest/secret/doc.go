// Package secret reads the secrets that the app's owner set, for example with
// `agora secrets set`. It needs [capabilities.secret] with their names in
// agora.toml, and a reviewer's grant. Outside WebAssembly, Set provides them. Do
// not keep or print what you read; nothing in an instance is concurrent, so there
// is nothing to lock.
package secret
