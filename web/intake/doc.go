// Package intake reads the bodies of the API and of the console.
//
// Invariants: what a request says of its body is judged before anything of the body is read; a
// body is read up to a bound, and the front door gives up a sender who is too slow; a module goes
// to the disk while it comes, and only what is small is kept in memory; of a body that is refused
// nothing more is read.
//
// The package must not know who may do what: that was asked before. A Form belongs to one request.
package intake
