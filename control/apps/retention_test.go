package apps

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

// TestKeptAfterServing: what pilot or production served is kept for 90 days from when
// another release took its place, and not from when it began; what a tier rolls back to is
// kept in any case.
func TestKeptAfterServing(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	own := holdings{numbers: []int{9, 8, 7, 6, 5, 4, 3, 2, 1}, active: map[abi.Tier]int{abi.TierPilot: 6, abi.TierSandbox: 9}}
	own.activations = []registry.Activation{ // newest first
		{Tier: abi.TierSandbox, Release: 9, At: day(-1)}, {Tier: abi.TierPilot, Release: 6, At: day(-5)}, {Tier: abi.TierPilot, Release: 5, At: day(-10)}, {Tier: abi.TierSandbox, Release: 3, At: day(-11)},
		{Tier: abi.TierPilot, Release: 2, At: day(-100)}, {Tier: abi.TierPilot, Release: 1, At: day(-200)},
	}
	kept := own.kept(2, now)
	if got := slices.Sorted(maps.Keys(kept)); !slices.Equal(got, []int{2, 3, 5, 6, 8, 9}) {
		t.Errorf("kept: %+v", kept)
	}
	if want := day(80); !kept[2].Until.Equal(want) || kept[2].Needed || !kept[6].Needed || kept[8].More != 1 || kept[9].More != 2 {
		t.Errorf("%+v, want release 2 until %s", kept, want)
	}
	if got := own.kept(2, day(80)); got[2].Because != nil {
		t.Errorf("90 days after it was replaced: %+v", got)
	}
	if got := own.kept(-1, now); len(got) != 9 {
		t.Errorf("of a node that keeps all: %+v", got)
	}
}
