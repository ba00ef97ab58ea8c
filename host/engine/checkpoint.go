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

func (v *invocation) checkpointDue(now time.Time, used uint64) bool {
	return v.checkpoints() && (v.saved.IsZero() || now.Sub(v.saved) >= checkpointEvery || v.toCheckpoint(used) == 0)
}

// checkpoints reports whether part of the answer may be given away before the call has ended.
func (v *invocation) checkpoints() bool {
	return v.streams && v.call.Stream != nil && v.call.Checkpoint != nil
}

// toCheckpoint returns how much more fuel a call that has used so much may spend before the next
// checkpoint is due. No slice is longer: a quick guest on a quick machine, whose slices are large,
// would otherwise run past it.
func (v *invocation) toCheckpoint(used uint64) uint64 {
	if !v.checkpoints() {
		return math.MaxUint64
	}
	due := v.savedFuel + max(1, v.fuel()/checkpointParts)
	return due - min(due, used)
}

// checkpoint tells what was used so far. A node that cannot note it down stops the
// guest. It runs in host time.
func (v *invocation) checkpoint(now time.Time, used uint64) {
	host := v.host
	if !v.hostSince.IsZero() {
		host += now.Sub(v.hostSince)
	}
	err := v.call.Checkpoint(Result{
		BodyBytes: v.sent, Instructions: used, Host: host, Guest: max(0, now.Sub(v.began)-host), MemoryPeak: int64(v.in.memory.Size()),
	})
	if err != nil {
		v.halt(err)
	}
	v.saved, v.savedFuel = now, used
}
