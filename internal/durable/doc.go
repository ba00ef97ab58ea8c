// Package durable owns how a file gets onto the disk so that it outlives the loss
// of power: its contents first, then its name, then the directories that lead to it.
//
// Invariants: whoever reads a replaced file, also after a crash, finds all of the
// old or all of the new; what is answered as done is on the disk. Files and
// directories are for this user alone.
//
// It must not know what a file means. Functions may run at the same time for
// different files.
package durable
