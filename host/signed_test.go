//go:build !race

package host_test

import "testing"

// The race detector has pools forget at random what they hold, so that nothing can be counted beside it.

// TestSignedInAllocatesLittle: a request of a person costs hardly more memory than one of nobody: what its call
// is ended by, when the session ends.
func TestSignedInAllocatesLittle(t *testing.T) {
	serve := signedWorld(t)
	count := func(name string) float64 { return testing.AllocsPerRun(200, serve[name]) }
	open, signed, told := count("open"), count("signed"), count("told")
	if signed > open+2 || told > signed {
		t.Errorf("%v allocations open, %v signed in, %v told", open, signed, told)
	}
}
