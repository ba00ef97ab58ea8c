package metering

import (
	"maps"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

// maxCellUses bounds the subjects that one cell keeps apart. What goes beyond is
// journaled and counted under abi.OtherSubject.
const maxCellUses = 512

// cells are the cumulative usages of one epoch.
type cells struct{ m map[Key]*cell }

type cell struct {
	Key
	Usage
	changed uint64 // how often; a flush remembers how often it was then
	flushed uint64
	stored  []abi.Use            // those of its uses that the store has
	times   map[abi.Use]Span     // when each was, by the use with N zero
	named   map[abi.Use]struct{} // uses that were let in, with N zero; nil until one was
}

func newCells() cells { return cells{map[Key]*cell{}} }

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

func (c cells) at(hour time.Time, tags *Tags) *cell {
	k := Key{Hour: hour, Tags: *tags}
	found := c.m[k]
	if found == nil {
		found = &cell{Key: k}
		c.m[k] = found
	}
	return found
}

// add counts what v did. Uses that the cell has no room for were renamed before.
func (c *cell) add(at time.Time, calls uint64, v *Invocation) {
	c.changed++
	c.Calls = plus(c.Calls, calls)
	c.Counts.gather(&v.Counts)
	if v.Fault != "" {
		if c.Errors == nil {
			c.Errors = map[string]uint64{}
		}
		c.Errors[v.Fault] = plus(c.Errors[v.Fault], calls)
	}
	for _, u := range v.Uses {
		c.use(u)
		c.during(u, Span{at, at})
	}
}

// admit returns uses whose subjects the cell has room for. It happens before they
// are journaled, so that whoever reads the journal counts the same.
func (c *cell) admit(uses []abi.Use) []abi.Use {
	if len(uses) == 0 {
		return uses
	}
	if c.named == nil {
		c.named = map[abi.Use]struct{}{}
	}
	renamed := false
	for i, u := range uses {
		u.N = 0
		if _, known := c.named[u]; known {
			continue
		}
		if len(c.named) < maxCellUses {
			c.named[u] = struct{}{}
			continue
		}
		if !renamed {
			uses, renamed = slices.Clone(uses), true
		}
		uses[i].Subject = abi.OtherSubject
	}
	if !renamed {
		return uses
	}
	slices.SortFunc(uses, compareUses)
	return mergeSame(uses)
}

// mergeSame joins neighbours that differ in nothing but their number.
func mergeSame(sorted []abi.Use) []abi.Use {
	kept := sorted[:0]
	for _, u := range sorted {
		if n := len(kept); n > 0 && compareUses(kept[n-1], u) == 0 {
			kept[n-1].N = plus(kept[n-1].N, u.N)
			continue
		}
		kept = append(kept, u)
	}
	return kept
}

// max makes every cell at least what another journal of the same epoch says.
func (c cells) max(o cells) {
	for k, u := range o.m {
		here := c.at(k.Hour, &k.Tags)
		here.Usage = here.Usage.Max(u.Usage)
		for use, span := range u.times {
			here.during(use, span)
		}
		here.changed++
	}
}

// list copies the cells out, as belonging to an epoch: all, or those that
// changed since they were flushed.
func (c cells) list(node string, epoch uint64, changed bool) []Cell {
	all := make([]Cell, 0, len(c.m))
	for k, u := range c.m {
		if u.IsZero() || changed && u.changed == u.flushed {
			continue
		}
		one := Cell{Node: node, Epoch: epoch, Key: k, Usage: u.Usage}
		one.Errors, one.Uses = maps.Clone(u.Errors), slices.Clone(u.Uses)
		all = append(all, one)
	}
	return all
}

// timed says of listed cells when their uses were.
func (c cells) timed(all []Cell) []Cell {
	for i := range all {
		if u := c.m[all[i].Key]; u != nil {
			all[i].Times = maps.Clone(u.times)
		}
	}
	return all
}

// total sums all cells.
func (c cells) total() Usage {
	var sum Usage
	for _, u := range c.m {
		sum = sum.Add(u.Usage)
	}
	return sum
}

// versions remembers how often each cell had changed.
func (c cells) versions() map[Key]uint64 {
	seen := make(map[Key]uint64, len(c.m))
	for k, u := range c.m {
		if u.changed != u.flushed {
			seen[k] = u.changed
		}
	}
	return seen
}

// flushed notes that the cells are stored as they were.
func (c cells) flushed(was []Cell, versions map[Key]uint64) {
	for k, n := range versions {
		if u := c.m[k]; u != nil {
			u.flushed = max(u.flushed, n)
		}
	}
	for i := range was {
		if u := c.m[was[i].Key]; u != nil {
			u.stored = was[i].Uses
		}
	}
}

// forget drops cells of hours before until, which are stored and will not grow.
func (c cells) forget(until time.Time) {
	for k, u := range c.m {
		if k.Hour.Before(until) && u.changed == u.flushed {
			delete(c.m, k)
		}
	}
}
