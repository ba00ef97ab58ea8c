// Package isolate builds modules of scripts that other people sent, in a process that can be killed.
//
// It owns the child process: its protocol, which is one line of JSON and the script, and what of its
// end is the script's fault.
//
// Invariants:
//   - the child touches no file and no network: it gives that up before it reads the script, and the
//     bundler is told to resolve nothing;
//   - it ends within its bounds, whatever the script is;
//   - what it makes is what languages.Build makes of the same script anywhere.
//
// It must not know who sent a script, nor what becomes of a module.
//
// A Builder is safe for concurrent use.
package isolate
