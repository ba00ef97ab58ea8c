// Package static owns the archive of files that a release carries: a ZIP file in
// a custom section of its module, so that they are signed with it.
//
// Invariants: packing the same files makes the same bytes; an archive that was
// opened is whole, within the bounds below, and has only plain relative names,
// each once. It must not know HTTP. An Archive is immutable.
package static
