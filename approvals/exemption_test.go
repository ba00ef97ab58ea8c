package approvals_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// TestExemptedIsNeverSilent: whatever rules find and whatever an app is exempted from, all findings stay, with
// their words and in their order; what refuses no more says by which exemption; nothing else changes.
func TestExemptedIsNeverSilent(t *testing.T) {
	now := time.Unix(1e9, 0)
	codes := []string{"limits.exceeded", "owner.alone", "signer.not_owner"}
	marked := 0
	rapid.Check(t, func(rt *rapid.T) {
		var v approvals.Verdict
		for range rapid.IntRange(2, 8).Draw(rt, "findings") {
			v.Findings = append(v.Findings, abi.Finding{
				Code: rapid.SampledFrom(codes).Draw(rt, "code"), Severity: rapid.SampledFrom([]abi.Severity{abi.SeverityDeny, abi.SeverityReview, abi.SeverityInfo}).Draw(rt, "severity"),
				Message: rapid.StringN(1, 8, -1).Draw(rt, "message"),
			})
		}
		var asked []approvals.Request
		for range rapid.IntRange(1, 6).Draw(rt, "exemptions") {
			q := approvals.Request{
				ID: "req-1", Kind: approvals.KindExemption, Tier: rapid.SampledFrom([]abi.Tier{abi.TierPilot, abi.TierPilot, abi.TierPilot, abi.TierProduction}).Draw(rt, "tier"), Digest: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "digest"),
				Status: rapid.SampledFrom([]approvals.Status{approvals.StatusApproved, approvals.StatusApproved, approvals.StatusApproved, approvals.StatusOpen, approvals.StatusRejected}).Draw(rt, "status"), Reason: "why",
				Exemption: &approvals.Exemption{Code: rapid.SampledFrom(codes[:2]).Draw(rt, "exempted"), Bound: rapid.Bool().Draw(rt, "bound"), Control: "instead", Until: now.Add(time.Duration(rapid.SampledFrom([]int{1, 2, 0, -1}).Draw(rt, "hours")) * time.Hour)},
			}
			if rapid.IntRange(0, 4).Draw(rt, "revoke") == 4 {
				q, _ = approvals.RevokeExemption(q, "rex", "no", now)
			}
			asked = append(asked, q)
		}
		holds := func(code string) bool {
			for _, q := range asked {
				e := q.Exemption
				if q.Status == approvals.StatusApproved && q.Tier == abi.TierPilot && e.Code == code && (!e.Bound || q.Digest == "a") && e.Until.After(now) && e.Revoked.IsZero() {
					return true
				}
			}
			return false
		}
		got := v.Except(approvals.Reaching(asked, abi.TierPilot, "a", now))
		if len(got.Findings) != len(v.Findings) {
			rt.Fatalf("of %d findings %d are left", len(v.Findings), len(got.Findings))
		}
		refuses := false
		for i, was := range v.Findings {
			is := got.Findings[i]
			if is.Code != was.Code || is.Message != was.Message {
				rt.Fatalf("%+v became %+v", was, is)
			}
			want := was.Severity == abi.SeverityDeny && holds(was.Code)
			if (is.Exempted != nil) != want || !want && is.Severity != was.Severity || want && (is.Severity == abi.SeverityDeny || is.Exempted.Request == "" || is.Exempted.Reason != "why" || is.Exempted.Control != "instead") {
				rt.Fatalf("%+v became %+v, exempted: %v", was, is, want)
			}
			if was.Exempted != nil {
				rt.Fatal("the verdict of before was changed")
			}
			if want {
				marked++
			}
			refuses = refuses || was.Severity == abi.SeverityDeny && !want
		}
		if got.Refuses() != refuses {
			rt.Fatalf("refuses: %v, want %v: %+v", got.Refuses(), refuses, got.Findings)
		}
	})
	if marked == 0 {
		t.Error("nothing was exempted")
	}
}
