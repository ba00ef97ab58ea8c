package governance

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state/rights"
)

// Subject describes a release to the policy, with what it has in the tier.
func Subject(q Question, have map[string]approvals.Right) approvals.Subject {
	r, m, terms := q.Release, q.Release.Manifest, rights.Terms(q.Release)
	s := approvals.Subject{
		Action: q.Action, Actor: q.Actor, Tier: q.Tier,
		App: approvals.SubjectApp{
			Name: m.Name, Title: m.Title, Description: m.Description, Owner: m.Owner,
			ExpectedUsers: int64(m.ExpectedUsers), MonthlyCents: int64(m.MonthlyCents), Answers: m.Answers,
			Team: m.Team, CostCenter: m.CostCenter, Classification: m.Classification, KeepState: m.KeepState, Identity: m.Identity(),
			Public: q.Public, Shared: q.Shared,
		},
		Module:   approvals.SubjectModule{Digest: string(r.Digest), Size: r.Size, Interface: r.Interface, Capabilities: r.Capabilities},
		Limits:   terms.Limits,
		Triggers: terms.Triggers,
		Signer:   approvals.SubjectSigner{Identity: r.Signer.Identity, Method: r.Signer.Method, Trust: r.Signer.Trust, Owns: q.SignerOwns || r.Signer.Identity == m.Owner},
	}
	for _, capability := range abi.Capabilities() {
		if g := have[capability.Name].Grant; g != nil {
			s.Grants = append(s.Grants, approvals.SubjectGrant{Capability: g.Capability, Tier: g.Tier, Params: g.Params})
		}
	}
	for word, ask := range m.Capabilities {
		s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: word, Params: ask.Params()})
	}
	slices.SortFunc(s.Asked, func(a, b approvals.SubjectAsked) int {
		return bytes.Compare([]byte(a.Capability), []byte(b.Capability))
	})
	return s
}

func reservedName(name, why string) abi.Finding {
	return abi.Finding{
		Code: "name.reserved", Severity: abi.SeverityDeny, Path: "name",
		Message: fmt.Sprintf("The name %q is reserved: %s.", name, why),
		Remedy: abi.Remedy{
			Summary:  "Choose another name. An operator can allow this one deliberately, in data.json of the policy.",
			Commands: []string{fmt.Sprintf(`"names": { "allow": [%q] }`, name)},
		},
	}
}
