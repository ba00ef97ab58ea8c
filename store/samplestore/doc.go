// Package samplestore keeps a few calls of each app and hour, so that a number on
// a bill leads to calls that can be looked at: the slowest, the last that failed,
// and some at random, which are what calls usually look like.
//
// It is no account. The journal has each call; a sample that a killed process had
// not written is lost.
//
// Invariants: an app has at most 3×perKind samples in an hour, an hour at most
// maxApps apps, the directory at most maxHours files and maxBytes bytes; a sample
// holds nothing that a caller sent.
//
// It must not know who may see a sample.
//
// A Store is safe for concurrent use.
package samplestore
