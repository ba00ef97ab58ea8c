// Package filestore keeps the larger values of apps, one file for each, beside
// the store that lists them.
//
// A file gets a name at random, and is durable before the list names it; the
// list changes in one step, with the app's quota. A crash in between leaves a
// file that nothing names, which is removed when the store is opened; the list
// never names a file that is not there. No two names share a file: that two apps
// keep the same is no one's business, and what is deleted is no other's.
//
// Invariants: an app reaches its own files only; bytes that changed on the disk
// are never returned (each 256 KiB have a CRC-32C, all together a SHA-256).
//
// It must not know what the bytes mean, nor how the list is kept. A Store is safe
// for concurrent use.
package filestore
