package approvals

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

var (
	// ErrNotExemptable: the policy lets no app be exempted from that rule.
	ErrNotExemptable = errors.New("the policy exempts nobody from that rule")
	// ErrNoExemption: the request is no exemption that holds.
	ErrNoExemption = errors.New("no exemption that holds")
)

const (
	// MostExemptionDays is how long an exemption lasts at most, whatever the policy says.
	MostExemptionDays = 180
	// MostExemptions is how many an app has at once.
	MostExemptions = 20
	// warnExemption is how long before its end the owners are told.
	warnExemption = 14 * 24 * time.Hour
)

// ExemptionRules are what the policy says about exemptions: from which rules, by their codes, with the concern
// whose reviewers decide, and for how many days at most.
type ExemptionRules struct {
	Days  int               `json:"days"`
	Rules map[string]string `json:"rules"`
}

// Exemption is what a request of the kind exemption asks for; from its approval to its end, what it
// exempts from. Until then a finding of that code, which would refuse, is marked with it and refuses nothing.
type Exemption struct {
	Code    string    `json:"code"`            // of the rule
	Bound   bool      `json:"bound,omitempty"` // to the module of its release; else to the app in the tier
	Control string    `json:"control"`         // what is done instead: the compensating control
	Until   time.Time `json:"until"`

	Revoked    time.Time `json:"revoked,omitzero"`
	RevokedBy  string    `json:"revoked_by,omitempty"`
	RevokedFor string    `json:"revoked_for,omitempty"`
	Warned     bool      `json:"warned,omitempty"` // that its end is near was told
	Over       bool      `json:"over,omitempty"`   // that it has ended was told
}

// Exempts reports whether a request is an exemption that holds at a time.
func Exempts(q Request, now time.Time) bool {
	e := q.Exemption
	return q.Kind == KindExemption && q.Status == StatusApproved && e != nil && e.Revoked.IsZero() && now.Before(e.Until)
}

// exemptFrom is the code that a request asks to be exempted from, if it does.
func exemptFrom(q Request) string {
	if q.Exemption == nil {
		return ""
	}
	return q.Exemption.Code
}

// Ending says what the owners are to be told of an exemption that was approved: that its end is near, or has come.
func (e Exemption) Ending(now time.Time) (near, over bool) {
	if !e.Revoked.IsZero() || e.Over {
		return false, false
	}
	over = !now.Before(e.Until)
	return !over && !e.Warned && !now.Before(e.Until.Add(-warnExemption)), over
}

// RevokeExemption ends an exemption at once.
func RevokeExemption(q Request, by, reason string, now time.Time) (Request, error) {
	if !Exempts(q, now) {
		return q, fmt.Errorf("%s: %w", q.ID, ErrNoExemption)
	}
	e := *q.Exemption
	e.Revoked, e.RevokedBy, e.RevokedFor = now, by, reason
	q.Exemption = &e
	return q, nil
}

// Reaching are those of some exemptions that hold for a module in a tier.
func Reaching(all []Request, tier abi.Tier, digest string, now time.Time) []SubjectExemption {
	var reach []SubjectExemption
	for _, q := range all {
		if Exempts(q, now) && q.Tier == tier && (!q.Exemption.Bound || q.Digest == digest) {
			reach = append(reach, SubjectExemption{Request: q.ID, Code: q.Exemption.Code, Until: q.Exemption.Until, Reason: q.Reason, Control: q.Exemption.Control})
		}
	}
	return reach
}

// SubjectExemption is an exemption that holds for what is judged.
type SubjectExemption struct {
	Request string    `json:"request"`
	Code    string    `json:"code"`
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"`
	Control string    `json:"control"`
}

// Except marks the findings that a subject is exempted from. They stay where they are, and refuse nothing.
func (v Verdict) Except(all []SubjectExemption) Verdict {
	v.Findings = slices.Clone(v.Findings)
	for i := range v.Findings {
		f := &v.Findings[i]
		at := slices.IndexFunc(all, func(e SubjectExemption) bool { return e.Code == f.Code })
		if f.Severity != abi.SeverityDeny || at < 0 {
			continue
		}
		e := all[at]
		f.Severity = abi.SeverityInfo
		f.Exempted = &abi.Exempted{Request: e.Request, Until: e.Until, Reason: e.Reason, Control: e.Control}
	}
	return v
}
