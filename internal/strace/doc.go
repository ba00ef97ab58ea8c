// Package strace owns how a test sees each file operation of another process: it
// records the process's system calls with strace(1), and plays the record on a
// model of a disk.
//
// What must stay true: nothing is left out. A line that is not understood, a call
// that changes something in the watched directory and is none of those played, and
// one that fails, each end the playing with an error. Whoever has played a whole
// record compares the disk with the real directory: bytes that came another way,
// such as through a mapping, show there.
//
// Order: strace writes a call down before the kernel runs it and again after it
// has returned, before the thread goes on, and handles one such stop at a time. So
// if one call was made because another had returned, in whatever threads, the
// record has them in this order. A response that is being written to a socket can
// only rest on the syncs whose ends stand above it.
//
// It must not know what runs. Linux alone has strace; on others nothing can be
// recorded. Not safe for concurrent use.
package strace
