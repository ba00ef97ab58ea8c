package host

import (
	"os"
	"runtime"
)

// SpareProcessor gives Go one processor more than the machine, or the cgroup's quota, has, unless
// GOMAXPROCS is set in the environment. It is called once, when the process begins.
//
// Go polls the network only from a processor that looks for work. With all of them in guests that
// happens each 10 ms; so one stays without, and the kernel shares the rest. From then on Go no
// longer follows a quota that changes while the process runs.
func SpareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// guestProcessors is how many guests run at once.
func guestProcessors() int { return max(1, runtime.GOMAXPROCS(0)-1) }
