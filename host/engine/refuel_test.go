package engine

import (
	"testing"
	"time"
)

// TestAskedBetweenPieces: a guest that asks with fuel left, as it does in the middle of a large
// instruction, is granted nothing: it would not ask again for as long as that lasts.
func TestAskedBetweenPieces(t *testing.T) {
	v := &invocation{Context: t.Context(), limits: &Limits{Fuel: 1 << 40}, deadline: time.Now().Add(time.Hour), fuel: allowance{request: 1 << 40, granted: 1 << 20, slice: leastSlice}}
	if left := v.refuel(2 * mostSlice); left != 2*mostSlice || v.fuel.granted != 1<<20 {
		t.Errorf("it goes on with %d units, of %d that were granted", left, v.fuel.granted)
	}
	if left := v.refuel(-1); left <= 0 || left > mostSlice {
		t.Errorf("it goes on with %d units", left)
	}
}
