package rego

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// finding is an element of data.agora.findings.
type finding struct {
	Code     string       `json:"code"`
	Severity abi.Severity `json:"severity"`
	Msg      string       `json:"msg"`
	Path     string       `json:"path"`
	Subject  string       `json:"subject"`
	Remedy   abi.Remedy   `json:"remedy"`
}

// requirement is an element of data.agora.requires.
type requirement struct {
	Kind       approvals.Kind `json:"kind"`
	Capability string         `json:"capability"`
	Code       string         `json:"code"`
	Msg        string         `json:"msg"`
	Path       string         `json:"path"`
	Remedy     abi.Remedy     `json:"remedy"`
}

// verdict reads what the rules return about a subject. What they require is shown as a finding of
// severity review. A rule that makes such a finding itself must be about something that is required:
// else a reviewer would be announced whom nothing asks.
func verdict(sets map[string]any, s approvals.Subject, by approvals.Digest) (none approvals.Verdict, err error) {
	v := approvals.Verdict{Policy: by}
	if v.Findings, err = decode(sets["findings"]); err != nil {
		return none, err
	}
	list, ok := sets["requires"].([]any)
	if !ok || len(list) > maxFindings {
		return none, fmt.Errorf("%w: data.agora.requires is no set, or has more than %d elements", approvals.ErrPolicy, maxFindings)
	}
	stated := slices.Clone(v.Findings)
	for _, item := range list {
		if word, ok := item.(string); ok {
			v.Requires = append(v.Requires, named(word, stated)...)
			continue
		}
		r, err := required(item)
		if err != nil {
			return none, err
		}
		v.Requires = append(v.Requires, approvals.Requirement{Kind: r.Kind, Capability: r.Capability, Code: r.Code, Reason: r.Msg})
		v.Findings = append(v.Findings, abi.Finding{Code: r.Code, Severity: abi.SeverityReview, Message: r.Msg, Path: r.Path, Subject: r.Capability, Remedy: r.Remedy})
	}
	if v.Stages, err = stages(sets["stages"]); err != nil {
		return none, err
	}
	for _, r := range v.Requires {
		if !slices.ContainsFunc(s.Asked, func(a approvals.SubjectAsked) bool { return a.Capability == r.Capability }) {
			return none, fmt.Errorf("%w: data.agora.requires has %q, which is no capability that the release asks for", approvals.ErrPolicy, r.Capability)
		}
	}
	for _, f := range v.Findings {
		if f.Severity == abi.SeverityReview && len(v.Requirements(f.Subject)) == 0 {
			return none, fmt.Errorf("%w: the rule %s wants a reviewer to decide about %q, which data.agora.requires does not have; let the rule add to requires instead of findings", approvals.ErrPolicy, f.Code, f.Subject)
		}
	}
	slices.SortFunc(v.Findings, compare)
	slices.SortFunc(v.Requires, func(a, b approvals.Requirement) int {
		return cmp.Or(strings.Compare(a.Capability, b.Capability), strings.Compare(a.Code, b.Code), strings.Compare(a.Reason, b.Reason))
	})
	return v, nil
}

// named are the requirements of rules that name a capability alone, as those from before
// requirements had reasons do: these are in their findings.
func named(word string, stated []abi.Finding) (all []approvals.Requirement) {
	for _, f := range stated {
		if f.Severity == abi.SeverityReview && f.Subject == word {
			all = append(all, approvals.Requirement{Kind: approvals.KindGrant, Capability: word, Code: f.Code, Reason: f.Message})
		}
	}
	if len(all) == 0 {
		all = []approvals.Requirement{{Kind: approvals.KindGrant, Capability: word}}
	}
	return all
}

// required reads one requirement.
func required(item any) (r requirement, err error) {
	raw, err := json.Marshal(item)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil || r.Kind != approvals.KindGrant || r.Capability == "" || r.Code == "" || r.Msg == "" {
		return r, fmt.Errorf("%w: a rule requires %.300s, which is no grant of a capability with a code and a msg", approvals.ErrPolicy, raw)
	}
	return r, nil
}

// decode reads findings.
func decode(value any) ([]abi.Finding, error) {
	list, ok := value.([]any)
	if !ok || len(list) > maxFindings {
		return nil, fmt.Errorf("%w: the rules return no set, or more than %d findings", approvals.ErrPolicy, maxFindings)
	}
	findings := make([]abi.Finding, 0, len(list))
	for _, item := range list {
		raw, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
		}
		var f finding
		if err := json.Unmarshal(raw, &f); err != nil || f.Code == "" || f.Msg == "" {
			return nil, fmt.Errorf("%w: a rule returns %s, which is no finding", approvals.ErrPolicy, raw)
		}
		switch f.Severity {
		case abi.SeverityDeny, abi.SeverityReview, abi.SeverityInfo:
		default:
			return nil, fmt.Errorf("%w: the rule %s has severity %q", approvals.ErrPolicy, f.Code, f.Severity)
		}
		findings = append(findings, abi.Finding{Code: f.Code, Severity: f.Severity, Message: f.Msg, Path: f.Path, Subject: f.Subject, Remedy: f.Remedy})
	}
	return findings, nil
}

// compare puts what refuses first, and is total.
func compare(a, b abi.Finding) int {
	order := func(f abi.Finding) string {
		rank := map[abi.Severity]string{abi.SeverityDeny: "0", abi.SeverityReview: "1", abi.SeverityInfo: "2"}[f.Severity]
		return rank + "\x00" + f.Code + "\x00" + f.Path + "\x00" + f.Message
	}
	return strings.Compare(order(a), order(b))
}
