package rego_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/approvals/rego"
)

// TestExemptionRules: the default exempts from no rule that keeps data and people safe; a document that says
// nothing exempts from none; a mistake in it is found when the rules are read.
func TestExemptionRules(t *testing.T) {
	with := func(t *testing.T, change func(string) string) (*rego.Policy, error) {
		t.Helper()
		raw, err := os.ReadFile("rules/data.json")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(change(string(raw))), 0o600); err != nil {
			t.Fatal(err)
		}
		return rego.New(t.Context(), rego.Options{Dir: dir})
	}
	p, err := with(t, func(s string) string { return s })
	if err != nil {
		t.Fatal(err)
	}
	rules := p.Exemptions()
	for code := range rules.Rules {
		for _, never := range []string{"signer.", "classification", "capability.undeclared", "name.", "llm.", "identity.", "audience.", "state."} {
			if strings.Contains(code, never) {
				t.Errorf("by default apps are exempted from %s", code)
			}
		}
	}
	if rules.Days != 90 || rules.Rules["limits.exceeded"] != "platform" {
		t.Errorf("by default: %+v", rules)
	}
	p, err = with(t, func(s string) string { return strings.Replace(s, `"exemptions"`, `"other"`, 1) })
	if err != nil || len(p.Exemptions().Rules) != 0 {
		t.Errorf("a document without exemptions: %+v, %v", p.Exemptions(), err)
	}
	for what, change := range map[string][2]string{
		"too long":             {`"days": 90`, `"days": 181`},
		"no time":              {`"days": 90`, `"days": 0`},
		"reviewers of nothing": {`"limits.exceeded": "platform"`, `"limits.exceeded": "legal"`},
	} {
		if _, err := with(t, func(s string) string { return strings.Replace(s, change[0], change[1], 1) }); err == nil || !strings.Contains(err.Error(), "exemptions") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
