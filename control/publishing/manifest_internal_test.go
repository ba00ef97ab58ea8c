package publishing

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/approvals/rego"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
)

// judgeText reads a manifest and has the rules judge it in every tier, as an upload would.
func judgeText(t testing.TB, p *rego.Policy, text []byte) error {
	m, err := readManifest(text)
	if err != nil {
		bad, ok := errors.AsType[*registry.ManifestError](err)
		if !ok || len(bad.Problems) == 0 || len(bad.Error()) > 64<<10 {
			t.Fatalf("an error of another kind: %.300v", err)
		}
		return err
	}
	r := registry.Release{App: m.Name, Manifest: m, Interface: abi.InterfaceV1, Signer: registry.Signer{Identity: m.Owner, Method: registry.MethodIdentity}}
	for _, c := range abi.Capabilities() {
		r.Capabilities = append(r.Capabilities, c.Name)
	}
	for _, tier := range abi.Tiers() {
		rights := map[string]approvals.Right{}
		for word := range m.Capabilities { // each grant allows something else, so each parameter is asked for anew
			params := abi.Params{"quota": "1"}
			rights[word] = approvals.Right{Params: params, Grant: &approvals.Grant{ID: word, App: m.Name, Capability: word, Tier: tier, Params: params}}
		}
		for _, g := range []map[string]approvals.Right{nil, rights} {
			if _, err := p.Evaluate(t.Context(), governance.Subject(governance.Question{Action: governance.ToPromote, Actor: m.Owner, Tier: tier, Release: r}, g)); err != nil {
				t.Fatalf("%s: %v\n%.2000s", tier, err, text)
			}
		}
	}
	return nil
}

func embeddedRules(t testing.TB) *rego.Policy {
	t.Helper()
	p, err := rego.New(t.Context(), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const leastManifest = "name = \"x\"\nversion = \"1\"\nowner = \"ada@example.com\"\nteam = \"t\"\ncost_center = \"c\"\ndata_classification = \"restricted\"\n"

// listOf writes a TOML array of n strings.
func listOf(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("%q", fmt.Sprintf(format, i))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// TestFullManifests: each list as long as it may be, all of them at once, can be judged; one entry
// more is refused by key, number and bound.
func TestFullManifests(t *testing.T) {
	p := embeddedRules(t)
	lists := []struct {
		key, table, format string
		most               int
	}{
		{"capabilities.llm.models", "[capabilities.llm]\nmodels = ", "model-%d", 32},
		{"capabilities.secret.names", "[capabilities.secret]\nnames = ", "name%d", 100},
		{"capabilities.events.topics", "[capabilities.events]\ntopics = ", "topic%d", 64},
		{"capabilities.fetch.allow", "[capabilities.fetch]\nallow = ", "http://*.n%d.example.com", 64},
	}
	full := leastManifest
	for _, l := range lists {
		full += l.table + listOf(l.most, l.format) + "\n"
		for _, n := range []int{l.most + 1, 2000} {
			err := judgeText(t, p, []byte(leastManifest+l.table+listOf(n, l.format)+"\n"))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s has %d entries, more than %d", l.key, n, l.most)) {
				t.Errorf("%s with %d: %.300v", l.key, n, err)
			}
		}
	}
	full += "[capabilities.kv]\nquota = \"1000GiB\"\nkeys = 9223372036854775807\n[capabilities.blob]\nquota = \"1000GiB\"\n[limits]\nfuel = 2305843009213693951\nmemory = \"1000GiB\"\nconcurrency = 1000000\n"
	for i := range 64 {
		full += fmt.Sprintf("[[triggers.cron]]\nname = \"c%d\"\nschedule = \"* * * * *\"\npath = \"/c%d\"\n", i, i)
		full += fmt.Sprintf("[[triggers.event]]\nfrom = \"shop\"\ntopic = \"t%d\"\npath = \"/e%d\"\n", i, i)
	}
	if err := judgeText(t, p, []byte(full)); err != nil {
		t.Errorf("the fullest: %.500v", err)
	}
	settings := leastManifest + "[config]\n"
	for i := range 501 {
		settings += fmt.Sprintf("k%d = \"v\"\n", i)
	}
	if err := judgeText(t, p, []byte(settings)); err == nil || !strings.Contains(err.Error(), "config has 501 entries, more than 500") {
		t.Errorf("settings: %.300v", err)
	}
	unknown := leastManifest
	for i := range 4000 {
		unknown += fmt.Sprintf("unknown%d = 1\n", i)
	}
	err := judgeText(t, p, []byte(unknown))
	if bad, ok := errors.AsType[*registry.ManifestError](err); !ok || len(bad.Problems) != 51 {
		t.Errorf("4,000 unknown keys: %.300v", err)
	}
}

// FuzzManifest: no manifest is an error of the node's own.
func FuzzManifest(f *testing.F) {
	p := embeddedRules(f)
	f.Add(leastManifest)
	f.Add(leastManifest + "[capabilities.llm]\nmodels = " + listOf(40, "m%d"))
	f.Add(leastManifest + "title = \"" + strings.Repeat("<", 100) + "\"\n[limits]\nfuel = 2305843009213693951\nmemory = \"9000000GiB\"\n[capabilities.kv]\nquota = 9223372036854775807")
	f.Add(leastManifest + "[[triggers.cron]]\nname = \"a\"\nschedule = \"0 0 30 2 *\"\npath = \"/\"")
	f.Add(strings.ReplaceAll(leastManifest, `"x"`, "\"\"\"\n\"\"\""))
	f.Add("a = " + strings.Repeat("[", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		_ = judgeText(t, p, []byte(text))
	})
}
