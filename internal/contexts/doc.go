// Package contexts owns the file in which the command line keeps the nodes that it knows: for
// each a name, an address, and a token with its user and its end, and which of them is current.
//
// Invariants: the file is for its user alone (mode 0600); a reader finds all of the old or all of
// the new; two commands that change it at the same time both take effect, since a change reads,
// changes and writes under a lock. The file of earlier versions, which held one login, is read as
// one context. A name that is taken is never given to another node or another user.
//
// It must not know flags, environment variables, nor how a node is spoken to.
//
// Read and Update may be called at the same time, from any number of processes.
package contexts
