package journal

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pauser lets one goroutine pause for less than a millisecond, which is the least
// that Go's own timers can wait for on Linux when nothing else runs: they end in
// epoll_wait. It holds no thread meanwhile.
type pauser struct {
	fd    int
	timer *os.File
}

// newPauser returns nil if the system has no such timers; that does not pause.
func newPauser() *pauser {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &pauser{fd, os.NewFile(uintptr(fd), "timerfd")}
}

func (p *pauser) pause(d time.Duration) {
	if p == nil {
		return
	}
	var expired [8]byte
	if unix.TimerfdSettime(p.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}, nil) == nil {
		_, _ = p.timer.Read(expired[:])
	}
}

func (p *pauser) close() {
	if p != nil {
		_ = p.timer.Close()
	}
}
