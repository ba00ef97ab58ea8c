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

	owner  *memory.Owner // that a large one is counted for; nil: it is not counted
	shared bool          // large is the code's, which closes it
}

// capture takes the state of an instance between two calls.
func (c *code) capture(in *instance) (*image, error) {
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
	return m, c.hold(m, state, in.slot.owner)
}

// hold keeps a large memory in an image. Programs of one code differ in little after their start-up,
// too: the first one's memory is kept with the code, and of others the pages in which they differ.
func (c *code) hold(m *image, state []byte, owner *memory.Owner) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil {
		if m.large, err = c.base.like(state); err != nil {
			return err
		}
	}
	if owner != nil {
		m.owner = owner.Unbounded() // no call holds it
	}
	if m.large == nil {
		if m.large, err = newPages(state); err != nil {
			return err
		}
		if m.shared = c.base == nil && c.account != nil; m.shared {
			c.base, m.owner = m.large, c.account()
			c.owner = m.owner
		}
	}
	if m.owner != nil {
		m.owner.Force(m.large.filled) // once for all instances, and there already
	}
	return nil
}

// close ends what is kept with a code that no program has any more.
func (c *code) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		return nil
	}
	if c.owner != nil {
		c.owner.Give(c.base.filled)
		c.owner.Leave()
	}
	return c.base.close()
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
	if m.large == nil || m.shared {
		return nil
	}
	if m.owner != nil {
		m.owner.Give(m.large.filled)
	}
	return m.large.close()
}
