package registry

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/agora-host/agora/abi"
)

// Search is what a person looks for in the catalogue. What is left out narrows nothing.
type Search struct {
	Text       string // words, all of which occur
	Tier       abi.Tier
	Team       string
	Owner      string // a person who owns it, alone or with others
	Capability string
	State      State
	Orphaned   bool // its owner is disabled
	OldEngine  bool // it was made of a script, with an engine that is too old
}

// owned reports whether an app is owned by the person who is looked for, who is in some groups.
func (s Search) owned(a App, groups []string) bool {
	return s.Owner == "" || a.Owner == s.Owner || a.CoOwner == s.Owner || (a.Group != "" && slices.Contains(groups, a.Group))
}

// Listing is an app as it is searched and ordered.
type Listing struct {
	App          App
	Capabilities []string // of the release that serves, or of the newest
	Engine       string   // the version that the same was made with, if of a script

	text  string // all that words are looked for in, folded
	team  string // folded
	place string
}

// NewListing makes an app ready to be searched.
func NewListing(a App, capabilities []string) *Listing {
	parts := append([]string{a.Shown(), a.Name, a.Description, a.Owner, a.CoOwner, a.Team}, capabilities...)
	for _, tier := range abi.Tiers() {
		if a.Active[tier] > 0 {
			parts = append(parts, string(tier))
		}
	}
	return &Listing{App: a, Capabilities: capabilities, text: fold(strings.Join(parts, "\n")), team: fold(a.Team), place: fold(a.Shown()) + "\x00" + a.Name}
}

// Place orders listings by the title that people see, and apps of one title by name.
func (l *Listing) Place() string { return l.place }

// Shown is the name by which people know an app.
func (a App) Shown() string {
	if title := strings.TrimSpace(a.Title); title != "" {
		return title
	}
	return a.Name
}

// Matcher returns a function that reports whether a listing is what is looked for. groups are those of
// the owner who is looked for.
func (s Search) Matcher(groups []string) func(*Listing) bool {
	words, team := strings.Fields(fold(s.Text)), fold(s.Team)
	return func(l *Listing) bool {
		switch {
		case s.Tier != "" && l.App.Active[s.Tier] == 0,
			!s.owned(l.App, groups),
			s.State != "" && l.App.State() != s.State,
			team != "" && l.team != team,
			s.Capability != "" && !slices.Contains(l.Capabilities, s.Capability):
			return false
		}
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l.text, w) })
	}
}

// undivided are letters with a stroke or joined ones, which Unicode does not take apart.
var undivided = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ı", "i", "ħ", "h")

// fold returns a text without differences of case, of diacritics and of form.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
	return undivided.Replace(s)
}
