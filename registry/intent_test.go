package registry_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agora-host/agora/registry"
)

// TestIntent: what an app is for is read from its manifest, and what is wrong is said where it stands.
func TestIntent(t *testing.T) {
	m, err := registry.ParseManifest([]byte("name = \"x\"\ndescription = \"Greets.\"\nexpected_users = \"20\"\nmonthly_cents = 500\n[answers]\npersonal_data = \"no\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.ExpectedUsers != 20 || m.MonthlyCents != 500 || m.Answers["personal_data"] != "no" {
		t.Errorf("%+v", m)
	}
	text, err := json.Marshal(m)
	var again registry.Manifest
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil || again.ExpectedUsers != 20 || !strings.Contains(string(text), `"expected_users":20`) {
		t.Errorf("%s, %v", text, err)
	}
	for wrong, path := range map[string]string{
		"expected_users = -1":                                 "expected_users",
		"expected_users = \"many\"":                           "expected_users",
		"monthly_cents = -5":                                  "monthly_cents",
		"monthly_cents = 0.5":                                 "", // the reader of TOML does not say where
		"[answers]\n\"Personal data\" = \"no\"":               "answers",
		"[answers]\npersonal_data = \"a\\u0007b\"":            "answers.personal_data",
		"[answers]\npersonal_data = true":                     "answers.personal_data",
		"[answers]\nq = \"" + strings.Repeat("x", 501) + "\"": "answers.q",
	} {
		_, err := registry.ParseManifest([]byte("name = \"x\"\n" + wrong))
		bad, ok := err.(*registry.ManifestError)
		if !ok || len(bad.Problems) != 1 || bad.Problems[0].Path != path {
			t.Errorf("%q: %v (%+v)", wrong, err, bad)
		}
	}
}
