// Command bench measures a node beside its baselines, in one run: bare net/http,
// echo and Extism for requests, unmetered wazero for the kernels, and wasmtime if it
// was built with that tag (make peers); and for scripts workerd, if npm can fetch it. What it prints is what
// docs/benchmarks.md shows. It is a module of its own, so that baselines do not
// become dependencies of the product.
//
// It must not be read as more than it is: client and server share the machine,
// and ratios within one run are what can be compared.
package main
