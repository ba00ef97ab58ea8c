package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestExemption: a rule that refuses an app is let be for a time by a reviewer of its concern; its finding
// stays and says so; when that ends the rule refuses again, and what serves goes on.
func TestExemption(t *testing.T) {
	ctx := t.Context()
	clock := newFrozen()
	n := start(t, func(o *node.Options) { o.Now = clock.Now })
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.bob()
	platform, privacy := n.as("pat@example.com", "reviewer/platform"), n.as("pia@example.com", "reviewer/privacy")
	day := func(days int) string { return clock.Now().AddDate(0, 0, days).UTC().Format(time.DateOnly) }
	in := client.ExemptionAsk{Tier: "pilot", Code: "metadata.description_missing", Reason: "the words are being translated", Control: "the wiki describes it", Until: day(60)}

	_, err := n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "ready")
	refusedAs(t, "before", "policy-denied", "", err)
	for what, c := range map[string]struct {
		slug   string
		change func(*client.ExemptionAsk)
	}{
		"a rule of security":        {"not-exemptable", func(a *client.ExemptionAsk) { a.Code = "signer.not_owner" }},
		"a rule that does not bite": {"nothing-to-ask", func(a *client.ExemptionAsk) { a.Code = "limits.exceeded" }},
		"no reason":                 {"reason-missing", func(a *client.ExemptionAsk) { a.Reason = " " }},
		"no control":                {"reason-missing", func(a *client.ExemptionAsk) { a.Control = "" }},
		"for too long":              {"bad-approval-request", func(a *client.ExemptionAsk) { a.Until = day(91) }},
		"in the past":               {"bad-approval-request", func(a *client.ExemptionAsk) { a.Until = day(-1) }},
		"no date":                   {"bad-approval-request", func(a *client.ExemptionAsk) { a.Until = "soon" }},
	} {
		ask := in
		c.change(&ask)
		_, err := n.ada().AskExemption(ctx, "shop", ask)
		refusedAs(t, what, c.slug, "", err)
	}
	_, err = n.bob().AskExemption(ctx, "shop", in)
	refusedAs(t, "a stranger", "not-owner", "", err)

	q := must(n.ada().AskExemption(ctx, "shop", in))(t)
	_, err = n.ada().AskExemption(ctx, "shop", in)
	refusedAs(t, "twice", "already-requested", "", err)
	_, err = privacy.Decide(ctx, q.ID, true, "fine")
	refusedAs(t, "a reviewer of privacy", "forbidden", "", err)
	_, err = n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "ready")
	refusedAs(t, "while it waits", "policy-denied", "", err)
	must(platform.Decide(ctx, q.ID, true, "until the words are there"))(t)
	if live := must(n.ada().Exemptions(ctx, "shop"))(t); len(live) != 1 || live[0].ID != q.ID || live[0].Decision.By != "pat@example.com" {
		t.Errorf("those that hold: %+v", live)
	}

	asked := must(n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "ready"))(t)
	marked := func(found []abi.Finding) bool {
		for _, f := range found {
			if f.Code == in.Code && f.Severity == abi.SeverityInfo && f.Exempted != nil && f.Exempted.Request == q.ID && f.Exempted.Reason == in.Reason && f.Exempted.Control == in.Control && strings.Contains(f.Message, "description") {
				return true
			}
		}
		return false
	}
	if !marked(asked.Findings) {
		t.Errorf("the finding is not there, or does not say that it is exempted: %+v", asked.Findings)
	}
	must(n.rex().Decide(ctx, asked.ID, true, "fine"))(t)
	if app := must(n.ada().App(ctx, "shop"))(t); app.Active[abi.TierPilot] != 1 || len(app.Exemptions) != 1 {
		t.Errorf("the app: %+v", app)
	}

	// Its owners are told before it ends, and when it has: each once. Then the rule refuses again.
	sweep := func() {
		t.Helper()
		for range 2 {
			if err := n.Exemptions.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	told := func(kind string) int {
		return len(must(n.ops().FindEvents(ctx, client.EventFilter{App: "shop", Kinds: []string{kind}}))(t))
	}
	sweep()
	clock.pass(47 * 24 * time.Hour)
	sweep()
	if near, over := told("request.exemption_ending"), told("request.exemption_over"); near != 1 || over != 0 {
		t.Errorf("13 days before its end they are told %d and %d times", near, over)
	}
	clock.pass(14 * 24 * time.Hour)
	_, err = n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "ready")
	refusedAs(t, "after its end, before it was told", "policy-denied", "", err)
	sweep()
	if near, over := told("request.exemption_ending"), told("request.exemption_over"); near != 1 || over != 1 {
		t.Errorf("after its end they are told %d and %d times", near, over)
	}
	if app := must(n.ada().App(ctx, "shop"))(t); app.Active[abi.TierPilot] != 1 || len(app.Exemptions) != 0 {
		t.Errorf("after its end: %+v", app)
	}
	platform, privacy = n.as("pat@example.com", "reviewer/platform"), n.as("pia@example.com", "reviewer/privacy") // their tokens ended
	_, err = platform.RevokeExemption(ctx, q.ID, "late")
	refusedAs(t, "revoke what has ended", "no-exemption", "", err)

	in.Until = day(10)
	again := must(n.ada().AskExemption(ctx, "shop", in))(t)
	must(platform.Decide(ctx, again.ID, true, ""))(t)
	_, err = privacy.RevokeExemption(ctx, again.ID, " ")
	refusedAs(t, "revoke without a reason", "reason-missing", "", err)
	must(n.rex().RevokeExemption(ctx, again.ID, "the wiki is gone"))(t)
	n.isTold(ada, "request.exemption_revoked")
	_, err = n.ada().Promote(ctx, "shop", 1, abi.TierPilot, "again")
	refusedAs(t, "after it was revoked", "policy-denied", "", err)
	if live := must(n.ada().Exemptions(ctx, ""))(t); len(live) != 0 {
		t.Errorf("those that hold: %+v", live)
	}
}
