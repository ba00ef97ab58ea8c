package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agora-host/agora/registry"
)

func TestCanonicalHost(t *testing.T) {
	for text, want := range map[string]string{
		"expenses.example.com": "expenses.example.com", "Expenses.Example.COM.": "expenses.example.com", "a.b:8443": "a.b:8443", "xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		if got, err := registry.CanonicalHost(text); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "localhost", "*.example.com", "a..b", "-a.b", "a-.b", "1.2.3.4", "[::1]:80", "a.b:", "a.b:0", "a.b:080", "a.b:70000", "bücher.example", "a_b.c", "a.b/c", "a b.c",
		"https://a.b", "a.b:80:80", strings.Repeat("a", 64) + ".b", strings.Repeat("a.", 127) + "bcd", "a\x00.b",
	} {
		if got, err := registry.CanonicalHost(text); !errors.Is(err, registry.ErrBadHost) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
