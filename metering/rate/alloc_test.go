//go:build !race

package rate

import (
	"testing"
	"time"
)

func TestTakeAllocatesNothing(t *testing.T) {
	table := NewTable(time.Now)
	limits := &Limits{{"requests-a-second", "person", "ada", MaxLimit}, {"node-requests-a-second", "node", "", MaxLimit}}
	for name, set := range map[string]map[string]*Limits{"no quota": nil, "of others": {"other": limits}, "of two": {"app": limits}} {
		table.Set(set)
		if n := testing.AllocsPerRun(100, func() { _ = table.Take("app") }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
