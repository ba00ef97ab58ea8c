package approvals_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// lane are rules that allow kv up to bounds in the sandbox, and whose grants reach what was reviewed.
type lane struct{}

func (lane) Reach(abi.Tier) approvals.Reach { return approvals.Reach{} }

func (lane) Allowance(tier abi.Tier) approvals.Allowance {
	if tier != abi.TierSandbox {
		return nil
	}
	return approvals.Allowance{"log": nil, "kv": {"quota": {Number: 100}, "keys": {Number: 10}}}
}

// TestAllowance: what the rules allow is all that is asked, within every bound.
func TestAllowance(t *testing.T) {
	text := `{"kv": {"quota": 100, "keys": 10}, "secret": {"names": "*"}, "events": {"topics": ["a.b", "c"]},
		"fetch": {"allow": ["https://*.corp.example", "https://api.example"], "max_calls": 2}}`
	var a approvals.Allowance
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	a["log"] = nil
	for _, c := range []struct {
		word  string
		asked abi.Params
		want  bool
	}{
		{"log", nil, true},
		{"log", abi.Params{"anything": "7"}, true}, // what has no bounds
		{"llm", nil, false},
		{"kv", abi.Params{"quota": "100", "keys": "10"}, true},
		{"kv", abi.Params{"quota": "101", "keys": "10"}, false},
		{"kv", abi.Params{"quota": "100", "keys": "11"}, false},
		{"kv", abi.Params{"quota": "1", "other": "1"}, false},      // a parameter without a bound
		{"kv", abi.Params{"quota": "99999999999999999999"}, false}, // no number that can be compared
		{"kv", abi.Params{"quota": "-1"}, true},                    // manifests have none that is negative
		{"secret", abi.Params{"names": "a b c"}, true},
		{"events", abi.Params{"topics": "a.b"}, true},
		{"events", abi.Params{"topics": "a.b d"}, false},
		{"fetch", abi.Params{"allow": "https://api.example", "max_calls": "2"}, true},
		{"fetch", abi.Params{"allow": "https://x.corp.example", "max_calls": "1"}, true},
		{"fetch", abi.Params{"allow": "https://*.corp.example", "max_calls": "1"}, true},
		{"fetch", abi.Params{"allow": "https://*.x.corp.example", "max_calls": "1"}, false}, // other hosts
		{"fetch", abi.Params{"allow": "https://x.y.corp.example", "max_calls": "1"}, false},
		{"fetch", abi.Params{"allow": "https://corp.example", "max_calls": "1"}, false},
		{"fetch", abi.Params{"allow": "http://x.corp.example", "max_calls": "1"}, false},
		{"fetch", abi.Params{"allow": "https://x.corp.example:8443", "max_calls": "1"}, false},
		{"fetch", abi.Params{"allow": "https://api.example https://evil.example", "max_calls": "1"}, false},
		{"fetch", abi.Params{"allow": "https://api.example", "max_calls": "1", "credentials": "crm@https://api.example"}, false},
	} {
		if got := a.Allows(c.word, c.asked); got != c.want {
			t.Errorf("%s with %v: %v, want %v", c.word, c.asked, got, c.want)
		}
	}
	if less := a.Without([]string{"kv", "log"}); less.Allows("kv", nil) || !less.Allows("log", nil) || !a.Allows("kv", nil) {
		t.Error("what is closed is taken off a copy, and what has no bounds stays")
	}
	for _, wrong := range []string{`{"kv": {"quota": -1}}`, `{"kv": {"quota": "many"}}`, `{"kv": {"quota": 1.5}}`, `{"kv": {"quota": true}}`, `{"kv": {"quota": [1]}}`} {
		if err := json.Unmarshal([]byte(wrong), new(approvals.Allowance)); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
	if again, err := json.Marshal(a["fetch"]); err != nil || string(again) != `{"allow":["https://*.corp.example","https://api.example"],"max_calls":2}` {
		t.Errorf("%s, %v", again, err)
	}
}

// TestRightsByRule: where a grant gives less than is asked, the rules may give it; what they want
// reviewed they do not give, nor in another tier.
func TestRightsByRule(t *testing.T) {
	of := approvals.Terms{Release: 2, Digest: "sha256:aa", Asks: map[string]abi.Params{"kv": {"quota": "50", "keys": "5"}}}
	small := approvals.Grant{ID: "g", Capability: "kv", Tier: abi.TierSandbox, Params: abi.Params{"quota": "20", "keys": "5"}, Created: at, Reviewed: of}
	whole := small
	whole.Params = of.Asks["kv"]
	now := at.Add(time.Second)
	for _, c := range []struct {
		name   string
		tier   abi.Tier
		grants []approvals.Grant
		of     func(*approvals.Terms)
		quota  int64 // 0: no right
		grant  bool
	}{
		{"by the rules", abi.TierSandbox, nil, nil, 50, false},
		{"not in a higher tier", abi.TierPilot, nil, nil, 0, false},
		{"by a grant of all that is asked", abi.TierSandbox, []approvals.Grant{whole}, nil, 50, true},
		{"more than the grant, within the rules", abi.TierSandbox, []approvals.Grant{small}, nil, 50, false},
		{"more than the rules", abi.TierSandbox, []approvals.Grant{small}, func(t *approvals.Terms) { t.Asks = map[string]abi.Params{"kv": {"quota": "500", "keys": "5"}} }, 20, true},
		{"more than the rules, without a grant", abi.TierSandbox, nil, func(t *approvals.Terms) { t.Asks = map[string]abi.Params{"kv": {"quota": "500", "keys": "5"}} }, 0, false},
		{"what a rule wants reviewed", abi.TierSandbox, nil, func(t *approvals.Terms) { t.Requires = []string{"kv"} }, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			terms := of
			if c.of != nil {
				c.of(&terms)
			}
			r, ok := approvals.Rights(lane{}, terms, c.tier, c.grants, now)["kv"]
			if ok != (c.quota > 0) || r.Params.Number("quota", 0) != c.quota || (r.Grant != nil) != c.grant {
				t.Errorf("%v: %+v", ok, r)
			}
		})
	}
}
