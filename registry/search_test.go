package registry_test

import (
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

func TestSearch(t *testing.T) {
	l := registry.NewListing(registry.App{
		Name: "spesen", Title: "Réise-Kosten Größe", Description: "Books what a trip cost", Owner: "ada@example.com", CoOwner: "grace@example.com", Group: "g_team", Team: "Øst Sales",
		Active: map[abi.Tier]int{abi.TierSandbox: 2, abi.TierPilot: 1, abi.TierProduction: 0},
	}, []string{"kv", "fetch"})
	for _, c := range []struct {
		name string
		s    registry.Search
		want bool
	}{
		{"nothing", registry.Search{}, true},
		{"spaces", registry.Search{Text: " \t"}, true},
		{"the title", registry.Search{Text: "kosten"}, true},
		{"without its accents", registry.Search{Text: "REISE"}, true},
		{"with others", registry.Search{Text: "reïse"}, true},
		{"composed otherwise", registry.Search{Text: "re\u0301ise"}, true},
		{"a letter with a stroke", registry.Search{Text: "ost"}, true},
		{"sharp s", registry.Search{Text: "GRÖSSE"}, true},
		{"fullwidth letters", registry.Search{Text: "ｋｏｓｔｅｎ"}, true},
		{"the hidden name", registry.Search{Text: "spesen"}, true},
		{"the owner", registry.Search{Text: "ada@"}, true},
		{"the purpose", registry.Search{Text: "trip"}, true},
		{"a tier", registry.Search{Text: "pilot"}, true},
		{"a capability", registry.Search{Text: "fetch"}, true},
		{"words of different fields", registry.Search{Text: "sales trip kv reise"}, true},
		{"one word too many", registry.Search{Text: "sales trip llm"}, false},
		{"words do not run together", registry.Search{Text: "costada"}, false},
		{"a tier that it does not serve", registry.Search{Text: "production"}, false},
		{"by tier", registry.Search{Tier: abi.TierPilot}, true},
		{"by another tier", registry.Search{Tier: abi.TierProduction}, false},
		{"by team", registry.Search{Team: "ost sales"}, true},
		{"a part of a team is another", registry.Search{Team: "sales"}, false},
		{"by owner", registry.Search{Owner: "ada@example.com", Text: "kosten"}, true},
		{"by co-owner", registry.Search{Owner: "grace@example.com"}, true},
		{"by a person of its group", registry.Search{Owner: "eve@example.com"}, true},
		{"by capability", registry.Search{Capability: "kv"}, true},
		{"by another capability", registry.Search{Capability: "llm"}, false},
	} {
		if got := c.s.Matcher([]string{"g_team"})(l); got != c.want || c.s.Owner == "eve@example.com" && c.s.Matcher([]string{"g_other"})(l) {
			t.Errorf("%s, %+v: %v", c.name, c.s, got)
		}
	}
	zebra, apple := registry.NewListing(registry.App{Name: "a", Title: "Zebra"}, nil), registry.NewListing(registry.App{Name: "z", Title: "Äpfel"}, nil)
	if apple.Place() > zebra.Place() {
		t.Error("apps are not in the order of their titles")
	}
}
