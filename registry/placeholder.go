package registry

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"
)

// placeholders are the fields that people have to fill in, each with the values that templates,
// manuals and forms put there to be replaced. A release with one of them would be billed to a cost
// center that does not exist, or would take a name that the next beginner wants, too.
var placeholders = []struct {
	path   string
	value  func(Manifest) string
	words  string         // as normal writes them
	shape  *regexp.Regexp // of the same; nil for none
	fillIn string         // what belongs there
	remedy string
}{
	{"name", func(m Manifest) string { return m.Name }, "my-app myapp your-app yourapp app-name the-app my-app-name your-app-name my-first-app name", nil,
		"the app's own name", "Choose a short name for what the app does: it becomes the app's address, and stays."},
	{"title", func(m Manifest) string { return m.Title }, "my-app your-app app-title app-name title my-title your-title", nil,
		"the name that people read in the catalogue", "Write a title of a few words, or leave the key out."},
	{"description", func(m Manifest) string { return m.Description }, "description my-description your-description my-app my-first-app what-it-does", nil,
		"what the app is for", "Write a sentence or two, or leave the key out."},
	{"team", func(m Manifest) string { return m.Team }, "my-team your-team team team-name the-team my-team-name your-team-name todo", nil,
		"the team that is responsible for the app", "Write your team as its other apps do: the catalogue shows them."},
	{"cost_center", func(m Manifest) string { return m.CostCenter }, "cost-center costcenter my-cost-center your-cost-center cost-centre cc todo", regexp.MustCompile(`^([a-z]+-?)?0+(-0+)*$|^([a-z]+-)?(x{2,}|n{2,})(-(x+|n+))*$`),
		"the cost center that pays for the app", "Ask your team or finance for it. The apps of your team in the catalogue have it, too."},
}

// unfilled are values that stand for "fill this in" in any field: in brackets, or by a word. An app
// may be called Todo; TODO is none.
var unfilled = regexp.MustCompile(`^(<.*>|\[.*\]|\{.*\}|\$\{?\w+\}?|[.…?_#-]+|` +
	`(?:TODO|FIXME)\b.*|(?i:x{3,}|(?:tbd|tba|fixme|change[ _-]?me|replace[ _-]?me|fill[ _-]?me[ _-]?in|placeholder)(?:: .*)?|lorem ipsum.*))$`)

// normal writes a value as the tables do: lower case, and one hyphen for all that separates words.
func normal(value string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(value), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "-")
}

// checkFilledIn refuses what was left as a template has it.
func (e *ManifestError) checkFilledIn(m Manifest) {
	for _, p := range placeholders {
		value := p.value(m)
		if strings.TrimSpace(value) == "" {
			continue // whether a field is needed is for the rules
		}
		word := normal(value)
		known := slices.Contains(strings.Fields(p.words), word) || p.shape != nil && p.shape.MatchString(word)
		if !known && !unfilled.MatchString(strings.TrimSpace(value)) {
			continue
		}
		e.add(p.path, fmt.Sprintf("%s is still the placeholder %q: fill in %s", p.path, clip(value, 40), p.fillIn), p.remedy)
		e.Problems[len(e.Problems)-1].Code = "manifest.placeholder"
	}
}

// FillManifest sets keys of a manifest's text that hold strings, for a form without a program in
// the browser. Comments get lost. A text that is no TOML is returned as it is: reading it says why.
func FillManifest(text []byte, values map[string]string) []byte {
	all := map[string]any{}
	if err := toml.Unmarshal(text, &all); err != nil {
		return text
	}
	for key, value := range values {
		all[key] = value
	}
	filled, err := toml.Marshal(all)
	if err != nil {
		return text
	}
	return filled
}
