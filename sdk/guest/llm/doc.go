// Package llm asks language models. It needs [capabilities.llm] with the models in
// agora.toml, and a reviewer's grant; which models there are is the node's to say.
// Outside WebAssembly, a function that a test sets with Answer stands in for a model.
// It must not know what is asked; nothing in an instance is concurrent, so there is
// nothing to lock.
package llm
