package node_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// refusedFor reports whether an error is a refusal for one finding.
func refusedFor(t testing.TB, err error, code string) bool {
	t.Helper()
	if err == nil {
		return false
	}
	p := problemOf(t, err)
	return strings.Contains(fmt.Sprint(p.Findings), code)
}

// TestConfidentialIsNotPublic: a tier that serves confidential data is not opened to everybody, and one that is
// open does not come to serve it: by an upload, a promotion or a way back.
func TestConfidentialIsNotPublic(t *testing.T) {
	n := start(t, audiences)
	of := func(class string) []byte {
		return []byte(strings.Replace(string(manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\"")), `"internal"`, `"`+class+`"`, 1))
	}
	module := says("this is shop")
	n.publish(n.ada(), of("confidential"), module)
	public := client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "public"}
	if _, err := n.ada().SetAudience(t.Context(), public, "for all"); !refusedFor(t, err, "audience.classification") {
		t.Fatalf("asked: %v", err)
	}
	n.publish(n.ada(), of("internal"), module)
	a, err := n.ada().SetAudience(t.Context(), public, "for all")
	if err != nil || a.Waiting == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := n.rex().Decide(t.Context(), a.Waiting, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if got := n.get(n.AppURL("shop")); got.Status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	if _, err := n.ada().Publish(t.Context(), of("confidential"), module, signAs(t, n.ada(), module), nil); !refusedFor(t, err, "audience.classification") {
		t.Errorf("uploaded: %v", err)
	}
	if _, err := n.ada().Activate(t.Context(), "shop", 1, abi.TierSandbox, "back"); !refusedFor(t, err, "audience.classification") {
		t.Errorf("activated: %v", err)
	}
	if _, err := n.ada().RollBack(t.Context(), "shop", abi.TierSandbox, "back"); !refusedFor(t, err, "audience.classification") {
		t.Errorf("rolled back: %v", err)
	}
	if app, err := n.ada().App(t.Context(), "shop"); err != nil || app.Active[abi.TierSandbox] != 2 {
		t.Errorf("%+v, %v", app, err)
	}
	if _, err := n.ada().SetAudience(t.Context(), client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "organisation"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ada().Activate(t.Context(), "shop", 1, abi.TierSandbox, "back"); err != nil {
		t.Errorf("once it is closed: %v", err)
	}
}

// TestConfidentialAsked: a request that was made for an internal release opens nothing once the tier serves a
// confidential one; a policy that lets confidential data be public has it take the reviewer's approval.
func TestConfidentialAsked(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "data.json"), []byte(strings.Replace(string(data), `"audience": { "public": ["public", "internal"] }`, `"audience": { "public": ["public", "confidential"] }`, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	confidential := []byte(strings.Replace(string(manifest("shop")), `"internal"`, `"confidential"`, 1))
	public := client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "public"}

	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("one"))
	a, err := n.ada().SetAudience(t.Context(), public, "for all")
	if err != nil {
		t.Fatal(err)
	}
	n.publish(n.ada(), confidential, says("two"))
	if _, err := n.rex().Decide(t.Context(), a.Waiting, true, "fine"); err == nil {
		t.Error("the request about release 1 opens the tier that serves release 2")
	}
	if got := n.get(n.AppURL("shop")); got.Status != http.StatusUnauthorized {
		t.Errorf("%+v", got)
	}

	n = start(t, audiences, func(o *node.Options) { o.PolicyDir = dir })
	n.publish(n.ada(), confidential, says("three"))
	if a, err = n.ada().SetAudience(t.Context(), public, "for all"); err != nil || a.Kind != "owner" || a.Waiting == "" {
		t.Fatalf("by another policy: %+v, %v", a, err)
	}
	if _, err := n.rex().Decide(t.Context(), a.Waiting, true, "fine"); err != nil {
		t.Error(err)
	}
	if got := n.get(n.AppURL("shop")); got.Body != "three" {
		t.Errorf("%+v", got)
	}
}
