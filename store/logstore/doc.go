// Package logstore keeps the last lines of each app's log in files.
//
// Invariants: a line that Append took survives the death of the process; an app
// never has more than two files of maxFile bytes; it never writes more than
// maxRate lines in a second, and the node never more than maxNode about it; a
// torn last line is skipped when reading.
//
// It must not know who may read a log.
//
// A Store is safe for concurrent use.
package logstore
