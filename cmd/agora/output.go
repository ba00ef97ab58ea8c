package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// errSilent ends a command that has said everything already.
var errSilent = errors.New("")

// terminal is what every command writes its outcome to, and asks questions on.
type terminal struct {
	streams
	output string // "text" or "json"
}

// print writes a command's result: the value as JSON, or what text makes of it.
func (c *terminal) print(value any, text func(w io.Writer) error) error {
	if c.output == "json" {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(value)
	}
	return text(c.out)
}

// listed is table, or says that there is nothing.
func listed(w io.Writer, header string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "There are none.")
		return err
	}
	return table(w, header, rows)
}

// table prints rows in columns, under a header unless it is "". Columns of numbers are aligned to
// the right. Cells come from apps and people: control characters are made visible, so that none
// moves the cursor.
func table(w io.Writer, header string, rows [][]string) error {
	all := make([][]string, 0, len(rows)+1)
	if header != "" {
		all = append(all, strings.Split(header, " "))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		all = append(all, cells)
	}
	if header != "" {
		alignNumbers(all)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range all {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// aNumber is a count or a measure, with its unit.
var aNumber = regexp.MustCompile(`^\d+(\.\d+)?( ?[kMGT]?(B|iB|KiB|MiB|GiB|TiB|µs|ms|s|min|h|%)?)?$`)

// alignNumbers pads the columns that hold numbers and nothing else, below their header.
func alignNumbers(all [][]string) {
	for column := 1; column < len(all[0]); column++ { // the first names the row
		width, numbers := utf8.RuneCountInString(all[0][column]), 0
		for _, row := range all[1:] {
			if column >= len(row) || row[column] != "-" && !aNumber.MatchString(row[column]) {
				numbers = -1
				break
			}
			if row[column] != "-" {
				numbers++
			}
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		if numbers <= 0 {
			continue
		}
		for _, row := range all {
			row[column] = strings.Repeat(" ", width-utf8.RuneCountInString(row[column])) + row[column]
		}
	}
}

// printable makes text safe for a terminal; line breaks become spaces.
func printable(s string) string { return clean(s, false) }

// printableLines is printable, with line breaks kept.
func printableLines(s string) string { return clean(s, true) }

func clean(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines, r == '\t' && lines:
			return r
		case r == '\n', r == '\t':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '�'
		}
		return r
	}, s)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04 -07:00")
}

// logTime is how lines of a log say when: to the millisecond, in the reader's zone, which is named.
const logTime = "2006-01-02 15:04:05.000 -07:00"

// moments is when, to the second.
func moments(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// progress tells what long work is doing: on a terminal one line that is
// rewritten, elsewhere one line for each step. Nothing when JSON is wanted.
type progress struct {
	w       io.Writer
	live    bool
	quiet   bool
	started time.Time
	step    string
}

func (c *terminal) progress() *progress {
	f, ok := c.err.(*os.File)
	return &progress{w: c.err, live: ok && isTerminal(f), quiet: c.output == "json"}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// to begins a step; the one before is done.
func (p *progress) to(step string) {
	p.done()
	p.step, p.started = step, time.Now()
	if p.live && !p.quiet {
		fmt.Fprintf(p.w, "\r\033[K… %s", step)
	}
}

// done ends the current step.
func (p *progress) done() {
	if p.step == "" || p.quiet {
		p.step = ""
		return
	}
	start := ""
	if p.live {
		start = "\r\033[K"
	}
	fmt.Fprintf(p.w, "%s✓ %s (%s)\n", start, p.step, time.Since(p.started).Round(10*time.Millisecond))
	p.step = ""
}

// note says something between two steps, also when JSON is wanted: it is not part of the result.
func (p *progress) note(text string) { fmt.Fprintln(p.w, text) }

// stop ends the current step without success.
func (p *progress) stop() {
	if p.step != "" && !p.quiet {
		start := ""
		if p.live {
			start = "\r\033[K"
		}
		fmt.Fprintf(p.w, "%s✗ %s\n", start, p.step)
	}
	p.step = ""
}
