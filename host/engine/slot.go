package engine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// smallMemory is up to where copying a whole memory is cheaper than finding out
// what changed in it.
const smallMemory = 256 << 10

// slot is a piece of address space for the memory of one instance at a time: as
// large as the memory may become, so that it never moves, and outside of Go's
// heap, so that no collector looks at it.
type slot struct {
	space []byte
	used  int // bytes from the start that may not be zero
}

func newSlot(size int64) (*slot, error) {
	space, err := unix.Mmap(-1, 0, int(max(size, pageSize)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|mapNoReserve)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of address space: %w", size, err)
	}
	return &slot{space: space}, nil
}

// Reallocate is how the engine asks for more: nil refuses.
func (s *slot) Reallocate(size uint64) []byte {
	if size > uint64(len(s.space)) {
		return nil
	}
	s.used = max(s.used, int(size))
	return s.space[:size:len(s.space)]
}

// Free is called when an instance is closed. The slot lives on.
func (s *slot) Free() {}

// wipe makes all of it zero again.
func (s *slot) wipe() {
	if s.used <= smallMemory {
		clear(s.space[:s.used])
	} else {
		discard(s.space[:s.used])
	}
	s.used = 0
}

// release gives the address space back. Nothing may refer to it any more.
func (s *slot) release() {
	_ = unix.Munmap(s.space) // fails only for what was not mapped
	s.space = nil
}
