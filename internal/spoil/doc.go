// Package spoil owns the ways in which a test damages bytes: as a disk does, or a
// careless hand.
//
// Whoever calls it brings the randomness, so that a seed says all. It must not
// know what the bytes mean. Its functions may run at the same time.
package spoil
