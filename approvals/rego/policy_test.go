package rego_test

import (
	"context"
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

func good() approvals.Subject {
	return approvals.Subject{
		Action: "publish", Actor: "ada@example.com", Tier: abi.TierSandbox,
		App:    approvals.SubjectApp{Name: "hello", Title: "Hello", Description: "Greets.", Owner: "ada@example.com", Team: "sales", CostCenter: "CC-1", Classification: "internal", Shared: true},
		Module: approvals.SubjectModule{Interface: abi.InterfaceV1, Capabilities: []string{"log"}},
		Limits: approvals.SubjectLimits{Fuel: 1000, Memory: 1 << 20, TimeoutMS: 1000, Request: 1000, Response: 1000, Concurrency: 4},
		Signer: approvals.SubjectSigner{Identity: "ada@example.com", Method: "identity", Trust: "local"},
		Asked:  []approvals.SubjectAsked{{Capability: "log"}},
	}
}

func TestDecisions(t *testing.T) {
	p, err := rego.New(t.Context(), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kv := func(s *approvals.Subject, quota string) {
		s.Module.Capabilities = append(s.Module.Capabilities, "kv")
		s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "kv", Params: map[string]string{"quota": quota}})
	}
	grant := func(s *approvals.Subject, tier abi.Tier, quota string) {
		s.Grants = append(s.Grants, approvals.SubjectGrant{Capability: "kv", Tier: tier, Params: map[string]string{"quota": quota}})
	}
	lists := func(s *approvals.Subject, asked, granted string) {
		s.Module.Capabilities = append(s.Module.Capabilities, "kv")
		s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "kv", Params: map[string]string{"names": asked}})
		g := approvals.SubjectGrant{Capability: "kv", Tier: abi.TierSandbox, Params: map[string]string{"names": granted}}
		if granted == "" {
			delete(g.Params, "names")
		}
		s.Grants = append(s.Grants, g)
	}
	for _, c := range []struct {
		name   string
		change func(*approvals.Subject)
		want   []string // severity and code
	}{
		{"all is well", func(*approvals.Subject) {}, nil},
		{"no owner", func(s *approvals.Subject) { s.App.Owner = " " }, []string{"deny metadata.owner_missing", "deny signer.not_owner"}},
		{"no team", func(s *approvals.Subject) { s.App.Team = "" }, []string{"deny metadata.team_missing"}},
		{"no cost center", func(s *approvals.Subject) { s.App.CostCenter = "" }, []string{"deny metadata.cost_center_missing"}},
		{"no classification", func(s *approvals.Subject) { s.App.Classification = "" }, []string{"deny metadata.data_classification_missing"}},
		{"signed by somebody else", func(s *approvals.Subject) { s.Signer.Identity = "eve@example.com" }, []string{"deny signer.not_owner"}},
		{"signed by a co-owner", func(s *approvals.Subject) { s.Signer.Identity, s.Signer.Owns = "eve@example.com", true }, nil},
		{"one owner, in the sandbox", func(s *approvals.Subject) { s.App.Shared = false }, nil},
		{"one owner, in the pilot", func(s *approvals.Subject) { s.App.Shared, s.Tier = false, abi.TierPilot }, []string{"info owner.alone"}},
		{"uses what it does not declare", func(s *approvals.Subject) { s.Asked = nil }, []string{"deny capability.undeclared"}},
		{"declares what it does not use", func(s *approvals.Subject) { s.Module.Capabilities = nil }, []string{"info capability.unused"}},
		{"kv needs a grant", func(s *approvals.Subject) { kv(s, "1000") }, []string{"review capability.needs_grant"}},
		{"kv with a grant", func(s *approvals.Subject) { kv(s, "1000"); grant(s, abi.TierSandbox, "1000") }, nil},
		{"a grant for a higher tier holds below", func(s *approvals.Subject) { kv(s, "1000"); grant(s, abi.TierProduction, "1000") }, nil},
		{"a list that the grant covers", func(s *approvals.Subject) { lists(s, "a b", "a b c") }, nil},
		{"more of a list than the grant", func(s *approvals.Subject) { lists(s, "a d", "a b c") }, []string{"review capability.more"}},
		{"a list that the grant does not have", func(s *approvals.Subject) { lists(s, "a", "") }, []string{"review capability.more"}},
		{"more than the grant", func(s *approvals.Subject) { kv(s, "2000"); grant(s, abi.TierSandbox, "1000") }, []string{"review capability.more"}},
		{"more than the tier has", func(s *approvals.Subject) { kv(s, "99999999"); grant(s, abi.TierSandbox, "99999999") }, []string{"deny capability.quota"}},
		{"more keys than the tier has", func(s *approvals.Subject) {
			kv(s, "1")
			s.Asked[len(s.Asked)-1].Params["keys"] = "10001"
			grant(s, abi.TierSandbox, "1")
			s.Grants[len(s.Grants)-1].Params["keys"] = "10001"
		}, []string{"deny capability.quota"}},
		{"too much fuel", func(s *approvals.Subject) { s.Limits.Fuel = 1 << 40 }, []string{"deny limits.exceeded"}},
		{"public, with internal data", func(s *approvals.Subject) { s.App.Public = true }, nil},
		{"public, with confidential data", func(s *approvals.Subject) { s.App.Public, s.App.Classification = true, "confidential" }, []string{"deny audience.classification"}},
		{"public, with restricted data", func(s *approvals.Subject) {
			s.App.Public, s.App.Classification, s.Tier = true, "restricted", abi.TierProduction
		}, []string{"deny audience.classification"}},
		{"asks for ids", func(s *approvals.Subject) { s.App.Identity, s.App.Classification = "pseudonym", "public" }, nil},
		{"asks for names", func(s *approvals.Subject) { s.App.Identity = "person" }, []string{"info identity.person"}},
		{"asks for names, with public data", func(s *approvals.Subject) { s.App.Identity, s.App.Classification = "person", "public" }, []string{"deny identity.classification", "info identity.person"}},
		{"asks for what nothing is said of", func(s *approvals.Subject) { s.App.Identity = "passport" }, []string{"deny identity.classification"}},
		{"too much of everything", func(s *approvals.Subject) {
			s.Limits = approvals.SubjectLimits{Fuel: 1 << 40, Memory: 1 << 40, TimeoutMS: 1 << 40, Request: 1 << 40, Response: 1 << 40, Concurrency: 1 << 20}
		}, slices.Repeat([]string{"deny limits.exceeded"}, 6)},
		{"triggers within the tier", func(s *approvals.Subject) {
			s.Triggers = approvals.SubjectTriggers{Crons: []approvals.SubjectCron{{Name: "a", IntervalS: 300}}, Webhooks: 1, Events: 1}
		}, nil},
		{"a cron that runs too often", func(s *approvals.Subject) {
			s.Triggers.Crons = []approvals.SubjectCron{{Name: "a", IntervalS: 60}, {Name: "b", IntervalS: 86400}}
		}, []string{"deny triggers.too_often"}},
		{"that is not too often in a higher tier", func(s *approvals.Subject) {
			s.Action, s.Tier, s.Triggers.Crons = "promote", abi.TierPilot, []approvals.SubjectCron{{Name: "a", IntervalS: 60}}
		}, nil},
		{"too many triggers", func(s *approvals.Subject) {
			s.Triggers = approvals.SubjectTriggers{Crons: slices.Repeat([]approvals.SubjectCron{{Name: "a", IntervalS: 300}}, 6), Webhooks: 6, Events: 11}
		}, slices.Repeat([]string{"deny triggers.too_many"}, 3)},
		{"state that is kept", func(s *approvals.Subject) { s.App.KeepState = true }, []string{"info state.kept"}},
		{"dearer than the tier has", func(s *approvals.Subject) {
			s.Module.Capabilities = append(s.Module.Capabilities, "llm")
			s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "llm", Params: map[string]string{"models": "small", "daily_cents": "501"}})
			s.Models = map[string][]string{"small": {"public", "internal"}}
		}, []string{"deny capability.quota", "review capability.needs_grant"}},
		{"models that there are not, or not for such data", func(s *approvals.Subject) {
			s.Module.Capabilities = append(s.Module.Capabilities, "llm")
			s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "llm", Params: map[string]string{"models": "open small unknown"}})
			s.Models = map[string][]string{"small": {"public", "internal"}, "open": {"public"}}
		}, []string{"deny llm.classification", "review capability.needs_grant", "info llm.no_model"}},
		{"plain and wide fetches", func(s *approvals.Subject) {
			s.Module.Capabilities = append(s.Module.Capabilities, "fetch")
			s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: "fetch", Params: map[string]string{"allow": "http://a.example https://*.b.example https://c.example"}})
		}, []string{"review capability.needs_grant", "info fetch.plain", "info fetch.wide"}},
		{"restricted data in the sandbox", func(s *approvals.Subject) { s.App.Classification = "restricted" }, []string{"deny classification.sandbox"}},
		{"promotion without a description", func(s *approvals.Subject) { s.Action, s.Tier, s.App.Description = "promote", abi.TierPilot, "" }, []string{"deny metadata.description_missing"}},
		{"promotion needs the grant again", func(s *approvals.Subject) {
			s.Action, s.Tier = "promote", abi.TierPilot
			kv(s, "1000")
			grant(s, abi.TierSandbox, "1000")
		}, []string{"review capability.needs_grant"}},
		{"production without a title", func(s *approvals.Subject) { s.Action, s.Tier, s.App.Title = "promote", abi.TierProduction, "" }, []string{"deny metadata.title_missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.change(&s)
			v, err := p.Evaluate(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range v.Findings {
				got = append(got, string(f.Severity)+" "+f.Code)
				if f.Remedy.Summary == "" || f.Path == "" {
					t.Errorf("%s says not where or what to do: %+v", f.Code, f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings = %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostileRules: an operator's mistake must not become a hole.
func TestHostileRules(t *testing.T) {
	for _, c := range []struct{ name, rule string }{
		{"reaches out", `findings contains http.send({"method": "get", "url": "http://127.0.0.1/"}) if true`},
		{"reads the clock", `findings contains f if { f := time.now_ns() }`},
		{"reads the environment", `findings contains opa.runtime() if true`},
		{"shifts bits for ever", `findings contains bits.lsh(1, 1000000000000) if true`},
		{"is no Rego", `findings contains`},
		{"answers no finding", `findings contains "no" if true`},
		{"announces a reviewer whom nothing asks", `findings contains {"code": "x", "severity": "review", "msg": "x", "subject": "log"} if true`},
		{"requires what is not asked for", `requires contains {"kind": "grant", "capability": "kv", "code": "x", "msg": "x"} if true`},
		{"requires another kind", `requires contains {"kind": "promotion", "capability": "log", "code": "x", "msg": "x"} if true`},
		{"requires without saying why", `requires contains {"kind": "grant", "capability": "log", "code": "x"} if true`},
		{"requires a number", `requires contains 7 if true`},
		{"invents a severity", `findings contains {"code": "x", "severity": "maybe", "msg": "x"} if true`},
		{"never ends", `findings contains f if { some i in numbers.range(1, 100000000); f := i }`},
		{"multiplies", `big := [1 | some a in l; some b in l; some c in l; some d in l; some e in l]
l := ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32"]
findings contains f if { f := count(big) }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "extra.rego"), []byte("package agora\n\n"+c.rule+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := rego.New(context.Background(), rego.Options{Dir: dir})
			if err == nil {
				_, err = p.Evaluate(t.Context(), good())
			}
			if !errors.Is(err, approvals.ErrPolicy) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestOperatorsRulesAreAdded(t *testing.T) {
	dir := t.TempDir()
	rule := `package agora
findings contains {"code": "house.rule", "severity": "deny", "msg": "Not on Mondays.", "path": "", "subject": "", "remedy": {"summary": "Wait."}} if input.app.name == "hello"
`
	if err := os.WriteFile(filepath.Join(dir, "house.rego"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := rego.New(t.Context(), rego.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Evaluate(t.Context(), good())
	if findings := v.Findings; err != nil || len(findings) != 1 || findings[0].Code != "house.rule" {
		t.Errorf("%v, %v", v, err)
	}
	if !strings.Contains(p.Rules()["house.rego"], "Mondays") || p.Rules()["agora.rego"] == "" {
		t.Error("Rules does not show what is in force")
	}
}

// withRule compiles the embedded rules and one more.
func withRule(t *testing.T, rule string) *rego.Policy {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "house.rego"), []byte("package agora\n\n"+rule+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := rego.New(t.Context(), rego.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRequirements: what is required is typed, has its reason, and is shown as a finding; rules that
// were written when a requirement was a name are read as they were meant.
func TestRequirements(t *testing.T) {
	const named = `requires contains "log" if true
findings contains {"code": "house.log", "severity": "review", "msg": "Logs are read here.", "path": "", "subject": "log"} if true`
	const typed = `requires contains {"kind": "grant", "capability": "log", "code": "house.log", "msg": "Logs are read here."} if true`
	want := []approvals.Requirement{{Kind: approvals.KindGrant, Capability: "log", Code: "house.log", Reason: "Logs are read here."}}
	digests := map[approvals.Digest]bool{}
	for _, rule := range []string{named, typed} {
		p := withRule(t, rule)
		v, err := p.Evaluate(t.Context(), good())
		if err != nil || !slices.Equal(v.Requires, want) || !slices.Equal(v.Requirements("log"), want) || v.Refuses() {
			t.Errorf("%s\n%+v, %v", rule, v, err)
		}
		if len(v.Findings) != 1 || v.Findings[0].Severity != abi.SeverityReview || v.Findings[0].Subject != "log" || v.Findings[0].Message != want[0].Reason {
			t.Errorf("what people see: %+v", v.Findings)
		}
		digests[v.Policy] = true
		again, err := withRule(t, rule).Evaluate(t.Context(), good())
		if err != nil || again.Policy != v.Policy || !strings.HasPrefix(string(v.Policy), "sha256:") {
			t.Errorf("the same rules are %s and %s, %v", v.Policy, again.Policy, err)
		}
	}
	if v, err := withRule(t, `requires contains "log" if true`).Evaluate(t.Context(), good()); err != nil || len(v.Requires) != 1 || v.Requires[0].Capability != "log" {
		t.Errorf("a name alone: %+v, %v", v, err)
	} else if digests[v.Policy] = true; len(digests) != 3 {
		t.Errorf("three policies have %d digests", len(digests))
	}
}
