package engine

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/internal/budget"
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

	owner    *memory.Owner  // whose guest it is; nil: its memory is not counted
	held     int64          // bytes that were taken for it; at least used
	stack    int64          // bytes besides, that its instance keeps of a call stack
	starved  error          // why there was no more for it to grow
	mappings *budget.Budget // that it takes two of; nil: they are not counted
}

// slotMappings is how many of the kernel's mappings a slot takes, at most: an image may lie in it.
const slotMappings = 2

func newSlot(size int64, owner *memory.Owner, mappings *budget.Budget) (*slot, error) {
	if mappings != nil && !mappings.Take(slotMappings) {
		return nil, fmt.Errorf("%w: the kernel allows no more mappings of memory (vm.max_map_count)", abi.ErrNodeBusy)
	}
	space, err := unix.Mmap(-1, 0, int(max(size, pageSize)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|mapNoReserve)
	if err != nil {
		if mappings != nil {
			mappings.Give(slotMappings)
		}
		return nil, fmt.Errorf("reserve %d bytes of address space: %w", size, err)
	}
	return &slot{space: space, owner: owner, mappings: mappings}, nil
}

// Reallocate is how the engine asks for more: nil refuses.
func (s *slot) Reallocate(size uint64) []byte {
	if size > uint64(len(s.space)) {
		return nil
	}
	if more := int64(size) - s.held; s.owner != nil && more > 0 {
		if err := s.owner.Grow(more); err != nil {
			s.starved = err
			return nil
		}
		s.held += more
	}
	s.used = max(s.used, int(size))
	return s.space[:size:len(s.space)]
}

// busy returns that its memory could not grow, for want of memory for all guests or of its owner's quota.
func (s *slot) busy() error {
	if errors.Is(s.starved, abi.ErrMemoryQuota) {
		return s.starved
	}
	return abi.ErrNodeBusy
}

// keepOnly gives back what is held beyond a size. The memory there must be gone.
func (s *slot) keepOnly(size int64) {
	if s.owner != nil && s.held > size {
		s.owner.Give(s.held - size)
		s.held = size
	}
	s.starved = nil
}

// holdStack counts n bytes of a call stack, in the place of what is counted of one. It reports
// whether there is memory for it.
func (s *slot) holdStack(n int64) bool {
	if s.owner == nil || n == s.stack {
		return true
	}
	if more := n - s.stack; more > 0 && !s.owner.TakeHeap(more) {
		return false
	}
	s.owner.GiveHeap(s.stack - n)
	s.stack = n
	return true
}

// taken returns how many bytes the slot's instance holds.
func (s *slot) taken() int64 { return s.held + s.stack }

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
	s.keepOnly(0)
	s.holdStack(0)
}

// release gives the address space back. Nothing may refer to it any more.
func (s *slot) release() {
	_ = unix.Munmap(s.space) // fails only for what was not mapped
	s.space = nil
	s.keepOnly(0)
	s.holdStack(0)
	if s.mappings != nil {
		s.mappings.Give(slotMappings)
	}
}
