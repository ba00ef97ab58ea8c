package turns

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLongTurnsGiveWayInTheKernel: a thread is lowered while it runs a guest for long, and never after the
// turn was given away.
func TestLongTurnsGiveWayInTheKernel(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	policy := func() uint32 {
		attr, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Fatalf("read the policy: %v", err)
		}
		return attr.Policy
	}
	if policy(); !lower() {
		t.Log("this kernel or sandbox does not let threads change their policy: nothing is lowered")
		return
	}
	raise()
	ts := New(1)
	a := ts.Join("o", "a")
	defer a.Leave()
	deadline := time.Now().Add(time.Minute)
	long, short := Of(a, 1), Of(a, 1)
	if err := long.Begin(t.Context(), deadline); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 2*time.Millisecond; {
		if _, err := long.Yield(t.Context(), deadline); err != nil {
			t.Fatal(err)
		}
	}
	if got := policy(); got != unix.SCHED_BATCH {
		t.Errorf("after 2 ms the policy is %d", got)
	}
	long.End()
	if got := policy(); got != unix.SCHED_NORMAL {
		t.Errorf("after the turn the policy is %d", got)
	}
	if err := short.Begin(t.Context(), deadline); err != nil {
		t.Fatal(err)
	}
	_, _ = short.Yield(t.Context(), deadline)
	if got := policy(); got != unix.SCHED_NORMAL {
		t.Errorf("in a turn that just began the policy is %d", got)
	}
	short.End()
}
