// Package abitest owns what each capability promises to a guest, as tables of
// calls that every implementation has to serve alike: the node's own and the
// ones with which the SDK stands in for it outside WebAssembly.
//
// A table speaks in bytes, as a guest does. It must not know who answers. The
// functions are for tests and run one call after the other.
package abitest
