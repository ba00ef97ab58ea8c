// Package web is what the API and the console ask of a node. Because both call the same
// methods, they cannot disagree about a number, a rule or an error.
//
// It must not know how a node does what it is asked. The adapters api, console
// and problem live below it; the documents that they show are control's.
package web
