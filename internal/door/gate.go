package door

import (
	"context"
	"sync"
)

// gate bounds how many handshakes take processor time at once. Addresses take turns at it, so
// that one with many does not keep others waiting for more than one of its own at a time.
type gate struct {
	mu    sync.Mutex // guards all below
	free  int
	lines map[*caller][]*turn // that wait, of each address; none is empty
	order []*caller           // whose turn comes next
}

// turn is one handshake's at a gate.
type turn struct {
	gate   *gate
	called chan struct{} // closed when it has its place
	left   bool          // its handshake's alone
}

func newGate(free int) *gate { return &gate{free: free, lines: map[*caller][]*turn{}} }

// enter waits for a place, which leave gives back.
func (g *gate) enter(ctx context.Context, from *caller) (*turn, error) {
	t := &turn{gate: g, called: make(chan struct{})}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return t, nil
	}
	if len(g.lines[from]) == 0 {
		g.order = append(g.order, from)
	}
	g.lines[from] = append(g.lines[from], t)
	g.mu.Unlock()
	select {
	case <-t.called:
		return t, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	for i, waiting := range g.lines[from] {
		if waiting == t {
			g.remove(from, i)
			g.mu.Unlock()
			return nil, ctx.Err()
		}
	}
	g.mu.Unlock()
	t.leave() // it was called just now
	return nil, ctx.Err()
}

// remove takes one out of its address' line. It is called with g.mu held.
func (g *gate) remove(from *caller, i int) {
	line := g.lines[from]
	if line = append(line[:i:i], line[i+1:]...); len(line) > 0 {
		g.lines[from] = line
		return
	}
	delete(g.lines, from)
	for i, c := range g.order {
		if c == from {
			g.order = append(g.order[:i:i], g.order[i+1:]...)
			return
		}
	}
}

// leave gives a place to the next address. It may be called again, and on nil.
func (t *turn) leave() {
	if t == nil || t.left {
		return
	}
	t.left = true
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.order) == 0 {
		g.free++
		return
	}
	from := g.order[0]
	next := g.lines[from][0]
	g.remove(from, 0)
	if len(g.lines[from]) > 0 { // to the end
		for i, c := range g.order {
			if c == from {
				g.order = append(append(g.order[:i:i], g.order[i+1:]...), from)
				break
			}
		}
	}
	close(next.called)
}
