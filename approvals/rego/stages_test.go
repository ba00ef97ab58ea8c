package rego_test

import (
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

// policyOf is a policy with files of an organisation; stages, if any, are those of its data.json.
func policyOf(t *testing.T, stages string, files map[string]string) (*rego.Policy, error) {
	t.Helper()
	dir := t.TempDir()
	builtIn, err := rego.New(t.Context(), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"data.json": strings.Replace(builtIn.Rules()["data.json"], `"stages": {}`, `"stages": `+stages, 1)}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return rego.New(t.Context(), rego.Options{Dir: dir})
}

// TestStages: an organisation names them for each tier in data.json, or in rules; several that name one
// concern are one stage.
func TestStages(t *testing.T) {
	p, err := policyOf(t, `{"production": [{"need": 1}, {"concern": "security", "need": 1}]}`, map[string]string{"own.rego": `package agora
stages contains {"concern": "security", "need": 2} if input.app.data_classification == "confidential"
stages contains {"concern": "privacy", "need": 1, "order": 3} if input.app.keep_state
`})
	if err != nil {
		t.Fatal(err)
	}
	security, anything := approvals.Stage{Concern: "security", Need: 1}, approvals.Stage{Need: 1}
	for name, c := range map[string]struct {
		change func(*approvals.Subject)
		want   []approvals.Stage
	}{
		"the sandbox":         {func(s *approvals.Subject) { s.Tier = abi.TierSandbox }, nil},
		"by data":             {func(*approvals.Subject) {}, []approvals.Stage{security, anything}},
		"the most of several": {func(s *approvals.Subject) { s.App.Classification = "confidential" }, []approvals.Stage{{Concern: "security", Need: 2}, anything}},
		"in order":            {func(s *approvals.Subject) { s.App.KeepState = true }, []approvals.Stage{security, anything, {Concern: "privacy", Need: 1, Order: 3}}},
	} {
		s := good()
		s.Action, s.Tier = "promote", abi.TierProduction
		c.change(&s)
		if v, err := p.Evaluate(t.Context(), s); err != nil || !slices.Equal(v.Stages, c.want) {
			t.Errorf("%s: %+v, %v", name, v.Stages, err)
		}
	}
}

// TestWrongStages: a mistake is said when the rules are read, or refuses.
func TestWrongStages(t *testing.T) {
	for stages, want := range map[string]string{
		`{"production": [{"concern": "securty", "need": 1}]}`:               `not for "securty"`,
		`{"production": [{"concern": "security"}]}`:                         "needs 1 to 10 people, not 0",
		`{"production": [{"concern": "security", "need": 99}]}`:             "needs 1 to 10 people, not 99",
		`{"production": [{"concern": "security", "need": 1, "orders": 2}]}`: `unknown field "orders"`,
		`{"production": [{"need": 1, "order": -1}]}`:                        "order of a stage",
		`{"prod": [{"need": 1}]}`:                                           `no tier "prod"`,
		`[]`:                                                                "stages",
	} {
		if _, err := policyOf(t, stages, nil); !errors.Is(err, approvals.ErrPolicy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", stages, err)
		}
	}
	for rule, want := range map[string]string{
		`stages contains {"concern": "taste", "need": 1}`: `not for "taste"`,
		`stages contains "security"`:                      "a stage has concern, need and order",
		`stages contains {"need": 1, "order": n} if some n in [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]`: "more than 20",
	} {
		p, err := policyOf(t, `{}`, map[string]string{"own.rego": "package agora\n" + rule})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Evaluate(t.Context(), good()); !errors.Is(err, approvals.ErrPolicy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}
