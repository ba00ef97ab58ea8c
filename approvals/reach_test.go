package approvals_test

import (
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// ruled gives the same rule to every tier, and log to every app.
type ruled approvals.Reach

func (r ruled) Reach(abi.Tier) approvals.Reach                            { return approvals.Reach(r) }
func (ruled) Allowance(abi.Tier) approvals.Allowance                      { return approvals.Allowance{"log": nil} }
func asks(quota string) map[string]abi.Params                             { return map[string]abi.Params{"kv": {"quota": quota}} }
func changed(t approvals.Terms, f func(*approvals.Terms)) approvals.Terms { f(&t); return t }

// TestRights walks what makes a later release differ from the reviewed one, under a
// rule that names each difference alone.
func TestRights(t *testing.T) {
	reviewed := approvals.Terms{
		Release: 3, Digest: "sha256:aa", Signer: "ada", Classification: "internal", Asks: asks("100"),
		Limits: approvals.SubjectLimits{Fuel: 10}, Triggers: approvals.SubjectTriggers{Webhooks: 1},
	}
	grant := approvals.Grant{ID: "g", Capability: "kv", Tier: abi.TierPilot, Params: abi.Params{"quota": "80"}, Created: at, Reviewed: reviewed, Except: []string{"sha256:ee"}}
	later := changed(reviewed, func(l *approvals.Terms) { l.Release, l.Digest = 4, "sha256:bb" })
	for _, c := range []struct {
		name   string
		unless string // the one difference that the rule names
		to     approvals.Terms
		strict bool // reached not even by a rule that names nothing
	}{
		{"more", "params", changed(later, func(l *approvals.Terms) { l.Asks = asks("101") }), false},
		{"a parameter more", "params", changed(later, func(l *approvals.Terms) { l.Asks = map[string]abi.Params{"kv": {"quota": "1", "keys": "1"}} }), false},
		{"another signer", "signer", changed(later, func(l *approvals.Terms) { l.Signer = "eve" }), false},
		{"another class", "classification", changed(later, func(l *approvals.Terms) { l.Classification = "public" }), false},
		{"state", "keep_state", changed(later, func(l *approvals.Terms) { l.KeepState = true }), false},
		{"limits", "limits", changed(later, func(l *approvals.Terms) { l.Limits.Fuel = 11 }), false},
		{"at once", "limits", changed(later, func(l *approvals.Terms) { l.Limits.Concurrency = 1 }), false},
		{"triggers", "triggers", changed(later, func(l *approvals.Terms) { l.Triggers.Webhooks = 2 }), false},
		{"a cron", "triggers", changed(later, func(l *approvals.Terms) { l.Triggers.Crons = []approvals.SubjectCron{{Name: "n"}} }), false},
		{"an earlier release", "", changed(later, func(l *approvals.Terms) { l.Release = 2 }), true},
		{"the same number with other bytes", "", changed(later, func(l *approvals.Terms) { l.Release = 3 }), true},
		{"rejected bytes", "", changed(later, func(l *approvals.Terms) { l.Digest = "sha256:ee" }), true},
		{"a review of its own", "", changed(later, func(l *approvals.Terms) { l.Requires = []string{"kv"} }), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			has := func(to approvals.Terms, unless ...string) bool {
				r, ok := approvals.Rights(ruled{Releases: approvals.ReachLater, Unless: unless}, to, abi.TierSandbox, []approvals.Grant{grant}, at.Add(time.Second))["kv"]
				if ok && r.Params.Number("quota", 0) > 80 {
					t.Errorf("it has %v, more than the grant", r.Params)
				}
				return ok
			}
			if has(c.to) == c.strict {
				t.Errorf("by a rule that names nothing: %v", !c.strict)
			}
			if c.unless == "" {
				return
			}
			others := slices.DeleteFunc(approvals.Differences(), func(w string) bool { return w == c.unless })
			if !has(c.to, others...) || has(c.to, c.unless) || !has(later, c.unless) || !has(reviewed, c.unless) {
				t.Errorf("under %s: others %v, this %v, without the difference %v", c.unless, has(c.to, others...), has(c.to, c.unless), has(later, c.unless))
			}
			if _, ok := approvals.Rights(ruled{}, later, abi.TierSandbox, []approvals.Grant{grant}, at)["kv"]; ok {
				t.Error("the strict rule reaches a later release")
			}
		})
	}
	// What the rules want reviewed, no tier gives.
	for _, requires := range [][]string{nil, {"log"}} {
		_, ok := approvals.Rights(ruled{}, approvals.Terms{Release: 1, Asks: map[string]abi.Params{"log": nil}, Requires: requires}, abi.TierSandbox, nil, at)["log"]
		if ok != (requires == nil) {
			t.Errorf("log by default with %v: %v", requires, ok)
		}
	}
	if err := (approvals.Reach{Releases: "all"}).Check(); err == nil {
		t.Error("a rule of another word was taken")
	}
	if err := (approvals.Reach{Releases: "later", Unless: []string{"weather"}}).Check(); err == nil {
		t.Error("a difference of another word was taken")
	}
}
