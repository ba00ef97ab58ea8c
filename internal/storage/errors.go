package storage

import "errors"

var (
	// ErrCorrupt: stored bytes are not those that were written.
	ErrCorrupt = errors.New("stored bytes are damaged")
	// ErrUnwritable: a change could not be made durable, and did not happen.
	ErrUnwritable = errors.New("the node's disk takes no writes")
	// ErrReserve: what is left of the disk is kept for what runs.
	ErrReserve = errors.New("the rest of the disk is kept for running apps")
)
