// Package log owns the host side of app:log/v1: lines that an app writes to
// its own log.
//
// Invariants: a line is valid UTF-8, is at most MaxLine bytes long, and names
// the app that wrote it, whatever the bytes say. It must not know where lines
// go. A bound link is safe for concurrent use.
package log
