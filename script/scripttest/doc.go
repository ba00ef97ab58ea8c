// Package scripttest runs what was made of scripts, for the tests of each language: in the engine that a node has, with
// the limits and capabilities that a test gives. What such an app logs is kept for the test to read.
//
// It is for tests alone, and knows none of the languages. A test binary that uses it has Main as its TestMain, since
// modules are compiled by a child process.
package scripttest
