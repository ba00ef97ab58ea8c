package registry

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var appName = regexp.MustCompile(`\A[a-z]([a-z0-9-]{0,38}[a-z0-9])?\z`)

// reservedNames are hosts that people could take for the platform's own.
var reservedNames = []string{
	"admin", "agora", "api", "app", "apps", "auth", "console", "localhost", "login", "mail", "root", "static", "status", "www",
	"sandbox", "pilot", "production",
}

// ValidName tells whether a name can be an app's: it becomes a host name.
func ValidName(name string) error {
	switch {
	case !appName.MatchString(name) || strings.Contains(name, "--"):
		return fmt.Errorf("%q cannot be an app's name: use 1 to 40 of a-z, 0-9 and single hyphens, starting with a letter", clip(name, 60))
	case slices.Contains(reservedNames, name):
		return fmt.Errorf("%q is reserved: choose another name", name)
	}
	return nil
}

// plainText tells whether people can be shown a text without surprises.
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
