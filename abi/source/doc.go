// Package source is what a module says that it was made of: the engine inside of it, if it has one,
// and the files that its maker wrote.
//
// It owns two custom sections. "agora-javascript" names the engine, its version and the first file;
// "agora-source" has the files. A signature of the module covers both.
//
// Invariants: what is read is bounded, whoever wrote the module; a module that says nothing has
// neither, and is as good as another. What a module says is its maker's word: whether the files are
// those that the script was made of, only building them again shows.
//
// It must not know any language, nor how a module is built.
//
// Everything is safe for concurrent use.
package source
