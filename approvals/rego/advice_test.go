package rego_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/approvals/rego"
)

// TestAdvice: each rule speaks where it has to, and the most careful advice is the recommendation.
func TestAdvice(t *testing.T) {
	p, err := rego.New(t.Context(), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steady := func() approvals.Brief {
		return approvals.Brief{
			Subject: approvals.Subject{
				Action: "promote", Tier: abi.TierPilot, App: approvals.SubjectApp{Classification: "internal"},
				Signer: approvals.SubjectSigner{Identity: "ada@example.com", Owns: true},
			},
			Review: approvals.SubjectReview{Since: 3, Wider: []string{}, Narrower: []string{}, Unused: []string{}, Audience: "people", Days: 30, Calls: 500, Failed: 2},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*approvals.Brief)
		want   []string
		sum    approvals.Leaning
	}{
		{"nothing is new, and it behaves", func(*approvals.Brief) {}, []string{"advice.no_wider", "advice.steady"}, approvals.LeansApprove},
		{"it is the first", func(b *approvals.Brief) { b.Review.Since = 0 }, []string{"advice.first", "advice.steady"}, approvals.LeansLook},
		{"it may do more", func(b *approvals.Brief) { b.Review.Wider = []string{"limits.fuel"} }, []string{"advice.wider", "advice.steady"}, approvals.LeansLook},
		{"it was never called", func(b *approvals.Brief) { b.Review.Calls, b.Review.Failed = 0, 0 }, []string{"advice.unmeasured", "advice.no_wider"}, approvals.LeansLook},
		{"it fails", func(b *approvals.Brief) { b.Review.Failed = 26 }, []string{"advice.failing", "advice.no_wider"}, approvals.LeansLook},
		{"it fails at times", func(b *approvals.Brief) { b.Review.Failed = 25 }, []string{"advice.no_wider"}, approvals.LeansApprove},
		{"it asks for what it has no use for", func(b *approvals.Brief) { b.Review.Unused = []string{"kv"} }, []string{"advice.unused", "advice.no_wider", "advice.steady"}, approvals.LeansLook},
		{"it carries confidential data out", func(b *approvals.Brief) {
			b.App.Classification = "confidential"
			b.Asked = []approvals.SubjectAsked{{Capability: "fetch"}}
		}, []string{"advice.carries_out", "advice.no_wider", "advice.steady"}, approvals.LeansLook},
		{"everyone opens confidential data", func(b *approvals.Brief) { b.App.Classification, b.Review.Audience = "restricted", "organisation" },
			[]string{"advice.wide_audience", "advice.no_wider", "advice.steady"}, approvals.LeansLook},
		{"another signed it", func(b *approvals.Brief) { b.Signer.Owns = false }, []string{"advice.signer", "advice.no_wider", "advice.steady"}, approvals.LeansLook},
	} {
		b := steady()
		c.change(&b)
		all, err := p.Advise(t.Context(), b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var codes []string
		for _, a := range all {
			codes = append(codes, a.Code)
		}
		if !slices.Equal(codes, c.want) || approvals.Recommend(all) != c.sum {
			t.Errorf("%s: %v, in sum %s; want %v, %s", c.name, codes, approvals.Recommend(all), c.want, c.sum)
		}
	}
	if got := approvals.Recommend(nil); got != "" {
		t.Errorf("without advice: %q", got)
	}
	// Rules of an organisation add to the advice. One that advises nothing known is an error, and no advice.
	for text, fails := range map[string]bool{
		`advice contains {"code": "house.no", "leans": "reject", "msg": "Not on Mondays."}`: false,
		`advice contains {"code": "house.no", "leans": "perhaps", "msg": "Who knows."}`:     true,
		`advice contains "no"`: true,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "house.rego"), []byte("package agora\n\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		house, err := rego.New(t.Context(), rego.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		all, err := house.Advise(t.Context(), steady())
		if fails != errors.Is(err, approvals.ErrPolicy) || (!fails && approvals.Recommend(all) != approvals.LeansReject) {
			t.Errorf("%s: %v, %v", text, all, err)
		}
	}
}
