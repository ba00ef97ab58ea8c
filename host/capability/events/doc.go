// Package events owns the host side of app:events/v1: an app publishes events of
// the topics that it was granted.
//
// Invariants: an app publishes as itself only; a topic that is not granted is
// refused; what was acknowledged is durable. It must not know who receives, nor
// how the queue is kept. A bound link is safe for concurrent use.
package events
