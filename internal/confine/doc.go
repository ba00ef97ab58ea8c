// Package confine bounds the process that compiles modules, for good and from inside: what it
// may use, and what it may touch.
//
// The compiler reads hostile bytes. If a module found a defect in it, its code would run with
// the node's rights: the data directory, the keys in it, the network. So before the first byte
// of a module is read, the process gives up all but one directory (Landlock) and all but the
// system calls that compiling takes (seccomp), and takes limits that follow from the module's
// size.
//
// Invariants:
//   - Self either holds completely or returns an error: what the system has is used, and
//     Missing names what it has not;
//   - a refused system call fails with an error and kills nothing, so that a process that ended
//     by a signal was ended by its limits;
//   - the bounds depend on the module's size alone.
//
// It must not know what is compiled, or how. It is the only importer of the Landlock and
// seccomp libraries. Self changes all threads of the process; it is called once.
package confine
