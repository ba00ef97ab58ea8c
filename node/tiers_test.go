package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// sets writes an entry through a relay and reports whether the app could.
func (r *relayed) sets(key string) bool {
	r.n.t.Helper()
	got := r.n.do("POST", r.url, string(r.relay.Request(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, key, []byte("v"))})))
	if got.Status != 200 {
		return false
	}
	_, errno, _ := r.relay.Answer([]byte(got.Body))
	return errno == 0
}

// stateOf returns what a release may do with a capability.
func (n *testNode) stateOf(app string, release int, word string) client.CapabilityState {
	n.t.Helper()
	r, err := n.ada().Release(n.t.Context(), app, release)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, s := range r.Access {
		if s.Name == word {
			return s
		}
	}
	return client.CapabilityState{}
}

// TestFastLane: an app with small kv serves in the sandbox without a person, and is told so; what is
// broader waits, and so does each higher tier.
func TestFastLane(t *testing.T) {
	n := start(t, fastLane)
	keeper := wasmtest.Relay{Capability: "kv"}
	p := n.publish(n.ada(), manifest("keeper", `description = "Keeps."`, "[capabilities.kv]"), keeper.Bytes())
	if !p.Active || len(p.Requests) > 0 || !slices.ContainsFunc(p.Findings, func(f abi.Finding) bool { return f.Code == "capability.allowed" }) {
		t.Fatalf("%+v", p)
	}
	r := &relayed{n, keeper, p.URL}
	if !r.sets("a") {
		t.Error("it may not keep an entry")
	}
	if s := n.stateOf("keeper", 1, "kv"); !s.Granted || !s.Default || s.Grant != "" || s.May == "" {
		t.Errorf("what is shown: %+v", s)
	}
	grants, err := n.ada().Grants(t.Context(), "keeper")
	if err != nil || len(grants) > 0 {
		t.Errorf("the rules need no grant: %v, %v", grants, err)
	}
	q, err := n.ada().Promote(t.Context(), "keeper", 1, abi.TierPilot, "it works")
	if err != nil || len(q.Requires) != 1 || q.Requires[0].Capability != "kv" {
		t.Errorf("the pilot asks for the grant: %+v, %v", q, err)
	}
	files := wasmtest.Relay{Capability: "blob"}
	wide := n.publish(n.ada(), manifest("wide", "[capabilities.blob]\nquota = \"32MiB\""), files.Bytes())
	if wide.Active || len(wide.Requests) != 1 || wide.Requests[0].Capability != "blob" || !strings.Contains(wide.Requests[0].Reason, "without one: keys up to 10000, quota up to 16 MiB") {
		t.Errorf("more than the rules allow: %+v", wide)
	}
	page := n.do("GET", n.ConsoleURL()+"/apps/keeper/releases/1", "", "Cookie", n.session(ada, access.RoleDeveloper)).Body
	if want := "as the rules allow every app in the sandbox tier"; !strings.Contains(page, want) {
		t.Errorf("the release's page does not say %q", want)
	}
}

// TestLaneCloses: what a reviewer takes from an app, or refuses it, the rules alone do not give back,
// to whatever it uploads; an approval lifts that.
func TestLaneCloses(t *testing.T) {
	for name, end := range map[string]func(n *testNode, q client.Request) error{
		"revoked": func(n *testNode, q client.Request) error {
			if _, err := n.rex().Decide(t.Context(), q.ID, true, "fine"); err != nil {
				return err
			}
			grants, err := n.rex().Grants(t.Context(), "keeper")
			if err != nil || len(grants) != 1 {
				return fmt.Errorf("%v, %w", grants, err)
			}
			_, err = n.rex().RevokeGrant(t.Context(), grants[0].ID, "misused")
			return err
		},
		"rejected": func(n *testNode, q client.Request) error {
			_, err := n.rex().Decide(t.Context(), q.ID, false, "not with these files")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, fastLane)
			files := wasmtest.Relay{Capability: "blob"}
			p := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]\nquota = \"32MiB\""), files.Bytes())
			if len(p.Requests) != 1 {
				t.Fatalf("%+v", p)
			}
			if err := end(n, p.Requests[0]); err != nil {
				t.Fatal(err)
			}
			// Less is asked for, by the same bytes: the rules would allow it to any other app.
			again := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]\nquota = \"1MiB\""), files.Bytes())
			if again.Active && n.stateOf("keeper", again.Release.Number, "blob").Default || len(again.Requests) != 1 || !strings.Contains(again.Requests[0].Reason, "taken from it or refused") {
				t.Fatalf("it came back by itself: %+v", again)
			}
			if _, err := n.rex().Decide(t.Context(), again.Requests[0].ID, true, "fine now"); err != nil {
				t.Fatal(err)
			}
			more := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]\nquota = \"2MiB\""), files.Bytes())
			if !more.Active || !n.stateOf("keeper", more.Release.Number, "blob").Default {
				t.Errorf("after an approval the rules allow it again: %+v", more)
			}
		})
	}
}

// TestRefusedRaise: a reviewer who refuses more does not take what serves.
func TestRefusedRaise(t *testing.T) {
	n := start(t, fastLane)
	files := wasmtest.Relay{Capability: "blob"}
	p := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]"), files.Bytes())
	more := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]\nquota = \"32MiB\""), files.Bytes())
	if !p.Active || more.Active || len(more.Requests) != 1 {
		t.Fatalf("%+v\n%+v", p, more)
	}
	if _, err := n.rex().Decide(t.Context(), more.Requests[0].ID, false, "too much"); err != nil {
		t.Fatal(err)
	}
	r := &relayed{n, files, p.URL}
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "put", In: abi.AppendBlobPut(nil, "a", []byte("v"))}); errno != 0 || !n.stateOf("keeper", 1, "blob").Default {
		t.Errorf("the release that serves lost what it had: %v", errno)
	}
	other := n.publish(n.ada(), manifest("keeper", "[capabilities.blob]"), wasmtest.Relay{Capability: "blob", Pages: 33}.Bytes())
	if !other.Active {
		t.Errorf("other bytes were not refused anything: %+v", other)
	}
}

// TestStricterRules: what the rules allowed ends when an organisation's are stricter, and looser ones
// are data: a safe list of origins.
func TestStricterRules(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir, fastLane)
	keeper := wasmtest.Relay{Capability: "kv"}
	p := n.publish(n.ada(), manifest("keeper", "[capabilities.kv]"), keeper.Bytes())
	if r := (&relayed{n, keeper, p.URL}); !r.sets("a") {
		t.Fatal("it may not keep an entry")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	const kv = `"kv": { "quota": 1048576, "keys": 10000 },`
	own := strings.Replace(string(text), kv, `"fetch": { "allow": ["https://*.corp.example"], "max_calls": 16, "max_request": 1048576, "max_response": 4194304 },`, 1)
	policy := t.TempDir()
	if err := os.WriteFile(filepath.Join(policy, "data.json"), []byte(own), 0o600); err != nil || own == string(text) {
		t.Fatal(err)
	}
	n = startIn(t, dir, func(o *node.Options) { o.PolicyDir, o.Audience = policy, "" })
	if r := (&relayed{n, keeper, p.URL}); r.sets("b") {
		t.Error("the rules changed, and it may still keep entries")
	}
	tiers, err := n.ada().Tiers(t.Context())
	if err != nil || len(tiers) != 3 || !slices.ContainsFunc(tiers[0].Says, func(s string) bool {
		return strings.HasPrefix(s, "fetch: allow https://*.corp.example, max_calls up to 16")
	}) || tiers[0].Allow["kv"] != nil {
		t.Errorf("what the policy is shown to be: %+v, %v", tiers, err)
	}
	fetcher := wasmtest.Relay{Capability: "fetch"}
	for _, c := range []struct {
		app, origin string
		active      bool
	}{{"inside", "https://crm.corp.example", true}, {"outside", "https://api.example.com", false}} {
		if p := n.publish(n.ada(), manifest(c.app, fmt.Sprintf("[capabilities.fetch]\nallow = [%q]", c.origin)), fetcher.Bytes()); p.Active != c.active {
			t.Errorf("%s serves: %v", c.origin, p.Active)
		}
	}
}

// TestAudienceOfTier: who may open an app for which no audience was set stands in the policy.
func TestAudienceOfTier(t *testing.T) {
	text, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	policy := t.TempDir()
	own := strings.Replace(string(text), `"audience": "owner"`, `"audience": "organisation"`, 1)
	if err := os.WriteFile(filepath.Join(policy, "data.json"), []byte(own), 0o600); err != nil || own == string(text) {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*node.Options)
		want   string
	}{
		{"as it is built in", func(o *node.Options) { o.PolicyDir, o.Audience = "", "" }, "owner"},
		{"an organisation's", func(o *node.Options) { o.PolicyDir, o.Audience = policy, "" }, "organisation"},
		{"the node's own wins", func(o *node.Options) { o.PolicyDir, o.Audience = policy, access.AudiencePublic }, "public"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, c.change)
			n.publish(n.ada(), manifest("shop"), says("hello"))
			a, err := n.ada().Audience(t.Context(), "shop", abi.TierSandbox)
			if err != nil || string(a.Kind) != c.want {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}
