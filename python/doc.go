// Package python makes an ordinary module of a subset of Python: the app's files beside an engine that speaks
// interface abi/v1. It is a preview: docs/python.md says what of the language is there.
//
// It owns the engine (directory engine: pocketpy, what apps are given, and the glue), its version, and what is said of
// a source before it runs: syntax errors, which the engine itself finds, and imports of what is not there.
//
// Invariants:
//   - the same files and the same engine make the same bytes, on every machine;
//   - a Source without a directory reads no file, and with one reads those that it imports there and below, and no
//     other;
//   - building an app runs none of it: the engine compiles, and reaches nothing.
//
// It must not know apps, releases or grants.
//
// Everything is safe for concurrent use.
package python
