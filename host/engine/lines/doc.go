// Package lines finds out which line of source a place in compiled code came
// from, for the developer who reads why their app trapped.
//
// Three maps are laid over each other when a module is compiled: machine code to
// the module that was compiled (the compiler's own, see Read), that module to the
// author's (see origins), and the author's module to source lines (DWARF, see
// source). What is kept is one small table (see Table), which no one reads
// before there is a trap to be explained.
//
// Invariants:
//   - DWARF is untrusted: whatever it says, work and memory are bounded, and the
//     worst that comes of it is a wrong file name in its own author's log;
//   - what is not known is left out, and never guessed from a neighbour function.
//
// It must not know how code runs, or where tables are stored. Its functions are
// pure and safe for concurrent use.
package lines
