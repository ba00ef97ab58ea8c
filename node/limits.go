package node

import (
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/agora-host/agora/host/engine/turns"
)

// TuneProcess fits Go's runtime to the machine, once, when a process begins that is a node. It
// changes nothing that the environment sets (GOMAXPROCS, GOMEMLIMIT).
//
// Go is given one processor more than the machine, or the cgroup's quota, has. It polls the
// network only from a processor that looks for work, and with all of them in guests that happens
// each 10 ms; so one stays without guests, and the kernel shares the rest. From then on Go no
// longer follows a quota that changes while the process runs.
//
// The collector is told of a limit for Go's own memory, a quarter of memory bytes (0: of what
// there is), since guests' memory and the kernel's buffers are none that it sees.
func TuneProcess(memory int64) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	turns.ShortSlices()
	if memory == 0 {
		memory = machineMemory()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory / 4)
	}
}

// guestProcessors is how many guests run at once.
func guestProcessors() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// machineMemory returns how many bytes of memory this process may use: what the machine has, or
// the least limit of a cgroup that it is in. Where neither can be read, it is 2 GiB.
func machineMemory() int64 {
	least := int64(math.MaxInt64)
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		least = memTotal(raw)
	}
	for _, g := range memoryCgroups(os.ReadFile) {
		least = min(least, g.limit)
	}
	if least == math.MaxInt64 {
		return 2 << 30
	}
	return least
}

// memTotal reads /proc/meminfo.
func memTotal(meminfo []byte) int64 {
	for line := range strings.Lines(string(meminfo)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kib, err := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64); err == nil && kib > 0 {
				return kib << 10
			}
		}
	}
	return math.MaxInt64
}

// cgroup is a cgroup that bounds this process's memory.
type cgroup struct {
	limit int64 // bytes
	dir   string
	files cgroupFiles
}

// cgroupFiles are the names of a version's files.
type cgroupFiles struct{ root, limit, usage, reclaimable string }

var (
	cgroup1 = cgroupFiles{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "}
	cgroup2 = cgroupFiles{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "}
)

// memoryCgroups returns the cgroups with a memory limit that this process is in, those above
// included. In a container the names in /proc may be those outside of it; the root is then its own.
func memoryCgroups(read func(string) ([]byte, error)) (all []cgroup) {
	raw, err := read("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		files := cgroup1
		if fields[0] == "0" && fields[1] == "" {
			files = cgroup2
		} else if !strings.Contains(","+fields[1]+",", ",memory,") {
			continue
		}
		for at := path.Clean("/" + fields[2]); ; at = path.Dir(at) {
			g := cgroup{dir: path.Join(files.root, at), files: files}
			// Without a limit, version 2 says "max" and version 1 the largest number of pages.
			if g.limit = g.number(read, files.limit); g.limit > 0 && g.limit < math.MaxInt64/2 {
				all = append(all, g)
			}
			if at == "/" {
				break
			}
		}
	}
	return all
}

// number reads a file with one number; 0 if it is not there or no number.
func (g cgroup) number(read func(string) ([]byte, error), file string) int64 {
	raw, err := read(path.Join(g.dir, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n
}

// used returns how many bytes are in use without those that the kernel can take back at once.
func (g cgroup) used(read func(string) ([]byte, error)) int64 {
	now := g.number(read, g.files.usage)
	raw, err := read(path.Join(g.dir, "memory.stat"))
	if err != nil {
		return now
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, g.files.reclaimable); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			now -= n
		}
	}
	return now
}

// mappingsLimit is how many of the kernel's mappings guests may take: three quarters of what a
// process may have. Go itself does not survive that there are no more.
func mappingsLimit() int64 {
	limit := int64(65530)
	if raw, err := os.ReadFile("/proc/sys/vm/max_map_count"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil {
			limit = n
		}
	}
	return limit / 4 * 3
}
