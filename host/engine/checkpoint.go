package engine

import (
	"math"
	"time"
)

// Part of a streamed answer is given away before its call has ended. So that a
// node that dies in between has not worked for nothing, what the call amounts to
// is told before the first byte, and then each second or each eighth of its fuel,
// whichever is sooner, as long as the guest yields.
const (
	checkpointEvery = time.Second
	checkpointParts = 8
)

// checkpoints are those of one call. The zero value is of a call that has none.
type checkpoints struct {
	part  uint64    // of the call's fuel, after which one is due; 0: there are none
	saved time.Time // when the last one was; zero: there was none yet
	used  uint64    // what was used then
}

// begin has a call tell checkpoints from now on: what it makes goes out, and it may spend so much fuel.
func (c *checkpoints) begin(fuel uint64) { c.part = max(1, fuel/checkpointParts) }

// due reports whether a call that has used so much needs a checkpoint now.
func (c *checkpoints) due(now time.Time, used uint64) bool {
	return c.part > 0 && (c.saved.IsZero() || now.Sub(c.saved) >= checkpointEvery || c.left(used) == 0)
}

// left returns how much more fuel a call that has used so much may spend before the next checkpoint
// is due. No slice is longer: a quick guest on a quick machine, whose slices are large, would
// otherwise run past it.
func (c *checkpoints) left(used uint64) uint64 {
	if c.part == 0 {
		return math.MaxUint64
	}
	due := c.used + c.part
	return due - min(due, used)
}

// checkpoint tells what was used so far. A node that cannot note it down stops the
// guest. It runs in host time.
func (v *invocation) checkpoint(now time.Time, used uint64) {
	host := v.host.total(now)
	err := v.call.Checkpoint(Result{
		BodyBytes: v.sent, Instructions: used, Host: host, Guest: max(0, now.Sub(v.began)-host), MemoryPeak: int64(v.in.memory.Size()),
	})
	if err != nil {
		v.halt(err)
	}
	v.checkpoints.saved, v.checkpoints.used = now, used
}
