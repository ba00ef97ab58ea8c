package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestBreakGlass: an owner allows a release a capability before its review. It serves at once, everybody who has to
// know is told, and what it was allowed ends at once when a reviewer rejects it, and by itself when its hours are over;
// approved, it goes on without a gap. A later release has nothing of it.
func TestBreakGlass(t *testing.T) {
	n, later := livesBy(t, `"emergency_hours": 8`)
	ctx := t.Context()
	n.rex()
	n.ops()
	keeper := wasmtest.Relay{Capability: "kv"}
	emergency := func(release, hours int) client.Emergency {
		return client.Emergency{Release: release, Capability: "kv", Tier: "sandbox", Reason: "orders are lost", Hours: hours}
	}
	shop := func(name string) (*relayed, client.Request) {
		p := n.publish(n.ada(), manifest(name, kvAsk), keeper.Bytes())
		return &relayed{n, keeper, p.URL}, p.Requests[0]
	}
	broken := func(t *testing.T, r *relayed, name string, hours int) client.BrokenGlass {
		t.Helper()
		made, err := n.ada().BreakGlass(ctx, name, emergency(1, hours))
		if err != nil || !made.Routed || !made.Grant.Emergency || made.Request.Emergency != made.Grant.ID || made.Grant.Reaches != "release 1 and no other" {
			t.Fatalf("%+v, %v", made, err)
		}
		if !r.sets("at once") {
			t.Fatal("the glass is broken, and nothing is allowed")
		}
		return made
	}
	refused := func(t *testing.T, c *client.Client, name string, e client.Emergency, problem string) {
		t.Helper()
		if _, err := c.BreakGlass(ctx, name, e); problemOf(t, err).Type != "/problems/"+problem {
			t.Errorf("%+v: %v, and not %s", e, err, problem)
		}
	}

	t.Run("rejected", func(t *testing.T) {
		r, waits := shop("shop")
		refused(t, n.as("eve@example.com", "developer"), "shop", emergency(1, 4), "not-owner")
		refused(t, n.ada(), "shop", client.Emergency{Release: 1, Capability: "kv", Tier: "sandbox", Hours: 4}, "reason-missing")
		refused(t, n.ada(), "shop", emergency(1, 9), "bad-approval-request")
		refused(t, n.ada(), "shop", client.Emergency{Release: 1, Capability: "kv", Tier: "production", Reason: "now", Hours: 1}, "emergency-off")
		made := broken(t, r, "shop", 4)
		if q, err := n.ada().Request(ctx, waits.ID); err != nil || q.Status != "withdrawn" || q.ReplacedBy != made.Request.ID {
			t.Errorf("%+v, %v", q, err)
		}
		for _, person := range []string{rex, ops} {
			if told := n.isTold(person, "grant.emergency"); !strings.Contains(told.Text, "Emergency: "+ada+" allowed shop kv in sandbox without a review") {
				t.Errorf("%+v", told)
			}
		}
		refused(t, n.ada(), "shop", emergency(1, 4), "nothing-to-ask")
		p := n.publish(n.ada(), manifest("shop", kvAsk), append(keeper.Bytes(), 0, 2, 1, 'x'))
		if len(p.Requests) != 1 || p.Active {
			t.Errorf("a later release has it: %+v", p)
		}
		refused(t, n.ada(), "shop", emergency(2, 4), "emergency-open")
		if _, err := n.ada().Vote(ctx, made.Request.ID, client.Verdict{Approve: true}); problemOf(t, err).Status != 403 {
			t.Errorf("who broke it decides: %v", err)
		}
		if _, err := n.rex().Vote(ctx, made.Request.ID, client.Verdict{Reason: "no emergency"}); err != nil {
			t.Fatal(err)
		}
		if r.sets("after") {
			t.Error("it was rejected, and holds")
		}
		if told := n.isTold(ada, "grant.revoked"); !strings.Contains(told.Text, made.Request.ID+" was rejected: no emergency") {
			t.Errorf("%+v", told)
		}
		refused(t, n.ada(), "shop", emergency(1, 4), "emergency-rejected")
	})

	t.Run("taken back", func(t *testing.T) {
		r, _ := shop("back")
		made := broken(t, r, "back", 4)
		if _, err := n.ada().Withdraw(ctx, made.Request.ID); err != nil {
			t.Fatal(err)
		}
		if r.sets("after") {
			t.Error("its review was taken back, and it holds")
		}
	})

	t.Run("approved", func(t *testing.T) {
		r, _ := shop("kept")
		made := broken(t, r, "kept", 4)
		if _, err := n.rex().Vote(ctx, made.Request.ID, client.Verdict{Approve: true, Reason: "it was one"}); err != nil {
			t.Fatal(err)
		}
		if !r.sets("after") {
			t.Error("it was approved, and does not hold")
		}
		if g, err := n.ada().Grant(ctx, made.Grant.ID); err != nil || g.Revoked.IsZero() {
			t.Errorf("two grants say the same: %+v, %v", g, err)
		}
		if g, err := n.ada().Grant(ctx, "grant-"+strings.TrimPrefix(made.Request.ID, "req-")); err != nil || g.Emergency || !g.Expires.IsZero() || g.By != rex {
			t.Errorf("%+v, %v", g, err)
		}
	})

	t.Run("console", func(t *testing.T) {
		p := n.publish(n.ada(), manifest("page", kvAsk), keeper.Bytes())
		b := browsing{n, n.session(ada, access.RoleDeveloper)}
		if body := (browsing{n, n.session(rex, access.RoleReviewer)}).page("/apps/page/releases/1"); strings.Contains(body, "emergency-grants") {
			t.Error("a reviewer is offered to break the glass")
		}
		f := b.form(b.page("/apps/page/releases/1"), "/apps/page/emergency-grants")
		for name, value := range map[string]string{"capability": "kv", "hours": "2", "reason": "orders are lost"} {
			f.fields.Set(name, value)
		}
		if got := b.send(f); got.Status != 303 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		if !(&relayed{n, keeper, p.URL}).sets("at once") {
			t.Error("nothing is allowed")
		}
		for path, says := range map[string]string{
			"/apps/page": "emergency, by " + ada + " until", "/apps/page/releases/1": "allowed <strong>kv</strong> before its review", "/grants": `<span class="chip refused">emergency</span>`, "/requests": "<strong>Emergency.</strong>",
		} {
			if body := b.page(path); !strings.Contains(body, says) {
				t.Errorf("%s does not say %q: %s", path, says, body)
			}
		}
	})

	t.Run("over", func(t *testing.T) {
		r, _ := shop("over")
		made := broken(t, r, "over", 2)
		later.Store(int64(time.Until(made.Grant.Expires) - time.Minute))
		if !r.sets("before") {
			t.Error("it ended before its hours were over")
		}
		later.Store(int64(time.Until(made.Grant.Expires)))
		if r.sets("after") {
			t.Error("its hours are over, and it holds")
		}
		if q, err := n.ada().Request(ctx, made.Request.ID); err != nil || q.Status != "open" {
			t.Errorf("its review goes with it: %+v, %v", q, err)
		}
		refused(t, n.ada(), "over", emergency(1, 2), "emergency-open")
	})
}
