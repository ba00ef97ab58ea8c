package oidc

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/agora-host/agora/access"
)

const (
	maxGroups = 5000 // of one person
	maxGroup  = 256  // bytes of one
	maxText   = 320  // bytes of a label, such as a mail address
)

// claims are those of a token. A claim of another type than is expected is as if it were not there.
type claims map[string]json.RawMessage

func readClaims(into func(any) error) (c claims, err error) {
	err = into(&c)
	return c, err
}

func (c claims) has(name string) bool {
	raw, ok := c[name]
	return ok && string(raw) != "null"
}

func (c claims) text(name string) (s string) {
	_ = json.Unmarshal(c[name], &s)
	return s
}

// bool reads a flag, which some providers write as a text.
func (c claims) bool(name string) (b bool) {
	if json.Unmarshal(c[name], &b) != nil {
		b = c.text(name) == "true"
	}
	return b
}

// time reads seconds since 1970.
func (c claims) time(name string) time.Time {
	var seconds float64
	if json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// groups reads a person's groups into an assertion: a list of texts, or one text. They are not known if the
// provider says that they are elsewhere (OpenID Connect Core 1.0, 5.6.2: it had too many for a token, and that
// address is not asked; Entra ID's implicit tokens say hasgroups), if there are too many, or if they are neither.
func (c claims) groups(who *access.Assertion, name string) {
	var elsewhere map[string]json.RawMessage
	_ = json.Unmarshal(c["_claim_names"], &elsewhere)
	if _, is := elsewhere[name]; is || c.bool("hasgroups") {
		return
	}
	if who.GroupsLeftOut = !c.has(name); who.GroupsLeftOut {
		return
	}
	var all []string
	if one := c.text(name); one != "" {
		all = []string{one}
	} else if json.Unmarshal(c[name], &all) != nil {
		return
	}
	all = slices.DeleteFunc(all, func(g string) bool { return g == "" || len(g) > maxGroup })
	slices.Sort(all)
	who.Groups = slices.Compact(all)
	who.GroupsKnown = len(who.Groups) <= maxGroups
}

// clip bounds a text of a provider's, and takes out what is no text.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.TrimSpace(s)
}

// object reads an object within an object.
func (c claims) object(name, inner string, into *map[string]any) bool {
	var outer map[string]json.RawMessage
	return json.Unmarshal(c[name], &outer) == nil && json.Unmarshal(outer[inner], into) == nil
}
