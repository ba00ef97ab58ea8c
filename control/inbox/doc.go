// Package inbox tells people of what changed: it follows the feed, makes notices of events for those
// whom they concern, shows them to their person, and sends them on.
//
// Invariants:
//   - the notices that an event makes, and what is to leave the node for it, are stored in the one
//     transaction that moves the follower's cursor past the event: each is made once, also after a kill;
//   - a delivery is noted as begun before it leaves the node and forgotten after it was taken, so that
//     it leaves at least once, and as the same message each time;
//   - no one reads, marks or sets anything of another person;
//   - what is sent says what happened and where to go, and nothing that is sent decides anything.
//
// It must not know SMTP or HTTP: a Mailer and Hooks are what the node gives it.
//
// A Service is safe for concurrent use. Follow is called by one goroutine.
package inbox
