package metering

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Span is when something was: at first, and at last.
type Span struct{ First, Last time.Time }

// during notes when a use was.
func (c *cell) during(u abi.Use, span Span) {
	u.N = 0
	was, known := c.times[u]
	switch {
	case c.times == nil:
		c.times = map[abi.Use]Span{}
	case known:
		if was.First.Before(span.First) {
			span.First = was.First
		}
		span.Last = later(was.Last, span.Last)
	}
	c.times[u] = span
}

// Done is something that calls did, and when.
type Done struct {
	abi.Use
	Span
}

// Did returns what calls in a cell did with capabilities since it was as before. What no call caused,
// such as what is kept, is none of it. Where the cell does not say when a use was, it was in its hour.
func (c *Cell) Did(before Usage) (did []Done) {
	if c.Trigger == TriggerNone || c.Release <= 0 {
		return nil
	}
	for _, u := range joinUses(c.Uses, before.Uses, minus) {
		n := u.N
		u.N = 0
		span, known := c.Times[u]
		if !known {
			span = Span{c.Hour, c.Hour}
		}
		u.N = n
		did = append(did, Done{u, span})
	}
	return did
}

// Unstored returns, by release, what calls of an app did that is counted and that the store does not
// have yet.
func (m *Meter) Unstored(app string) map[int][]Done { return m.writer.unstored(app) }

func (w *writer) unstored(app string) map[int][]Done {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[int][]Done{}
	for _, e := range w.all() {
		if e.merged {
			continue
		}
		for k, u := range e.cells.m {
			if k.App == app && u.changed != u.flushed {
				c := Cell{Key: k, Usage: u.Usage, Times: u.times}
				all[k.Release] = append(all[k.Release], c.Did(Usage{Uses: u.stored})...)
			}
		}
	}
	return all
}
