// Package control is what people decide. It owns the desk that its services work at, the quotas,
// the documents that the services show, lists in parts, and the words that both front doors use.
// The services are packages below it, one for each area: people, apps, governance, publishing.
// Each imports only those before it.
//
// Invariants:
//   - every change is one Update of the desk: whoever acts is asked for again inside it, and no
//     change makes larger what is at its quota;
//   - a closure of Update may run more than once, and does nothing but through its Tx; what is to
//     follow from a change follows its events.
//
// It must not know the host, a store or a front door: what a service needs of one of them is a small
// interface of its own.
//
// A Desk is safe for concurrent use.
package control
