// Package secrets owns what apps keep confidential: values that are sealed at
// rest, with a key that lies outside of the store.
//
// A value is sealed with AES-256-GCM (NIST SP 800-38D) under one of the keys of a
// ring. Its app and its name are authenticated with it, so that a record that is
// copied to another place does not open there. The ring is a file for this user
// alone; whoever has only the store, or only a backup of it, has no value.
//
// Invariants: a value is in memory only while it is set or used; no error, no
// record and no format of this package shows one; the ring never forgets a key
// that a record needs.
//
// It must not know who may read what: that is for grants. A Ring is safe for
// concurrent use.
package secrets
