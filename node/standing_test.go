package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestStandingUsage: compiling is billed to the release that it was for, with its
// owner and the node's environment, and is no call.
func TestStandingUsage(t *testing.T) {
	n := start(t, func(o *node.Options) { o.Environment = "staging" })
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
	id, err := node.NodeID(path)
	if again, err2 := node.NodeID(path); err != nil || err2 != nil || again != id || len(id) != 32 {
		t.Errorf("%q, then %q; %v, %v", id, again, err, err2)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.NodeID(path); err == nil || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("a file that holds no id: %v", err)
	}
}

// TestBooksAreShown: what is wrong with the books is on the usage page and in
// doctor, in words.
func TestBooksAreShown(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir)
	n.stop()
	foreign, err := journal.Disk(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(foreign, "0000000000000001.journal", journal.Header{Node: strings.Repeat("0f", 16), Epoch: 1}, nil, func(uint64) {})
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	n = startIn(t, dir)
	page := n.do("GET", n.ConsoleURL()+"/usage", "", "Cookie", n.session(ops, access.RoleOperator))
	if !strings.Contains(page.Body, "was written by another node") {
		t.Errorf("the usage page does not say so: %d %.300s", page.Status, page.Body)
	}
	checks, err := n.ops().Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Name == "usage" && (c.OK || len(c.Damage) != 1 || !strings.Contains(c.Damage[0].Detail, "another node")) {
			t.Errorf("%+v", c)
		}
	}
}
