// Package script is what all languages share whose scripts become modules: the source that is given, what is said
// of it, and the packer, which puts a script into an engine's memory.
//
// Invariants:
//   - modules of the same engine and the same capabilities differ in data only, so that a node compiles their code
//     once;
//   - a module imports the capabilities that its manifest lists, and no others.
//
// It must not know any language, nor how modules run, nor apps, releases or grants.
//
// Everything is safe for concurrent use.
package script
