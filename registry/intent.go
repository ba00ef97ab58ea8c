package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of the answers to an organisation's questions.
const (
	maxAnswers = 50
	maxAnswer  = 500
)

// answerName is the name of a question: "personal_data".
var answerName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (e *ManifestError) checkIntent(m Manifest) {
	for _, f := range []struct {
		path string
		n    Count
	}{{"expected_users", m.ExpectedUsers}, {"monthly_cents", m.MonthlyCents}} {
		if f.n < 0 {
			e.add(f.path, f.path+" cannot be negative", "Leave it out if you do not know.", f.path+" = 20")
		}
	}
	e.atMost("answers", len(m.Answers), maxAnswers)
	for _, name := range slices.Sorted(maps.Keys(m.Answers)) {
		if !answerName.MatchString(name) {
			e.add("answers", fmt.Sprintf("answers: %q is no name of a question", clip(name, 40)), "Use small letters, digits and underscores.", "[answers]", `personal_data = "no"`)
		} else if err := plainText(m.Answers[name], maxAnswer); err != nil {
			e.add("answers."+name, "answers."+name+" "+err.Error(), "Use plain text.")
		}
	}
}

// Count is a number of things, written 20 or "20"; "" says nothing.
type Count int64

// UnmarshalText reads "20".
func (c *Count) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = 0
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number: write 20", clip(string(text), 40))
	}
	*c = Count(n)
	return nil
}

// UnmarshalJSON reads 20.
func (c *Count) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*int64)(c)) }
