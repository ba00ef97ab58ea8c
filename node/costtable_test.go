package node_test

import (
	"testing"

	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
)

// TestReleaseKeepsItsCostTable: what is published now is counted by the newest table; a release of
// a time before there were two goes on as it was.
func TestReleaseKeepsItsCostTable(t *testing.T) {
	n := shopNode(t)
	r, err := n.ops().Release(t.Context(), "shop", 1)
	if err != nil || r.FuelTable != int(fuel.Newest) {
		t.Errorf("a release that was just published has table %d, %v", r.FuelTable, err)
	}
	for stored, want := range map[int]fuel.Table{0: fuel.Table1, 1: fuel.Table1, 2: fuel.Table2, 3: fuel.Table3} {
		if got := node.EngineLimits(registry.Release{FuelTable: stored}).Table; got != want {
			t.Errorf("a release with table %d is counted by %d, want %d", stored, got, want)
		}
	}
}
