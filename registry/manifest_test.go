package registry_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

const full = `name = "hello"
version = "1.0.0"
title = "Hello"
owner = "ada@example.com"
team = "sales"
cost_center = "CC-1"
data_classification = "internal"
[limits]
fuel = 1000
memory = "16MiB"
timeout = "250ms"
[capabilities.kv]
quota = 524288
keys = 50
[capabilities.log]
[capabilities.events]
topics = ["hello.said"]
[[triggers.cron]]
name = "nightly"
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
path = "/tasks/nightly"
[[triggers.webhook]]
name = "github"
path = "/hooks/github"
verify = "github"
secret = "github-hook"
[[triggers.event]]
from = "shop"
topic = "orders.created"
path = "/events/orders"
[[triggers.event]]
topic = "hello.said"
path = "/events/own"
concurrency = 4
[config]
greeting = "Hi"
`

func TestParseManifest(t *testing.T) {
	m, err := registry.ParseManifest([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	m = m.WithDefaults()
	if m.Limits.Memory != 16<<20 || time.Duration(m.Limits.Timeout) != 250*time.Millisecond || m.Limits.Concurrency != 16 ||
		m.Capabilities["kv"].Quota != 512<<10 || m.Config["greeting"] != "Hi" {
		t.Errorf("%+v", m)
	}
	if got := m.Capabilities["subscribe"].Topics; !slices.Equal(got, []string{"shop/orders.created"}) {
		t.Errorf("it asks to subscribe to %v: what is its own needs no asking", got)
	}
	if got := m.Needs([]string{"kv"}); !slices.Equal(got, []string{"kv", "subscribe"}) {
		t.Errorf("it needs %v", got)
	}
	if c, w := m.Triggers.Cron[0], m.Triggers.Webhook[0]; c.Missed != "skip" || w.Deliver != "call" || m.Triggers.Event[1].FullTopic() != "hello/hello.said" {
		t.Errorf("%+v", m.Triggers)
	}
	text, err := m.TOML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := registry.ParseManifest(text)
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("written and read again: %+v, %v", again, err)
	}
}

func TestManifestProblems(t *testing.T) {
	for _, c := range []struct{ name, text, want, remedy string }{
		{"an unknown key", full + "\n[limit]\nx = 1\n", `the key "limit"`, "Did you mean limits?"},
		{"a misspelt key", strings.Replace(full, "cost_center", "cost_centre", 1), "line 6", "cost_center"},
		{"a misspelt key of a trigger", strings.Replace(full, "schedule", "shedule", 1), "shedule", "schedule"},
		{"a schedule that never runs", strings.Replace(full, "0 3 * * *", "0 0 31 2 *", 1), "no month", "five fields"},
		{"a zone that is none", strings.Replace(full, "Europe/Berlin", "Europe/Bonn", 1), "no time zone", "five fields"},
		{"a zone of the machine", strings.Replace(full, "Europe/Berlin", "Local", 1), "not the zone of an app", "five fields"},
		{"two triggers of one name", full + "[[triggers.cron]]\nname = \"nightly\"\nschedule = \"@daily\"\npath = \"/\"\n", "two cron triggers", "name of its own"},
		{"a path that climbs", strings.Replace(full, "/tasks/nightly", "/tasks/../x", 1), "no path", "plain path"},
		{"a path with a query", strings.Replace(full, "/tasks/nightly", "/tasks?x=1", 1), "no path", "plain path"},
		{"a scheme that is not known", strings.Replace(full, `verify = "github"`, `verify = "none"`, 1), `verify "none"`, "stripe"},
		{"a webhook without a secret", strings.Replace(full, `secret = "github-hook"`, `secret = ""`, 1), "names no secret", "secret"},
		{"a header where the scheme has its own", strings.Replace(full, `secret = "github-hook"`, "secret = \"s\"\nheader = \"X\"", 1), "only of hmac-sha256", "Leave it out"},
		{"a topic that is none", strings.Replace(full, "orders.created", "Orders", 1), "no app and topic", "publishes"},
		{"a topic to publish that is none", strings.Replace(full, `["hello.said"]`, `["hello said"]`, 1), "no topic", "lower-case"},
		{"a subscription without a trigger", full + "[capabilities.subscribe]\ntopics = [\"hr/salaries\"]\n", "written as triggers", "Remove"},
		{"no TOML", "{", "line 1", "TOML"},
		{"no name", strings.Replace(full, `"hello"`, `""`, 1), "cannot be an app's name", "address"},
		{"a path as name", strings.Replace(full, `"hello"`, `"../etc"`, 1), "cannot be an app's name", "address"},
		{"HTML as name", strings.Replace(full, `"hello"`, `"<b>"`, 1), "cannot be an app's name", "address"},
		{"a double hyphen", strings.Replace(full, `"hello"`, `"a--b"`, 1), "cannot be an app's name", "address"},
		{"a negative size", strings.Replace(full, "16MiB", "-1", 1), "is no size", "TOML"},
		{"a size beyond numbers", strings.Replace(full, "16MiB", "99999999999GiB", 1), "is no size", "TOML"},
		{"no duration", strings.Replace(full, "250ms", "soon", 1), "is no duration", "TOML"},
		{"a classification of its own", strings.Replace(full, "internal", "secret", 1), "is not known", "confidential"},
		{"a capability that does not exist", full + "[capabilities.teleport]\n", "does not exist", "kv"},
		{"a quota for the log", strings.Replace(full, "[capabilities.log]", "[capabilities.log]\nquota = \"1MiB\"", 1), "has no quota", "Remove it"},
		{"a control character", strings.Replace(full, "Hello", `\u0007`, 1), "control character", "plain"},
		{"text that turns around", strings.Replace(full, "Hello", `\u202Eolleh`, 1), "control character", "plain"},
		{"a huge text", "# " + strings.Repeat("x", 70_000), "more than 65536", "data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registry.ParseManifest([]byte(c.text))
			e, ok := errors.AsType[*registry.ManifestError](err)
			if !ok || !errors.Is(err, registry.ErrBadManifest) {
				t.Fatalf("err = %v", err)
			}
			if p := e.Problems[0]; !strings.Contains(p.Message, c.want) || !strings.Contains(p.Remedy.Summary, c.remedy) {
				t.Errorf("problem = %+v, want %q and remedy %q", p, c.want, c.remedy)
			}
		})
	}
}

// TestSchema holds the published schema and the struct together.
func TestSchema(t *testing.T) {
	type object struct {
		Properties    map[string]json.RawMessage
		PropertyNames struct{ Enum []string }
	}
	var s object
	if err := json.Unmarshal(registry.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	var limits, capabilities object
	if json.Unmarshal(s.Properties["limits"], &limits) != nil || json.Unmarshal(s.Properties["capabilities"], &capabilities) != nil {
		t.Fatal("the schema has another shape")
	}
	keys := func(t reflect.Type) []string {
		var names []string
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			names = append(names, name)
		}
		return slices.Sorted(slices.Values(names))
	}
	if got, want := slices.Sorted(maps.Keys(s.Properties)), keys(reflect.TypeFor[registry.Manifest]()); !slices.Equal(got, want) {
		t.Errorf("manifest: schema %v, struct %v", got, want)
	}
	if got, want := slices.Sorted(maps.Keys(limits.Properties)), keys(reflect.TypeFor[registry.Limits]()); !slices.Equal(got, want) {
		t.Errorf("limits: schema %v, struct %v", got, want)
	}
	var words []string
	for _, c := range abi.Capabilities() {
		if c.Module != "" { // what has none is not asked for by its word
			words = append(words, c.Name)
		}
	}
	if !slices.Equal(capabilities.PropertyNames.Enum, words) {
		t.Errorf("capabilities: schema %v, abi %v", capabilities.PropertyNames.Enum, words)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(full))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := registry.ParseManifest(text)
		if err != nil {
			if !errors.Is(err, registry.ErrBadManifest) {
				t.Fatalf("%v is no ErrBadManifest", err)
			}
			return
		}
		written, err := m.WithDefaults().TOML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registry.ParseManifest(written); err != nil {
			t.Fatalf("%s\ncannot be read: %v", written, err)
		}
	})
}
