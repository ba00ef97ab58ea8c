package budget

import (
	"fmt"
	"sync/atomic"
)

// Budget is a bounded amount of one thing.
type Budget struct {
	name, help string
	limit      atomic.Int64
	used       atomic.Int64
	most       atomic.Int64
	refused    atomic.Uint64
}

// New returns a budget. name is what metrics and the doctor call it, in lower case with
// hyphens, and unit-free; help says in a few words what is counted, with its unit.
func New(name, help string, limit int64) *Budget {
	b := &Budget{name: name, help: help}
	b.limit.Store(limit)
	return b
}

// Take takes n if that much is left, and reports whether it did. n is not negative.
func (b *Budget) Take(n int64) bool {
	for {
		used := b.used.Load()
		if used+n > b.limit.Load() {
			b.refused.Add(1)
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			b.note(used + n)
			return true
		}
	}
}

// Force takes n whether or not it is left: for what has happened already.
func (b *Budget) Force(n int64) { b.note(b.used.Add(n)) }

func (b *Budget) note(now int64) {
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); {
		most = b.most.Load()
	}
}

// Give gives back n that was taken.
func (b *Budget) Give(n int64) {
	if b.used.Add(-n) < 0 {
		panic(fmt.Sprintf("BUG: the budget %s was given back more than was taken", b.name))
	}
}

// SetLimit changes the limit. What is used stays, also if it is more.
func (b *Budget) SetLimit(limit int64) { b.limit.Store(limit) }

// State is a budget at one moment.
type State struct {
	Name, Help string
	Limit      int64
	Used       int64
	Most       int64  // that was ever used
	Refused    uint64 // how often nothing was left
}

// State returns how much is used.
func (b *Budget) State() State {
	return State{b.name, b.help, b.limit.Load(), b.used.Load(), b.most.Load(), b.refused.Load()}
}

// Used returns how much is taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// Limit returns how much there is.
func (b *Budget) Limit() int64 { return b.limit.Load() }
