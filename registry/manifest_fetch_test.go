package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/registry"
)

// TestFetchInManifest: an origin has one form, which is the one reviewed.
func TestFetchInManifest(t *testing.T) {
	with := func(lines string) string { return full + "\n[capabilities.fetch]\n" + lines + "\n" }
	m, err := registry.ParseManifest([]byte(with(`allow = ["https://*.b.example.com:8443", "https://a.example.com"]
credentials = ["crm@https://a.example.com", "key:X-Key@https://x.b.example.com:8443"]
max_calls = 3`)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"allow": "https://*.b.example.com:8443 https://a.example.com", "credentials": "crm@https://a.example.com key:X-Key@https://x.b.example.com:8443",
		"max_calls": "3", "max_request": "1048576", "max_response": "4194304",
	}
	if got := m.WithDefaults().Capabilities["fetch"].Params(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for lines, remedy := range map[string]string{
		``:                                                    `https://api.example.com`,
		`allow = ["api.example.com"]`:                         `allow = ["https://api.example.com"]`,
		`allow = ["https://a.example.com/v1"]`:                `allow = ["https://a.example.com"]`,
		`allow = ["https://A.example.com"]`:                   `allow = ["https://a.example.com"]`,
		`allow = ["https://a.example.com."]`:                  `allow = ["https://a.example.com"]`,
		`allow = ["https://a.b:443"]`:                         `allow = ["https://a.b"]`,
		`allow = ["https://bücher.example"]`:                  `allow = ["https://xn--bcher-kva.example"]`,
		`allow = ["https://u@a.example.com"]`:                 `allow = ["https://a.example.com"]`,
		`allow = ["https://127.1"]`:                           `allow = `,
		`allow = ["https://*.co.uk"]`:                         `allow = ["https://*.example.com"]`,
		`allow = ["https://*.github.io"]`:                     `allow = ["https://*.example.com"]`,
		`allow = ["https://*"]`:                               `allow = `,
		"allow = [\"https://a.example.com\"]\nmax_calls = -1": ``,
		"allow = [\"https://a.example.com\"]\ncredentials = [\"crm@https://b.example.com\"]":                `credentials = `,
		"allow = [\"http://a.example.com\"]\ncredentials = [\"crm@http://a.example.com\"]":                  `credentials = `,
		"allow = [" + strings.Repeat(`"https://a.example.com",`, 65) + "]":                                  ``,
		"allow = [\"https://*.a.example.com\"]\ncredentials = [\"crm@https://a.example.com\"]":              `credentials = `,
		"allow = [\"https://a.example.com\"]\ncredentials = [\"crm:Content-Length@https://a.example.com\"]": `credentials = `,
	} {
		_, err := registry.ParseManifest([]byte(with(lines)))
		e, ok := errors.AsType[*registry.ManifestError](err)
		if !ok {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		if commands := strings.Join(e.Problems[0].Remedy.Commands, "\n"); !strings.Contains(commands, remedy) {
			t.Errorf("%s: %+v, want the remedy %s", lines, e.Problems[0], remedy)
		}
	}
}
