package engine

import "time"

// Part of a streamed answer is given away before its call has ended. So that a
// node that dies in between has not worked for nothing, what the call amounts to
// is told before the first byte, and then each second or each eighth of its fuel,
// whichever is sooner, as long as the guest yields.
const (
	checkpointEvery = time.Second
	checkpointParts = 8
)

func (v *invocation) checkpointDue(now time.Time, used uint64) bool {
	if !v.streams || v.call.Stream == nil || v.call.Checkpoint == nil {
		return false
	}
	return v.saved.IsZero() || now.Sub(v.saved) >= checkpointEvery || used-v.savedFuel >= max(1, v.fuel()/checkpointParts)
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
