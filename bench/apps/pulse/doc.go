// Package main is an app that streams the time at which it writes each line, so
// that whoever reads it knows how long a line was on its way.
package main
