package fuel

import "fmt"

// Table is a version of the cost table in the package's documentation. A release keeps the one
// it was published with, so that what it costs changes with its code alone.
type Table int

const (
	Table1 Table = 1
	Table2 Table = 2
	Table3 Table = 3
	// Newest is the table for what is published now.
	Newest = Table3
)

// What the node's work costs from Table2 on.
const (
	HostCall       = 512  // a call of a WASI function
	HostCapability = 1024 // a call of a capability's function, or of a stream's
	HostPoll       = 8192 // poll_oneoff, on top: the guest waits
	HostPiece      = 8192 // a piece of a response that is sent, on top
	HostItem       = 256  // each vector, subscription, argument or variable
	HostRandomByte = 8    // each byte of randomness
)

// Copying returns what it costs to move n bytes between the guest and the node.
func Copying(n int) uint64 { return (uint64(n) + 7) / 8 }

// ChargesHost reports whether the node's work is charged for.
func (t Table) ChargesHost() bool { return t.orNewest() >= Table2 }

// chargesBlocks reports whether `block` costs one. It is no work: a compiler makes no code of it.
func (t Table) chargesBlocks() bool { return t < Table3 }

// orNewest makes the newest of no table.
func (t Table) orNewest() Table {
	if t == 0 {
		return Newest
	}
	return t
}

// check returns an error for a table that this version does not know.
func (t Table) check() error {
	if t < Table1 || t > Newest {
		return fmt.Errorf("its cost table is %d, and this version counts by tables %d to %d: run the version of Agora that published it, or a newer one", t, Table1, Newest)
	}
	return nil
}
