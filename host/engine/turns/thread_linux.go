package turns

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel has a queue of its own. A thread that runs a guest for long asks to be preempted by
// all others (SCHED_BATCH) and to run long when it does; the others ask for short slices, so that
// whoever wakes up to serve a request is run soon. Neither takes a privilege. Custom slices are of
// Linux 6.12; earlier kernels ignore them.
const (
	shortSlice = 100 * time.Microsecond
	longSlice  = 20 * time.Millisecond
)

// unavailable is set when the kernel, or a sandbox around this process, refuses.
var unavailable atomic.Bool

// lower makes this goroutine's thread one that runs a guest for long, until raise.
func lower() bool {
	if unavailable.Load() {
		return false
	}
	runtime.LockOSThread()
	if !schedule(0, unix.SCHED_BATCH, longSlice) {
		unavailable.Store(true)
		runtime.UnlockOSThread()
		return false
	}
	return true
}

// raise undoes lower.
func raise() {
	schedule(0, unix.SCHED_NORMAL, shortSlice)
	runtime.UnlockOSThread()
}

func schedule(thread int, policy uint32, slice time.Duration) bool {
	attr := unix.SchedAttr{Policy: policy, Runtime: uint64(slice)}
	attr.Size = uint32(unsafe.Sizeof(attr))
	return unix.SchedSetAttr(thread, &attr, 0) == nil
}

// ShortSlices has the kernel give this process's threads short slices, and those that they make. It
// is called once, when a process begins that is a node.
func ShortSlices() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			schedule(id, unix.SCHED_NORMAL, shortSlice)
		}
	}
}
