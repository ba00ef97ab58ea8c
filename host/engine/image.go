package engine

import (
	"bytes"
	"slices"

	"github.com/agora-host/agora/host/engine/memory"
)

// image is the state in which a request finds an instance: its memory and its
// globals. It never changes.
type image struct {
	cold    bool   // it was taken before start-up, which each request runs
	small   []byte // of a small memory what lies between the zeros at its start and its end
	at      int    // where that is
	large   *pages // otherwise
	size    int    // bytes of memory
	globals []uint64

	owner *memory.Owner // that a large one is counted for; nil: it is not counted
}

// capture takes the state of an instance between two calls.
func capture(in *instance) (*image, error) {
	state := in.slot.space[:in.memory.Size()]
	m := &image{size: len(state)}
	for _, g := range in.globals {
		m.globals = append(m.globals, g.Get())
	}
	if len(state) <= smallMemory {
		filled := bytes.TrimLeft(state, "\x00")
		m.at = len(state) - len(filled)
		m.small = bytes.Clone(bytes.TrimRight(filled, "\x00"))
		return m, nil
	}
	var err error
	if m.large, err = newPages(state); err == nil && in.slot.owner != nil {
		m.owner = in.slot.owner
		m.owner.Force(m.large.filled) // once for all instances, and there already
	}
	return m, err
}

// adopt gives a new instance this state, whatever its own is. Its memory must
// not be larger than the image's.
func (m *image) adopt(in *instance) error {
	if grow := (m.size - int(in.memory.Size())) / pageSize; grow > 0 {
		if _, ok := in.memory.Grow(uint32(grow)); !ok {
			return errImage
		}
	}
	if m.large != nil {
		if err := m.large.adopt(in.slot); err != nil {
			return err
		}
	} else {
		m.copySmall(in.slot.space[:m.size])
	}
	m.setGlobals(in)
	in.image = m
	return nil
}

// copySmall makes a small memory what it was. Pages that are zero and have to be
// are only read: a page that nobody ever wrote to takes no room.
func (m *image) copySmall(memory []byte) {
	clearWritten(memory[:m.at])
	n := m.at + copy(memory[m.at:], m.small)
	head := min(-n&(len(zeroPage)-1), len(memory)-n) // up to the next page
	clearWritten(memory[n : n+head])
	clearWritten(memory[n+head:])
}

// clearWritten makes memory zero, page by page where it is not.
func clearWritten(memory []byte) {
	for part := range slices.Chunk(memory, len(zeroPage)) {
		if !bytes.Equal(part, zeroPage[:len(part)]) {
			clear(part)
		}
	}
}

var zeroPage [4096]byte

// restore puts an instance that has this state's size back to it. It answers
// false if the instance cannot be used again.
func (m *image) restore(in *instance) bool {
	if !in.shrink(m.size) {
		return false
	}
	if m.large != nil {
		m.large.restore(in.slot)
	} else {
		m.copySmall(in.slot.space[:m.size])
	}
	m.setGlobals(in)
	return true
}

func (m *image) setGlobals(in *instance) {
	for i, g := range in.globals {
		g.Set(m.globals[i])
	}
}

func (m *image) close() error {
	if m.large == nil {
		return nil
	}
	if m.owner != nil {
		m.owner.Give(m.large.filled)
	}
	return m.large.close()
}
