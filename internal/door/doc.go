// Package door owns the node's TCP front door: who may come in, how much of the node strangers
// may hold, and how they are let out when the node stops. It speaks HTTP/1.1, or over TLS that and
// HTTP/2, and takes the proxy protocol. What is served behind it is an http.Handler that it is
// given.
//
// It counts three things, for the node and for each address (IPv6: each /64): connections, bytes
// of request bodies that are held until their request ends, and bytes of responses that are held
// until the network has taken them. A stream of HTTP/2 beside the first of its connection counts
// as a connection, until the last of its response has gone. Each is taken before the work and given back after it. When
// one is short, the clients that wait for nothing lose their place first: idle connections,
// connections without a request, and clients that do not send or read what they began.
//
// Invariants:
//   - a request body or a response on which the network makes less progress than the least rate,
//     beyond a grace, is ended. Only time in which the node waits for the network counts; there
//     is one measure of it, in Exchange, for every handler and either protocol: of HTTP/1.1 it is
//     taken where the connection is read and written, of HTTP/2 where the handler reads and writes;
//   - a stream that is ended leaves the others of its connection alone;
//   - a handshake is over within the time that headers have, takes its turn for the processor, and
//     is reached by no handler before;
//   - a connection of HTTP/2 that sends much beside requests and their bodies, or takes back most
//     of what it asks for, is closed;
//   - what was taken for a request is given back when its handler returns, or before that if
//     the door ends its connection; what was taken for a connection, when it is closed;
//   - the address of a request is the connection's, unless a trusted proxy names another, for the
//     connection or for the request; what a stranger says of itself has no effect;
//   - after Shutdown has begun, no connection that completed is dropped before it was served
//     or has been silent for a while.
//
// It must not know routes, apps, people, or what an error looks like to a client.
//
// A Door is safe for concurrent use. Door.mu is taken before Conn.mu, and that before
// Exchange.mu; none is held while a connection is read, written or closed.
package door
