package node

import (
	"io/fs"
	"testing"
)

// files stands for what the kernel shows.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func TestMemoryOfCgroups(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
		limit int64 // the least
		// percent of 1000 bytes that are the node's, or of a cgroup's
		percent int
	}{
		{"none", files{}, 0, 0},
		{"version 2, without a limit", files{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 0, 0},
		{"version 2, the one above has less", files{
			"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "4000\n", "/sys/fs/cgroup/a/memory.max": "2000\n",
			"/sys/fs/cgroup/a/b/memory.current": "100\n", "/sys/fs/cgroup/a/memory.current": "1500\n", "/sys/fs/cgroup/a/memory.stat": "anon 900\ninactive_file 500\nactive_file 100\n",
		}, 2000, 50},
		{"version 2, in a container", files{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "3000\n", "/sys/fs/cgroup/memory.current": "2700\n"}, 3000, 90},
		{"version 1", files{
			"/proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/x\n0::/\n", "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "5000\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "/sys/fs/cgroup/memory/x/memory.usage_in_bytes": "2000\n",
			"/sys/fs/cgroup/memory/x/memory.stat": "inactive_file 7\ntotal_inactive_file 1000\n",
		}, 5000, 20},
		{"version 1, named from outside of the container", files{"/proc/self/cgroup": "4:memory:/docker/abc\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "6000\n"}, 6000, 0},
		{"its own pages", files{"/proc/self/statm": "9 3 1 0 0 0 0\n"}, 0, 2 * 4096 * 100 / 1000},
		{"nonsense", files{"/proc/self/cgroup": "x\n0::\n:::\n", "/proc/self/statm": "1"}, 0, 0},
	} {
		least := int64(0)
		for _, g := range memoryCgroups(c.files.read) {
			if least == 0 || g.limit < least {
				least = g.limit
			}
		}
		if got := memoryPercent(1000, c.files.read); least != c.limit || got != c.percent {
			t.Errorf("%s: limit %d, %d %%; want %d, %d %%", c.name, least, got, c.limit, c.percent)
		}
	}
	if got := memTotal([]byte("MemFree: 1 kB\nMemTotal:       24000 kB\n")); got != 24000<<10 {
		t.Errorf("the machine has %d", got)
	}
	if machineMemory() < leastMemory {
		t.Errorf("this machine has %d", machineMemory())
	}
}
