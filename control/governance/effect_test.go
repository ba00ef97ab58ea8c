package governance

import (
	"testing"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// TestEffectOfChanges: a reviewer is told of each difference whether it lets the app do more or less.
func TestEffectOfChanges(t *testing.T) {
	manifest := func(text string) registry.Release {
		m, err := registry.ParseManifest([]byte(`
name = "shop"
version = "1"
owner = "ada@example.com"
team = "sales"
cost_center = "CC-1"
` + text))
		if err != nil {
			t.Fatal(err)
		}
		return registry.Release{Manifest: m}
	}
	const internal = "data_classification = \"internal\"\n"
	for _, c := range []struct {
		name, was, now string
		want           map[string]approvals.Effect
	}{
		{"more fuel, less memory", internal + "[limits]\nfuel = 1000000\nmemory = \"32MiB\"", internal + "[limits]\nfuel = 2000000\nmemory = \"16384KiB\"",
			map[string]approvals.Effect{"limits.fuel": approvals.EffectWider, "limits.memory": approvals.EffectNarrower}},
		{"a longer time in another unit", internal + "[limits]\ntimeout = \"900ms\"", internal + "[limits]\ntimeout = \"2s\"",
			map[string]approvals.Effect{"limits.timeout": approvals.EffectWider}},
		{"another class of data", internal, "data_classification = \"confidential\"", map[string]approvals.Effect{"data_classification": approvals.EffectWider}},
		{"a smaller class of data", internal, "data_classification = \"public\"", map[string]approvals.Effect{"data_classification": approvals.EffectNarrower}},
		{"a new capability", internal, internal + "[capabilities.secret]\nnames = [\"key\"]", map[string]approvals.Effect{"capabilities.secret.names.1": approvals.EffectWider}},
		{"a capability less", internal + "[capabilities.secret]\nnames = [\"key\"]", internal, map[string]approvals.Effect{"capabilities.secret.names.1": approvals.EffectNarrower}},
		{"the first of two is gone", internal + "[capabilities.secret]\nnames = [\"a\", \"b\"]", internal + "[capabilities.secret]\nnames = [\"b\"]",
			map[string]approvals.Effect{"capabilities.secret.names.1": approvals.EffectNarrower, "capabilities.secret.names.2": approvals.EffectOther}},
		{"one stands for another", internal + "[capabilities.secret]\nnames = [\"a\"]", internal + "[capabilities.secret]\nnames = [\"b\"]",
			map[string]approvals.Effect{"capabilities.secret.names.1": approvals.EffectWider}},
		{"two change places", internal + "[capabilities.secret]\nnames = [\"a\", \"b\"]", internal + "[capabilities.secret]\nnames = [\"b\", \"a\"]",
			map[string]approvals.Effect{"capabilities.secret.names.1": approvals.EffectOther, "capabilities.secret.names.2": approvals.EffectOther}},
		{"a path without a sign-in", internal, internal + "[access]\nopen = [\"/healthz\"]\nidentity = \"person\"",
			map[string]approvals.Effect{"access.open.1": approvals.EffectWider, "access.identity": approvals.EffectWider}},
		{"a title", internal, internal + "title = \"Shop\"", map[string]approvals.Effect{"title": approvals.EffectOther}},
		{"a new schedule", internal, internal + "[[triggers.cron]]\nname = \"n\"\nschedule = \"0 6 * * *\"\npath = \"/n\"",
			map[string]approvals.Effect{"triggers.cron.1.schedule": approvals.EffectWider}},
	} {
		found := map[string]approvals.Effect{}
		for _, change := range changes(manifest(c.was), manifest(c.now)) {
			found[change.Path] = change.Effect
		}
		for path, want := range c.want {
			if got, ok := found[path]; !ok || got != want {
				t.Errorf("%s: %s is %q, want %q, of %v", c.name, path, got, want, found)
			}
		}
	}
	was, now := registry.Release{Capabilities: []string{"kv", "log"}}, registry.Release{Capabilities: []string{"kv"}}
	for _, c := range []struct {
		a, b registry.Release
		want approvals.Effect
	}{{was, now, approvals.EffectNarrower}, {now, was, approvals.EffectWider}} {
		if all := changes(c.a, c.b); len(all) != 1 || all[0].Effect != c.want {
			t.Errorf("imports of %v and %v: %v, want %q", c.a.Capabilities, c.b.Capabilities, all, c.want)
		}
	}
}
