package metering

import (
	"maps"
	"time"
)

// cells are the cumulative usages of one epoch.
type cells struct{ m map[Key]*Usage }

func newCells() cells { return cells{map[Key]*Usage{}} }

func (c cells) add(v *Invocation) {
	k := Key{
		Hour: v.At.UTC().Truncate(time.Hour), App: v.App, Release: v.Release,
		Tier: v.Tier, CostCenter: v.CostCenter, Team: v.Team,
	}
	u := c.m[k]
	if u == nil {
		u = &Usage{}
		c.m[k] = u
	}
	u.Calls++
	u.Counts = u.Counts.Add(v.Counts)
	if v.Fault != "" {
		if u.Errors == nil {
			u.Errors = map[string]uint64{}
		}
		u.Errors[v.Fault]++
	}
}

// list copies the cells out, as belonging to an epoch.
func (c cells) list(epoch uint64) []Cell {
	all := make([]Cell, 0, len(c.m))
	for k, u := range c.m {
		cell := Cell{Epoch: epoch, Key: k, Usage: *u}
		cell.Errors = maps.Clone(u.Errors)
		all = append(all, cell)
	}
	return all
}

// Add sums two usages of different cells.
func (u Usage) Add(o Usage) Usage {
	sum := Usage{Calls: u.Calls + o.Calls, Errors: maps.Clone(u.Errors), Counts: u.Counts.Add(o.Counts)}
	for kind, n := range o.Errors {
		if sum.Errors == nil {
			sum.Errors = map[string]uint64{}
		}
		sum.Errors[kind] += n
	}
	return sum
}

// Failed is the number of calls that ended in an error.
func (u Usage) Failed() uint64 {
	var n uint64
	for _, v := range u.Errors {
		n += v
	}
	return n
}
