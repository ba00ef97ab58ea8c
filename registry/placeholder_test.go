package registry_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/agora-host/agora/registry"
)

// TestPlaceholders: what a template has is refused by name, with what to fill in, all of it at once;
// what people call their apps, teams and cost centers is not.
func TestPlaceholders(t *testing.T) {
	const form = "name = %q\ntitle = %q\ndescription = %q\nowner = \"ada@example.com\"\nteam = %q\ncost_center = %q\ndata_classification = \"internal\"\n"
	read := func(name, title, description, team, center string) []string {
		_, err := registry.ParseManifest(fmt.Appendf(nil, form, name, title, description, team, center))
		if err == nil {
			return nil
		}
		bad, ok := errors.AsType[*registry.ManifestError](err)
		if !ok {
			t.Fatal(err)
		}
		var paths []string
		for _, p := range bad.Problems {
			if p.Code != "manifest.placeholder" || !strings.Contains(p.Message, "fill in") || p.Remedy.Summary == "" {
				t.Errorf("%+v", p)
			}
			paths = append(paths, p.Path)
		}
		return paths
	}
	if got := strings.Join(read("my-app", "My app", "TODO: describe it", "my-team", "CC-0000"), " "); got != "name title description team cost_center" {
		t.Errorf("all at once: %q", got)
	}
	for _, c := range []struct{ path, left string }{
		{"name", "my-app my-first-app your-app myapp changeme"},
		{"title", "My_App;<title>;TODO;My App;Your app;[title];..."},
		{"description", "TBD;{{description}};${DESCRIPTION};What it does;lorem ipsum dolor"},
		{"team", "my-team;MY TEAM;your team;<team>;Team;FIXME;???;team_name"},
		{"cost_center", "CC-0000;cc-0000;CC0000;CC_00;0000;CC 0000;CC-XXXX;XXXX;CC-####;change-me;CHANGEME;<cost center>;Cost center;tbd;CC–0000;CC.0000;CC-00-00;#0000;CC/XX;nnn-nn"},
	} {
		sep := ";"
		if c.path == "name" {
			sep = " "
		}
		for left := range strings.SplitSeq(c.left, sep) {
			v := map[string]string{"name": "shop", "title": "Shop", "description": "Sells.", "team": "sales", "cost_center": "CC-1"}
			v[c.path] = left
			if got := read(v["name"], v["title"], v["description"], v["team"], v["cost_center"]); len(got) != 1 || got[0] != c.path {
				t.Errorf("%s = %q: %v", c.path, left, got)
			}
		}
	}
	for _, fine := range [][]string{
		{"shop", "Shop", "Sells.", "sales", "CC-1"}, {"my-app-store", "My apples", "My app for lunch, see TODO list", "my-teammates", "CC-1001"},
		{"todo", "Todo", "to do", "todo-team", "CC-7"}, {"todos", "To-do list", "To do lists: todos", "Team Blue", "100000"}, {"expenses", "", "", "team-7", "CC-0001"}, {"y", "Why not?", "", "inn", "finn"}, {"z", "C++", "", "0x", "Fox"}, {"q", "", "My apps: all", "café", "DE-0001-00"},
		{"x", "x", "x", "t", "c"}, {"app", "App", "A", "examples", "CC-00010"}, {"placeholders", "Placeholder images!", "…and more", "xx", "DE-70-0"},
	} {
		if got := read(fine[0], fine[1], fine[2], fine[3], fine[4]); got != nil {
			t.Errorf("%q are refused: %v", fine, got)
		}
	}
}

// TestFillManifest: what a form says is in the manifest, and the rest stays.
func TestFillManifest(t *testing.T) {
	got, err := registry.ParseManifest(registry.FillManifest([]byte(full), map[string]string{"name": "shop", "title": `"A" \ B`, "team": "sales\nand more"}))
	if err != nil || got.Name != "shop" || got.Title != `"A" \ B` || got.Team != "sales\nand more" {
		t.Fatalf("%+v, %v", got, err)
	}
	want, err := registry.ParseManifest([]byte(full))
	if want.Name, want.Title, want.Team = got.Name, got.Title, got.Team; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v, %v", got, want, err)
	}
	if got := registry.FillManifest([]byte("{"), map[string]string{"name": "shop"}); string(got) != "{" {
		t.Errorf("what cannot be read became %q", got)
	}
}
