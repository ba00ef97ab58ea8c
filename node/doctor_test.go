package node_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestDoctorSaysWhatConfinesCompiling: a kernel without a protection is no damage, and is said.
func TestDoctorSaysWhatConfinesCompiling(t *testing.T) {
	n := start(t)
	checks, err := n.ops().Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(checks, func(c client.Check) bool { return c.Name == "compiling" && c.OK }) {
		t.Errorf("the doctor says nothing about compiling: %+v", checks)
	}
	whole, lacking := node.CheckConfinement(nil), node.CheckConfinement([]string{"Landlock"})
	if !whole.OK || !lacking.OK || strings.Contains(whole.Detail, "Landlock") || !strings.Contains(lacking.Detail, "lacks Landlock") {
		t.Errorf("%+v, %+v", whole, lacking)
	}
}
