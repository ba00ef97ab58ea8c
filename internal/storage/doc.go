// Package storage has the errors of everything that keeps bytes: what was damaged, what could not be
// written, and what there is no room for.
//
// They are words of no domain. An adapter in store returns them, a capability or a service passes
// them on, and web/problem and the doctor say what to do about them, so that all of these branch on
// one error, whatever it was that could not be kept.
//
// Invariants:
//   - stored bytes that are not those that were written are ErrCorrupt, never a value and never
//     "not found"; a Damage, which names the file, wraps it;
//   - ErrUnwritable means that nothing happened.
//
// It must not know any domain, nor how something is kept. Its values do not change.
package storage
