package door

import "time"

// pace is how a client keeps up with one direction of its connection. Time in which the node
// waits for the network is a debt, which bytes pay off at the least rate; credit is not kept,
// so a client that was fast may not stop for longer than any other.
type pace struct {
	waiting bool
	began   time.Duration // since the door's epoch; of the wait that is under way
	debt    time.Duration
}

func (p *pace) begin(now time.Duration) { p.waiting, p.began = true, now }

// end ends a wait in which n bytes went through.
func (p *pace) end(now time.Duration, n int, rate int64) {
	p.debt = max(0, p.debt+now-p.began-time.Duration(n)*time.Second/time.Duration(rate))
	p.waiting = false
}

// owes returns the debt, with that of the wait that is under way; zero if none is.
func (p *pace) owes(now time.Duration) time.Duration {
	if !p.waiting {
		return 0
	}
	return p.debt + now - p.began
}
