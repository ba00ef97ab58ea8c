package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// keeps is a module that imports kv; pages makes other bytes of it.
func keeps(pages int) []byte {
	return wasmtest.Relay{Capability: "kv", Pages: 32 + uint32(pages)}.Bytes()
}

const kvAsk = "[capabilities.kv]\nquota = \"100KiB\""

// open are the open requests of an app.
func (n *testNode) open(app string) []client.Request {
	n.t.Helper()
	all, err := n.rex().Requests(n.t.Context(), "open", app)
	if err != nil {
		n.t.Fatal(err)
	}
	return all
}

// links reports whether a release has kv.
func (n *testNode) links(app string, release int) bool {
	n.t.Helper()
	return n.state(app, release, "kv").Granted
}

// TestApprovalHoldsForWhatWasReviewed: the request names release 1, other bytes are
// uploaded, and the reviewer approves what they saw.
func TestApprovalHoldsForWhatWasReviewed(t *testing.T) {
	n := start(t)
	one := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	first := one.Requests[0]
	if first.Release != 1 || first.Digest != one.Release.Digest || !strings.Contains(first.Reaches, "later ones, unless they ask for more of it") {
		t.Fatalf("the reviewer is not told what it is about: %+v", first)
	}
	two := n.publish(n.ada(), manifest("shop", kvAsk, "[limits]\nfuel = 1000000"), keeps(18))
	if _, err := n.rex().Decide(t.Context(), first.ID, true, "fine"); problemOf(t, err).Type != "/problems/request-changed" || !strings.Contains(problemOf(t, err).Detail, "release 2") {
		t.Errorf("approved what is not asked for any more: %v", err)
	}
	for _, number := range []int{1, 2} {
		if n.links("shop", number) {
			t.Errorf("release %d has kv, and nobody allowed it", number)
		}
	}
	waits := n.open("shop")
	if len(waits) != 1 || waits[0].Release != 2 || waits[0].Digest != two.Release.Digest || waits[0].Replaces != first.ID || waits[0].Since != 1 {
		t.Fatalf("what waits: %+v", waits)
	}
	var changed []string
	for _, c := range waits[0].Changes {
		changed = append(changed, c.Path)
	}
	if !slices.Equal(changed, []string{"limits.fuel", "module"}) {
		t.Errorf("what changed: %+v", waits[0].Changes)
	}
	if was, err := n.rex().Request(t.Context(), first.ID); err != nil || was.Status != "withdrawn" || was.Superseded != 2 || was.ReplacedBy != waits[0].ID {
		t.Errorf("the earlier request: %+v, %v", was, err)
	}
	if _, err := n.rex().DecideAbout(t.Context(), waits[0].ID, first.Digest, true, "fine"); problemOf(t, err).Type != "/problems/request-changed" {
		t.Errorf("decided about another module: %v", err)
	}
	q, err := n.rex().DecideAbout(t.Context(), waits[0].ID, two.Release.Digest, true, "fine")
	if err != nil || q.Decision.Digest != two.Release.Digest {
		t.Fatalf("%+v, %v", q, err)
	}
	if n.links("shop", 1) || !n.links("shop", 2) {
		t.Error("the grant reaches an earlier release, or not the one that was reviewed")
	}
	if _, err := n.ada().Activate(t.Context(), "shop", 1, abi.TierSandbox, ""); problemOf(t, err).Type != "/problems/not-approved" {
		t.Errorf("what nobody reviewed was activated: %v", err)
	}
}

// TestReach: which later releases the grant of release 1 reaches.
func TestReach(t *testing.T) {
	n := start(t)
	c := n.ada()
	n.decide(n.publish(c, manifest("shop", kvAsk), keeps(17)))
	for i, k := range []struct {
		name, more string
		class      string
		want       bool
	}{
		{"other bytes", kvAsk, "internal", true},
		{"less", "[capabilities.kv]\nquota = \"50KiB\"", "internal", true},
		{"more", "[capabilities.kv]\nquota = \"101KiB\"", "internal", false},
		{"more keys", kvAsk + "\nkeys = 9999999", "internal", false},
		{"data of another class", kvAsk, "confidential", false},
		{"state that is kept", "keep_state = true\n" + kvAsk, "internal", false},
		{"other limits, which this rule does not name", kvAsk + "\n[limits]\nfuel = 1000000", "internal", true},
	} {
		text := strings.Replace(string(manifest("shop", k.more)), `"internal"`, `"`+k.class+`"`, 1)
		p, err := c.Publish(t.Context(), []byte(text), keeps(18+i), signAs(t, c, keeps(18+i)), nil)
		if err != nil {
			if k.name == "more keys" && problemOf(t, err).Type == "/problems/policy-denied" {
				continue
			}
			t.Fatalf("%s: %v", k.name, err)
		}
		if p.Active != k.want || n.links("shop", p.Release.Number) != k.want || (len(p.Requests) == 1) == k.want {
			t.Errorf("%s: active %v, linked %v, asks %+v", k.name, p.Active, n.links("shop", p.Release.Number), p.Requests)
		}
		if _, err := c.Activate(t.Context(), "shop", p.Release.Number, abi.TierSandbox, ""); (err == nil) != k.want {
			t.Errorf("%s: activated: %v", k.name, err)
		}
		if s := n.state("shop", p.Release.Number, "kv"); k.want && (s.Reviewed != 1 || s.How != approvals.ReachLater) {
			t.Errorf("%s: it is not said how the grant reaches it: %+v", k.name, s)
		}
	}
	grants, err := n.rex().Grants(t.Context(), "shop")
	if err != nil || len(grants) != 1 || grants[0].Reviewed.Release != 1 || len(grants[0].Serving) != 1 || grants[0].Serving[0].How != approvals.ReachLater ||
		!strings.HasPrefix(grants[0].Reaches, "release 1 and later ones") {
		t.Errorf("the grant's page: %+v, %v", grants, err)
	}
	// A release that was refused is reached by no rule, nor are its bytes in another one.
	p := n.publish(c, manifest("shop", "[capabilities.kv]\nquota = \"101KiB\""), keeps(40))
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, false, "it leaks"); err != nil {
		t.Fatal(err)
	}
	if p := n.publish(c, manifest("shop", kvAsk), keeps(40)); p.Active || len(p.Requests) != 1 {
		t.Errorf("rejected bytes with a smaller ask: %+v", p)
	}
	// The same from before grants said what was reviewed.
	if err := n.ForgetReviewed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !n.links("shop", 2) || n.links("shop", 4) {
		t.Error("an older grant reaches something else")
	}
}

// TestReachIsTheOperators: the rule is in data.json, and can be replaced.
func TestReachIsTheOperators(t *testing.T) {
	rules, err := start(t).ada().Policy(t.Context())
	if err != nil || !strings.Contains(rules["data.json"], `"grants": { "reach": "later"`) {
		t.Fatalf("the rules do not show it: %v", err)
	}
	strict := strings.Replace(rules["data.json"], `"reach": "later"`, `"reach": "reviewed"`, 1)
	n := start(t, func(o *node.Options) { o.PolicyDir = writeRules(t, strict) })
	n.decide(n.publish(n.ada(), manifest("shop", kvAsk), keeps(17)))
	if p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(18)); p.Active || len(p.Requests) != 1 || n.links("shop", 2) || !strings.HasSuffix(p.Requests[0].Reaches, "and no other") {
		t.Errorf("the strict rule: %+v", p)
	}
	if got := n.get(n.AppURL("shop")); got.Status == 404 {
		t.Errorf("the reviewed release serves no more: %+v", got)
	}
}

// TestPromotionNamesItsRelease: what is uploaded after the request does not enter
// the tier, and the reviewer is told of it.
func TestPromotionNamesItsRelease(t *testing.T) {
	n := start(t)
	c := n.ada()
	about := "title = \"Shop\"\ndescription = \"Sells.\"\n" + kvAsk
	n.decide(n.publish(c, manifest("shop", about), keeps(17)))
	q, err := c.Promote(t.Context(), "shop", 1, abi.TierPilot, "ready")
	if err != nil || len(q.Requires) != 1 || q.Requires[0].Capability != "kv" || q.Requires[0].Code != "capability.needs_grant" || !strings.HasPrefix(q.Policy, "sha256:") {
		t.Fatalf("%+v, %v", q, err)
	}
	n.publish(c, manifest("shop", about), keeps(18))
	if seen, err := n.rex().Request(t.Context(), q.ID); err != nil || seen.Newer != 2 || !strings.HasSuffix(seen.Reaches, "and no other") {
		t.Errorf("the reviewer sees %+v, %v", seen, err)
	}
	done, err := n.rex().Decide(t.Context(), q.ID, true, "fine")
	if err != nil || done.Newer != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	app, err := c.App(t.Context(), "shop")
	if err != nil || app.Active[abi.TierPilot] != 1 || app.Active[abi.TierSandbox] != 2 {
		t.Errorf("routed: %+v, %v", app.Active, err)
	}
	if _, err := c.Activate(t.Context(), "shop", 2, abi.TierPilot, ""); problemOf(t, err).Type != "/problems/not-approved" {
		t.Errorf("release 2 entered the pilot: %v", err)
	}
}

// TestRevokedWhileUploading: what publish read before its transaction is read again
// in it.
func TestRevokedWhileUploading(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	n.decide(p)
	grant := n.state("shop", 1, "kv").Grant
	once := false
	n.BeforeChange(func() {
		if !once {
			once = true
			if _, err := n.rex().RevokeGrant(t.Context(), grant, "no"); err != nil {
				t.Error(err)
			}
		}
	})
	if p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(18)); p.Active || len(p.Requests) != 1 {
		t.Errorf("a grant that was revoked meanwhile activates: %+v", p)
	}
}

// TestShrunkWhileUploading: what the rules judged is judged again if it has changed,
// here that the release asks for no more than the grant allows.
func TestShrunkWhileUploading(t *testing.T) {
	n := start(t)
	const asks = "[capabilities.secret]\nnames = [\"mail\", \"stripe\"]"
	r := n.relay("shop", wasmtest.Relay{Capability: "secret"}, asks)
	if _, err := n.ada().SetSecret(t.Context(), "shop", "stripe", []byte("hunter2")); err != nil {
		t.Fatal(err)
	}
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte("stripe")}); errno != 0 {
		t.Fatal(errno)
	}
	grant, once := n.state("shop", 1, "secret").Grant, false
	n.BeforeChange(func() {
		if !once {
			once = true
			if _, err := n.rex().ShrinkGrant(t.Context(), grant); err != nil {
				t.Error(err)
			}
		}
	})
	if p := n.publish(n.ada(), manifest("shop", asks), wasmtest.Relay{Capability: "secret", Pages: 40}.Bytes()); p.Active || len(p.Requests) != 1 {
		t.Errorf("more than what is left of the grant: %+v", p)
	}
}

// TestUploadedWhileDeciding: bytes that come between the verdict of the rules and
// the decision are not what is approved.
func TestUploadedWhileDeciding(t *testing.T) {
	n := start(t)
	first := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17)).Requests[0]
	once := false
	n.BeforeChange(func() {
		if !once {
			once = true
			n.publish(n.ada(), manifest("shop", kvAsk), keeps(18))
		}
	})
	if _, err := n.rex().Decide(t.Context(), first.ID, true, "fine"); problemOf(t, err).Type != "/problems/request-changed" {
		t.Errorf("err = %v", err)
	}
	if n.links("shop", 2) {
		t.Error("release 2 has the grant")
	}
}

// TestKeyRemovedWhileWaiting: a release whose key was removed is not activated, by
// approval, by hand or by rollback.
func TestKeyRemovedWhileWaiting(t *testing.T) {
	n := start(t)
	c := n.ada()
	private, public := keyPair(t)
	key := n.addKey(c, private, public)
	plain := says("one")
	if _, err := c.Publish(t.Context(), manifest("shop"), plain, signWithKey(t, plain, private), nil); err != nil {
		t.Fatal(err)
	}
	n.publish(c, manifest("shop"), says("two"))
	module := keeps(17)
	p, err := c.Publish(t.Context(), manifest("shop", kvAsk), module, signWithKey(t, module, private), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteKey(t.Context(), key.Hint); err != nil {
		t.Fatal(err)
	}
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, true, "fine"); problemOf(t, err).Type != "/problems/untrusted-signer" {
		t.Errorf("approved: %v", err)
	}
	if _, err := c.Activate(t.Context(), "shop", 1, abi.TierSandbox, ""); problemOf(t, err).Type != "/problems/untrusted-signer" {
		t.Errorf("activated: %v", err)
	}
	if _, err := c.RollBack(t.Context(), "shop", "", "x"); problemOf(t, err).Type != "/problems/untrusted-signer" {
		t.Errorf("rolled back: %v", err)
	}
	if got := n.get(p.URL); got.Body != "two" {
		t.Errorf("the release that serves: %+v", got)
	}
}

// TestRejectedAndAskedAgain: why it was rejected is said where the maker looks, and
// the same bytes can be asked about again.
func TestRejectedAndAskedAgain(t *testing.T) {
	n := start(t)
	c := n.ada()
	module := keeps(17)
	p := n.publish(c, manifest("shop", kvAsk), module)
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, false, "say what you keep"); err != nil {
		t.Fatal(err)
	}
	if s := n.state("shop", 1, "kv"); s.Refused == nil || s.Refused.Decision.Reason != "say what you keep" || s.Request != "" {
		t.Errorf("the release does not say why: %+v", s)
	}
	again := n.publish(c, manifest("shop", kvAsk), module)
	if again.Release.Number != 1 || len(again.Requests) != 1 || again.Requests[0].Replaces != p.Requests[0].ID {
		t.Fatalf("the same bytes again: %+v", again)
	}
	if once := n.publish(c, manifest("shop", kvAsk), module); len(once.Requests) != 1 || once.Requests[0].ID != again.Requests[0].ID {
		t.Errorf("sent once more: %+v", once.Requests)
	}
	if _, err := n.rex().Decide(t.Context(), again.Requests[0].ID, false, "still not said"); err != nil {
		t.Fatal(err)
	}
	asked, err := c.AskAgain(t.Context(), "shop", 1, "the guests' names")
	if err != nil || len(asked) != 1 || asked[0].Reason != "the guests' names" {
		t.Fatalf("%+v, %v", asked, err)
	}
	if _, err := c.AskAgain(t.Context(), "shop", 1, ""); problemOf(t, err).Type != "/problems/already-requested" {
		t.Errorf("asked twice: %v", err)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).AskAgain(t.Context(), "shop", 1, ""); problemOf(t, err).Type != "/problems/not-owner" {
		t.Errorf("asked by somebody else: %v", err)
	}
	if _, err := n.rex().Decide(t.Context(), asked[0].ID, true, "good"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AskAgain(t.Context(), "shop", 1, ""); problemOf(t, err).Type != "/problems/nothing-to-ask" {
		t.Errorf("asked for what it has: %v", err)
	}
	if s := n.state("shop", 1, "kv"); !s.Granted || s.Refused != nil {
		t.Errorf("in the end: %+v", s)
	}
}

// TestRevokeSaysWhatStillAllows: a revoke that leaves another grant says so, and all
// can be revoked at once.
func TestRevokeSaysWhatStillAllows(t *testing.T) {
	n := start(t)
	c := n.ada()
	n.decide(n.publish(c, manifest("shop", kvAsk), keeps(17)))
	n.decide(n.publish(c, manifest("shop", "[capabilities.kv]\nquota = \"200KiB\""), keeps(18)))
	n.publish(c, manifest("shop", kvAsk), keeps(19))
	grants, err := c.Grants(t.Context(), "shop")
	if err != nil || len(grants) != 2 {
		t.Fatalf("%+v, %v", grants, err)
	}
	done, err := n.rex().RevokeGrant(t.Context(), grants[0].ID, "no")
	if err != nil || len(done.Still) != 1 || done.Still[0].ID != grants[1].ID || len(done.Default) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if s := n.state("shop", 3, "kv"); !s.Granted || s.Grant != grants[1].ID {
		t.Errorf("what still allows it: %+v", s)
	}
	if done, err = n.rex().RevokeAll(t.Context(), grants[0].ID, "no"); err != nil || len(done.Still) != 0 || !slices.Equal(done.Also, []string{grants[1].ID}) {
		t.Fatalf("%+v, %v", done, err)
	}
	for number := 1; number <= 3; number++ {
		if n.links("shop", number) {
			t.Errorf("release %d has kv still", number)
		}
	}
}

// TestMayServe: a tier is offered where routing it works.
func TestMayServe(t *testing.T) {
	n := start(t)
	c := n.ada()
	p := n.publish(c, manifest("shop", kvAsk), keeps(17))
	may := func(number int) []abi.Tier {
		t.Helper()
		r, err := c.Release(t.Context(), "shop", number)
		if err != nil {
			t.Fatal(err)
		}
		return r.MayServe
	}
	if got := may(1); got != nil {
		t.Errorf("offered before the decision: %v", got)
	}
	n.decide(p)
	n.publish(c, manifest("shop", kvAsk), keeps(18))
	if got := may(1); !slices.Equal(got, []abi.Tier{abi.TierSandbox}) {
		t.Errorf("offered: %v", got)
	}
}

func writeRules(t *testing.T, data string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
