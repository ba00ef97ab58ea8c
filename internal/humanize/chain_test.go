package humanize_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/internal/humanize"
)

func TestChain(t *testing.T) {
	for _, c := range []struct{ text, said, want string }{
		{"the module is not valid: section 3 ends early", "The module is not valid", "section 3 ends early"},
		{"the module is not valid: the module is not valid: section 3", "", "the module is not valid: section 3"},
		{"compile the module: the module is not valid: The module is not valid.: x", "The module is not valid", "compile the module: x"},
		{"the module is not valid", "The module is not valid", ""},
		{`app "none": not found`, "It does not exist", `app "none": not found`},
		{`path "a b: a b": a b: a b`, "", `path "a b: a b": a b`},
		{`a "quote that does not end: x y: x y`, "", `a "quote that does not end: x y: x y`},
		{"a: a: b", "", "a: a: b"}, // a single word is a name
		{"two lines: x y\ntwo lines: x y: x y", "", "two lines: x y\ntwo lines: x y"},
		{`header "\": ": no such: no such`, "", `header "\": ": no such`},
		{"listen tcp [::1]:80: bind: in use", "", "listen tcp [::1]:80: bind: in use"},
		{"", "x", ""},
	} {
		if got := humanize.Chain(c.text, c.said); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestChainKeeps: nothing is lost but what is there or said already, and twice is as good as once.
func TestChainKeeps(t *testing.T) {
	word := rapid.SampledFrom([]string{"the module is not valid", "a b", "c", `"a b: a b"`, "A b.", `"`, ""})
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(word, 0, 6).Draw(t, "parts")
		got := humanize.Chain(strings.Join(parts, ": "))
		for _, part := range parts {
			if !strings.Contains(strings.ToLower(got), strings.ToLower(strings.TrimSpace(strings.TrimRight(part, ".")))) {
				t.Fatalf("%q has lost %q", got, part)
			}
		}
		if again := humanize.Chain(got); again != got {
			t.Fatalf("%q became %q", got, again)
		}
	})
}
