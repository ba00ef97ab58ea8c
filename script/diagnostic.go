package script

import (
	"fmt"
	"strings"

	"github.com/agora-host/agora/abi"
)

// Diagnostic says what is wrong, or doubtful, at a place of a source.
type Diagnostic struct {
	File   string `json:"file,omitempty"` // relative to the app's directory; "" if it is of no file
	Line   int    `json:"line,omitempty"` // from 1
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
	Source string `json:"source,omitempty"` // the line
	Length int    `json:"length,omitempty"` // of what is meant in it, in columns
	Hint   string `json:"hint,omitempty"`   // what to do
}

// String writes a diagnostic as compilers do: place, text, the line, and what is meant in it.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", d.File, d.Line, d.Column)
	}
	b.WriteString(d.Text)
	if d.Source != "" {
		fmt.Fprintf(&b, "\n  %s\n  %s%s", strings.ReplaceAll(d.Source, "\t", " "), strings.Repeat(" ", max(0, d.Column-1)), mark(d.Length))
	}
	if d.Hint != "" {
		b.WriteString("\n  " + d.Hint)
	}
	return b.String()
}

// Finding is a diagnostic as a finding of this severity.
func (d Diagnostic) Finding(severity abi.Severity) abi.Finding {
	f := abi.Finding{Code: "script.error", Severity: severity, Message: d.Text, Remedy: abi.Remedy{Summary: d.Hint}}
	if severity != abi.SeverityDeny {
		f.Code = "script.warning"
	}
	if d.File != "" {
		f.Path = fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
	}
	return f
}

func mark(n int) string {
	if n < 2 {
		return "^"
	}
	return strings.Repeat("~", n)
}

// Error says why a source cannot become a module.
type Error struct{ Diagnostics []Diagnostic }

// mostTold bounds what an error's text says. All diagnostics are in the error itself.
const mostTold = 10

func (e *Error) Error() string {
	var b strings.Builder
	for i, d := range e.Diagnostics {
		if i == mostTold {
			fmt.Fprintf(&b, "\nand %d more", len(e.Diagnostics)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.String())
	}
	return b.String()
}

// Failure is an error that is of no place.
func Failure(format string, args ...any) *Error {
	return &Error{[]Diagnostic{{Text: fmt.Sprintf(format, args...)}}}
}
