package registry

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var appName = regexp.MustCompile(`\A[a-z]([a-z0-9-]{0,38}[a-z0-9])?\z`)

// ValidName returns an error unless a name has the form of an app's: it becomes a host name. What
// begins with a digit could be read as an address, and "--" stands in previews and in
// international names. Whether a new app may have it, ReservedName says.
func ValidName(name string) error {
	if !appName.MatchString(name) || strings.Contains(name, "--") {
		return fmt.Errorf("%q cannot be an app's name: use 1 to 40 of a-z, 0-9 and single hyphens, starting with a letter", clip(name, 60))
	}
	return nil
}

// plainText reports whether people can be shown a text without surprises.
func plainText(s string, max int) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("is not UTF-8")
	case len(s) > max:
		return fmt.Errorf("has %d bytes, more than %d", len(s), max)
	}
	for _, r := range s {
		if (unicode.IsControl(r) && r != '\n') || unicode.Is(unicode.Bidi_Control, r) {
			return fmt.Errorf("has a control character (%U)", r)
		}
	}
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
