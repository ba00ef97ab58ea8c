package node

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// What the node cannot count may still fill the machine's memory: other processes, the kernel's
// buffers, an estimate that was wrong. Near the limit the node sheds load before the kernel ends
// it: no call begins that needs new memory, and what is idle is given up.
const (
	pressureEvery = 500 * time.Millisecond
	shedAbove     = 90 // percent, see memoryPercent
	serveBelow    = 80
)

// pressure is the shortage of memory, and what is given up for it.
type pressure struct {
	limit int64 // bytes that the node may use
	log   *slog.Logger
	plane *plane
}

// watch sheds load while memory is short.
func (s pressure) watch(ctx context.Context) {
	tick := time.NewTicker(pressureEvery)
	defer tick.Stop()
	for short := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		used := memoryPercent(s.limit, os.ReadFile)
		switch {
		case !short && used > shedAbove:
			short = true
			s.log.Warn("memory is short: calls that need new memory wait, and what is idle is given up", "percent", used, "limit", s.limit)
			s.plane.engine.Press(true)
			s.plane.engine.Relieve()
			s.plane.Host.Shrink()
			debug.FreeOSMemory()
		case short && used < serveBelow:
			short = false
			s.log.Info("memory is no longer short", "percent", used, "limit", s.limit)
			s.plane.engine.Press(false)
		}
	}
}

// memoryPercent returns how much of its memory the node uses, of the limit that it was given or of
// that of a cgroup, whichever is nearer.
func memoryPercent(limit int64, read func(string) ([]byte, error)) int {
	percent := privateMemory(read) * 100 / limit
	for _, g := range memoryCgroups(read) {
		percent = max(percent, g.used(read)*100/g.limit)
	}
	return int(percent)
}

// privateMemory returns the bytes that this process has resident without files and what it shares.
func privateMemory(read func(string) ([]byte, error)) int64 {
	raw, err := read("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}
