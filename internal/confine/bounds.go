package confine

import "strconv"

const (
	mib = 1 << 20
	gib = 1 << 30
)

// Bounds are what a process may use to compile a module.
type Bounds struct {
	Memory uint64 `json:"memory"` // bytes of address space, beyond what the process has when it starts
	CPU    uint64 `json:"cpu"`    // seconds
	File   uint64 `json:"file"`   // bytes of the largest file that it writes
}

// For returns the bounds for a module of this many bytes. A Go program of 3 MB, which has 4 MB
// when it counts its instructions, takes a third of the memory and a tenth of the time.
func For(module int) Bounds {
	n := uint64(module)
	return Bounds{Memory: 512*mib + 64*n, CPU: 20 + 5*(n+mib-1)/mib, File: 64*mib + 16*n}
}

// AtMost lowers the bounds to these, where they are not zero.
func (b Bounds) AtMost(most Bounds) Bounds {
	lower := func(a, most uint64) uint64 {
		if most == 0 {
			return a
		}
		return min(a, most)
	}
	return Bounds{lower(b.Memory, most.Memory), lower(b.CPU, most.CPU), lower(b.File, most.File)}
}

// Env returns the whole environment of the process.
func (b Bounds) Env() []string {
	// Go collects harder as it comes near its limit, which is cheaper than to fail at it.
	return []string{"GOMAXPROCS=2", "GOMEMLIMIT=" + strconv.FormatUint(b.Memory/4*3, 10)}
}

// files is how many descriptors the process may have open.
const files = 64
