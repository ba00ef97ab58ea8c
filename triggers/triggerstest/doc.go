// Package triggerstest owns the model of a triggers.Store, a map, and the suite
// that every store passes. It must not know any other backend. A Memory is safe
// for concurrent use.
package triggerstest
