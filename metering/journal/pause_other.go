//go:build !linux

package journal

import "time"

// pauser lets one goroutine pause.
type pauser struct{}

func newPauser() *pauser { return nil }

func (*pauser) pause(d time.Duration) { time.Sleep(d) }

func (*pauser) close() {}
