package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/sdk/client"
)

// TestStandingUsage: compiling is billed to the release that it was for, with its
// owner and the node's environment, and is no call.
func TestStandingUsage(t *testing.T) {
	n := start(t, func(o *host.Options) { o.Environment = "staging" })
	c := n.ada()
	n.publish(c, manifest("shop", ""), streams())
	r, err := c.Usage(t.Context(), client.UsageQuery{By: []string{"app", "owner", "environment", "trigger"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 1 || r.Rows[0].Group["app"] != "shop" || r.Rows[0].Group["owner"] != ada || r.Rows[0].Group["environment"] != "staging" || r.Rows[0].Group["trigger"] != "" {
		t.Fatalf("%+v", r.Rows)
	}
	if uses := r.Total.Uses; r.Total.Calls != 0 || len(uses) != 1 || uses[0].Capability != "compile" || uses[0].Meter != abi.MeterCPU || uses[0].N == 0 {
		t.Errorf("%+v", r.Total)
	}
}

// TestNodeID: a node keeps its id, and does not start with one that is none.
func TestNodeID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	id, err := host.NodeID(path)
	if again, err2 := host.NodeID(path); err != nil || err2 != nil || again != id || len(id) != 32 {
		t.Errorf("%q, then %q; %v, %v", id, again, err, err2)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := host.NodeID(path); err == nil || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("a file that holds no id: %v", err)
	}
}
