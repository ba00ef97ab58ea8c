// Package control is what people decide: the documents that its services show, lists in parts, and
// the words that both front doors use for them. The services themselves are one package for each
// area below it.
//
// It must not know the host, a store or a front door.
package control
