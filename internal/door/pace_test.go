package door

import (
	"testing"
	"time"
)

// TestPace: a wait is a debt that bytes pay off, and credit is not kept.
func TestPace(t *testing.T) {
	var p pace
	const rate = 1000
	wait := func(from, to time.Duration, n int) { p.begin(from); p.end(to, n, rate) }
	wait(0, time.Second, 1_000_000) // a second, and bytes for a thousand of them
	p.begin(10 * time.Second)
	if got := p.owes(15 * time.Second); got != 5*time.Second {
		t.Errorf("after a fast piece, 5 s are %s", got)
	}
	p.end(15*time.Second, 2000, rate)
	if p.owes(20*time.Second) != 0 {
		t.Error("it owes while nothing waits for it")
	}
	p.begin(20 * time.Second)
	if got := p.owes(21 * time.Second); got != 4*time.Second {
		t.Errorf("5 s less 2,000 bytes, and a second more, are %s", got)
	}
}
