package rego_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/approvals/rego"
)

// builtIn returns the document that is built in, to change.
func builtIn(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// withData compiles the rules with another document.
func withData(t *testing.T, data map[string]any, rules ...string) (*rego.Policy, error) {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "data.json"), text, 0o600)
	}
	for _, rule := range rules {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "house.rego"), []byte("package agora\n\n"+rule+"\n"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return rego.New(t.Context(), rego.Options{Dir: dir})
}

// at finds an object in a document.
func at(data map[string]any, path ...string) map[string]any {
	for _, key := range path {
		data = data[key].(map[string]any)
	}
	return data
}

// TestTiersAreChecked: what is wrong with a document is said with where it stands and what to write.
func TestTiersAreChecked(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(data map[string]any)
		want   string // "" if it is taken
	}{
		{"as it is built in", func(map[string]any) {}, ""},
		{"from before there was a fast lane", func(d map[string]any) {
			for _, tier := range abi.Tiers() {
				for _, key := range []string{"allow", "metadata", "audience"} {
					delete(at(d, "tiers", string(tier)), key)
				}
			}
		}, ""},
		{"a safe list", func(d map[string]any) {
			at(d, "tiers", "sandbox", "allow")["fetch"] = map[string]any{"allow": []string{"https://*.corp.example"}, "max_calls": 1, "max_request": 1, "max_response": 1}
		}, ""},
		{"own data beside", func(d map[string]any) { d["house"] = map[string]any{"mondays": true} }, ""},
		{"no tiers", func(d map[string]any) { delete(d, "tiers") }, `it has no "tiers": copy them`},
		{"a tier is missing", func(d map[string]any) { delete(at(d, "tiers"), "pilot") }, "says nothing about the pilot tier: copy"},
		{"a tier too many", func(d map[string]any) { at(d, "tiers")["staging"] = map[string]any{} }, "tiers.staging is no tier"},
		{"a tier that is none", func(d map[string]any) { at(d, "tiers")["pilot"] = true }, "tiers.pilot is no object"},
		{"a key that is not known", func(d map[string]any) { at(d, "tiers", "sandbox")["allows"] = map[string]any{} }, "tiers.sandbox.allows is not known: write one of"},
		{"the tier's name in it", func(d map[string]any) { at(d, "tiers", "sandbox")["tier"] = "pilot" }, "tiers.sandbox.tier is not known"},
		{"a limit that is not known", func(d map[string]any) { at(d, "tiers", "sandbox", "limits")["fules"] = 1 }, `tiers.sandbox.limits: unknown field "fules"`},
		{"a limit that is missing", func(d map[string]any) { delete(at(d, "tiers", "sandbox", "limits"), "fuel") }, "tiers.sandbox.limits.fuel is missing"},
		{"a limit below 0", func(d map[string]any) { at(d, "tiers", "sandbox", "limits")["memory"] = -1 }, "tiers.sandbox.limits.memory is missing or not above 0"},
		{"a capability that is none", func(d map[string]any) { at(d, "tiers", "sandbox", "allow")["kvs"] = map[string]any{} }, `tiers.sandbox.allow: there is no capability "kvs"`},
		{"a number that was forgotten", func(d map[string]any) { delete(at(d, "tiers", "sandbox", "allow", "kv"), "keys") }, `tiers.sandbox.allow.kv does not say the greatest keys: add "keys"`},
		{"a parameter that is none", func(d map[string]any) { at(d, "tiers", "sandbox", "allow", "kv")["names"] = "*" }, "tiers.sandbox.allow.kv.names is not known: kv has quota, keys"},
		{"a number for a list", func(d map[string]any) { at(d, "tiers", "sandbox", "allow", "secret")["names"] = 3 }, `tiers.sandbox.allow.secret.names is a list: write ["…"]`},
		{"a list for a number", func(d map[string]any) { at(d, "tiers", "sandbox", "allow", "kv")["keys"] = "*" }, "tiers.sandbox.allow.kv.keys is a number"},
		{"words for a bound", func(d map[string]any) { at(d, "tiers", "sandbox", "allow", "kv")["keys"] = "many" }, `tiers.sandbox.allow: "many" is no bound: write a number`},
		{"more than can be asked for", func(d map[string]any) { at(d, "tiers", "sandbox", "allow", "kv")["quota"] = 1 << 30 }, "tiers.sandbox.allow.kv.quota is 1073741824, more than the 1048576"},
		{"null", func(d map[string]any) { at(d, "tiers", "sandbox", "allow")["kv"] = nil }, "tiers.sandbox.allow.kv is null"},
		{"an origin that is none", func(d map[string]any) {
			at(d, "tiers", "sandbox", "allow")["fetch"] = map[string]any{"allow": []string{"corp.example"}, "max_calls": 1, "max_request": 1, "max_response": 1}
		}, `tiers.sandbox.allow.fetch.allow: "corp.example" does not begin with https://`},
		{"an origin in another form", func(d map[string]any) {
			at(d, "tiers", "sandbox", "allow")["fetch"] = map[string]any{"allow": []string{"https://Corp.example:443"}, "max_calls": 1, "max_request": 1, "max_response": 1}
		}, `write "https://Corp.example:443" as "https://corp.example"`},
		{"most of a list", func(d map[string]any) { at(d, "tiers", "sandbox", "most")["secret"] = map[string]any{"names": 3} }, "tiers.sandbox.most.secret.names is no number that secret has"},
		{"metadata that is none", func(d map[string]any) { at(d, "tiers", "pilot")["metadata"] = []string{"owner", "colour"} }, `tiers.pilot.metadata knows owner`},
		{"a question", func(d map[string]any) { at(d, "tiers", "pilot")["metadata"] = []string{"answers.personal_data"} }, ""},
		{"a question that is none", func(d map[string]any) { at(d, "tiers", "pilot")["metadata"] = []string{"answers.Personal data"} }, "tiers.pilot.metadata knows owner"},
		{"an audience that is none", func(d map[string]any) { at(d, "tiers", "pilot")["audience"] = "friends" }, `tiers.pilot.audience is one of owner`},
		{"clocks", func(d map[string]any) { at(d, "tiers", "pilot")["clocks"] = map[string]any{"reviewers": 24} }, ""},
		{"no clocks, as before there were any", func(d map[string]any) { delete(at(d, "tiers", "pilot"), "clocks") }, ""},
		{"a clock that runs backwards", func(d map[string]any) { at(d, "tiers", "pilot", "clocks")["reviewers"] = -1 }, "tiers.pilot.clocks: reviewers is 0 to 8784 hours, not -1"},
		{"a clock that is none", func(d map[string]any) { at(d, "tiers", "pilot", "clocks")["days"] = 1 }, "tiers.pilot.clocks: unknown field"},
		{"grants that live 90 days", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["days"] = 90 }, ""},
		{"grants that have ended before", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["certify_days"] = -1 }, "tiers.pilot.grants: certify_days is 0 to 3660 days, not -1"},
		{"grants that lapse before anybody is told", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["unused_days"] = 20 }, "tiers.pilot.grants: unused_days is 0, or 28 to 3660 days"},
		{"emergencies of a night", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["emergency_hours"] = 12 }, ""},
		{"emergencies of a month", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["emergency_hours"] = 720 }, "tiers.pilot.grants: emergency_hours is 0, which is none, to 168 hours, not 720"},
		{"a withdrawal after no time", func(d map[string]any) { at(d, "tiers", "pilot", "clocks")["requester"] = 0 }, "tiers.pilot.clocks: withdraw counts from the end"},
		{"a reach that is none", func(d map[string]any) { at(d, "tiers", "pilot", "grants")["reach"] = "all" }, "tiers.pilot.grants: reach is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := builtIn(t)
			c.change(data)
			_, err := withData(t, data)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.Is(err, approvals.ErrPolicy) || !strings.Contains(err.Error(), "data.json: "+c.want) && !strings.Contains(err.Error(), c.want)):
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}

// TestFastLane: what a tier allows needs no reviewer and is said to be so; a rule of one's own wins; and
// the document is a part of the policy's digest.
func TestFastLane(t *testing.T) {
	asks := func(tier abi.Tier, allowed, closed []string) approvals.Subject {
		s := good()
		s.Tier, s.Allowed, s.App.Closed = tier, allowed, closed
		s.Module.Capabilities = append(s.Module.Capabilities, "kv")
		s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "kv", Params: map[string]string{"quota": "1000", "keys": "10"}})
		return s
	}
	p, err := rego.New(t.Context(), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		p    *rego.Policy
		s    approvals.Subject
		code string
		says string
	}{
		{"allowed", p, asks(abi.TierSandbox, []string{"kv"}, nil), "capability.allowed", "without a reviewer: keys up to 10000, quota up to 1 MiB"},
		{"broader", p, asks(abi.TierSandbox, nil, nil), "capability.needs_grant", "(without one: keys up to 10000, quota up to 1 MiB)"},
		{"taken away", p, asks(abi.TierSandbox, nil, []string{"kv"}), "capability.needs_grant", "since one was taken from it or refused"},
		{"in the pilot", p, asks(abi.TierPilot, nil, nil), "capability.needs_grant", "needs a grant in the pilot tier."},
	} {
		v, err := c.p.Evaluate(t.Context(), c.s)
		if err != nil {
			t.Fatal(err)
		}
		about := v.About("kv")
		if len(about) != 1 || about[0].Code != c.code || !strings.Contains(about[0].Message, c.says) || (len(v.Requires) == 0) != (c.code == "capability.allowed") {
			t.Errorf("%s: %+v, requires %v", c.name, about, v.Requires)
		}
	}
	strict, err := withData(t, builtIn(t), `requires contains {"kind": "grant", "capability": "kv", "code": "house.confidential", "msg": "Confidential data is looked at."} if {
	some asked in input.asked
	asked.capability == "kv"
	input.app.data_classification == "internal"
}`)
	if err != nil {
		t.Fatal(err)
	}
	v, err := strict.Evaluate(t.Context(), asks(abi.TierSandbox, []string{"kv"}, nil))
	if err != nil || len(v.Requires) != 1 || v.Requires[0].Code != "house.confidential" {
		t.Errorf("an organisation's own rule: %+v, %v", v, err)
	}
	data := builtIn(t)
	delete(at(data, "tiers", "sandbox", "allow"), "kv")
	less, err := withData(t, data)
	if err != nil {
		t.Fatal(err)
	}
	was, errWas := p.Evaluate(t.Context(), good())
	is, errIs := less.Evaluate(t.Context(), good())
	if errWas != nil || errIs != nil || was.Policy == is.Policy {
		t.Errorf("a stricter document is the same policy: %s, %v, %v", is.Policy, errWas, errIs)
	}
	if p.Allowance(abi.TierSandbox).Allows("llm", abi.Params{}) || !p.Allowance(abi.TierSandbox).Allows("kv", abi.Params{"quota": "1048576", "keys": "10000"}) || less.Allowance(abi.TierSandbox).Allows("kv", abi.Params{}) {
		t.Error("the sandbox allows kv, and no language model")
	}
}

// TestMetadata: what a manifest has to say is data of the tier.
func TestMetadata(t *testing.T) {
	data := builtIn(t)
	at(data, "tiers", "sandbox")["metadata"] = []string{"owner", "description", "shared", "expected_users", "monthly_cents", "answers.personal_data", "answers.export"}
	p, err := withData(t, data)
	if err != nil {
		t.Fatal(err)
	}
	s := good()
	s.App.Description, s.App.Team, s.App.Shared, s.App.Answers = "", "", false, map[string]string{"export": "none", "personal_data": " "}
	v, err := p.Evaluate(t.Context(), s)
	var got []string
	for _, f := range v.Findings {
		got = append(got, string(f.Severity)+" "+f.Code+" "+f.Path)
	}
	want := []string{
		"deny metadata.answer_missing answers.personal_data", "deny metadata.description_missing description",
		"deny metadata.expected_users_missing expected_users", "deny metadata.monthly_cents_missing monthly_cents", "deny owner.alone owner",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	s.App.Description, s.App.Shared, s.App.ExpectedUsers, s.App.MonthlyCents, s.App.Answers["personal_data"] = "Greets.", true, 20, 500, "no"
	if v, err = p.Evaluate(t.Context(), s); err != nil || len(v.Findings) > 0 {
		t.Errorf("all is said: %+v, %v", v.Findings, err)
	}
}
