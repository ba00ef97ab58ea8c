package engine

import (
	"bytes"
	"fmt"
	"os"

	"github.com/tetratelabs/wazero/api"
)

// WithoutPagemap makes as if the kernel could not say what was written.
func WithoutPagemap() (restore func()) {
	before := pagemap
	pagemap = func() *os.File { return nil }
	return func() { pagemap = before }
}

// Waiting returns the one instance that waits for a request, nil if there is none,
// and in what it differs from its program's image. It may be small or large.
func (p *Program) Waiting() (module api.Module, differs string) {
	if len(p.pool.ready) != 1 {
		return nil, fmt.Sprintf("%d instances wait", len(p.pool.ready))
	}
	in, m := p.pool.ready[0], p.pool.image
	want := make([]byte, m.size)
	copy(want[m.at:], m.small)
	if m.large != nil {
		copy(want, m.large.view)
	}
	switch memory, _ := in.memory.Read(0, in.memory.Size()); {
	case len(memory) != m.size:
		return in.module, fmt.Sprintf("it has %d bytes of memory, and the image %d", len(memory), m.size)
	case !bytes.Equal(memory, want):
		return in.module, "its memory is another"
	case !zero(in.slot.space[m.size:]):
		return in.module, "there is something behind its memory"
	case in.fuel.Get() != 0 || in.depth.Get() != 0 || in.refused.Get() != 0:
		return in.module, "its counters are not zero"
	}
	for i, g := range in.globals {
		if g.Get() != m.globals[i] {
			return in.module, fmt.Sprintf("global %d is %d, and in the image %d", i, g.Get(), m.globals[i])
		}
	}
	return in.module, ""
}

// StackSize is how much the one instance that waits keeps of a call stack.
func (p *Program) StackSize() int { return p.pool.ready[0].stack.Len() }
