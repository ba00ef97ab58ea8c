// Package javascript makes an ordinary module of JavaScript or TypeScript: a bundle of the app's files and
// packages, beside a JavaScript engine that speaks interface abi/v1. What is made is signed, limited, metered
// and granted as any other module.
//
// It owns the engine (directory engine: QuickJS-ng with the web's classes in C; directory prelude: those that
// are written in JavaScript), its version, and the packer, which puts a script into the engine's memory.
//
// Invariants:
//   - the same files and the same engine make the same bytes, on every machine, and no path of the machine
//     is among them;
//   - a Source without a directory reads no file: whatever it imports is refused;
//   - modules of the same capabilities differ in data only, so that a node compiles their code once;
//   - a module imports the capabilities that its manifest lists, and no others.
//
// It must not know how modules run, nor apps, releases or grants. It is the one importer of esbuild.
//
// Everything is safe for concurrent use.
package javascript
