package javascript

import (
	"fmt"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// mostSource bounds the line that a diagnostic quotes: a file may be one line.
const mostSource = 160

func diagnostics(messages []api.Message) []Diagnostic {
	var all []Diagnostic
	for _, m := range messages {
		d := Diagnostic{Text: m.Text}
		if l := m.Location; l != nil {
			d.File, d.Line, d.Column, d.Source, d.Length = sourceName(l.File), l.Line, l.Column+1, l.LineText, l.Length
			d.Source, d.Column, d.Length = window(d.Source, d.Column, d.Length)
			if l.Suggestion != "" { // what to write at that place
				d.Hint = fmt.Sprintf("did you mean %q?", l.Suggestion)
			}
		}
		var notes []string
		for _, n := range m.Notes {
			if n.Location == nil || n.Location.File == "" {
				notes = append(notes, n.Text)
			}
		}
		if len(notes) > 0 {
			d.Hint = strings.Join(notes, "\n  ")
		}
		all = append(all, d)
	}
	return all
}

// window leaves a long line out: what is quoted of it would not help.
func window(line string, column, length int) (string, int, int) {
	if len(line) > mostSource {
		return "", column, length
	}
	return line, column, min(length, max(1, len(line)-column+1))
}
