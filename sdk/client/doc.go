// Package client speaks to a node's API from Go. It owns the wire as a caller
// sees it: documents, paths and errors.
//
// Invariants: it imports nothing of the node, so that what it knows is what any
// program could know; an error of the node is a *Problem with its remedy; an
// error of the network is ErrUnreachable. A token is sent to the node that it
// was given for and to no other: redirects are not followed.
//
// A Client is safe for concurrent use.
package client
