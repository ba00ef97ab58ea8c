package sheet

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MediaType is that of the files.
const MediaType = "text/csv; charset=utf-8; header=present"

// BOM is the byte order mark. Excel reads a file without it in the code page of the machine.
const BOM = "\ufeff"

// Cell is one value of a record, as it stands in the file.
type Cell struct{ text string }

// Number is a cell that is a number, also if it is negative.
func Number[N ~int | ~int64 | ~uint64](n N) Cell {
	if n < 0 {
		return Cell{strconv.FormatInt(int64(n), 10)}
	}
	return Cell{strconv.FormatUint(uint64(n), 10)}
}

// Time is a cell that is a time: RFC 3339, in UTC.
func Time(t time.Time) Cell { return Cell{t.UTC().Format(time.RFC3339)} }

// Text is a cell that is a text, whoever chose it.
func Text(s string) Cell { return Cell{quote(escape(s))} }

// Writer writes records.
type Writer struct{ out *bufio.Writer }

// NewWriter returns a Writer. With bom the file begins with a byte order mark.
func NewWriter(w io.Writer, bom bool) *Writer {
	out := bufio.NewWriter(w)
	if bom {
		out.WriteString(BOM)
	}
	return &Writer{out}
}

// Write writes one record. The first error stays, and Flush returns it, too.
func (w *Writer) Write(record ...Cell) error {
	for i, c := range record {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.out.WriteString(c.text)
	}
	_, err := w.out.WriteString("\r\n")
	return err
}

// Flush writes what is left.
func (w *Writer) Flush() error { return w.out.Flush() }

// quote puts quotes around a text that would not be read back without them. An empty text has them
// as well: it is a text of no characters, and not a value that is absent.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, ",;\t\r\n\"") && strings.TrimFunc(s, ignored) == s {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// separators end a cell for a spreadsheet that reads the file as something else than RFC 4180 says:
// with semicolons, as Excel does in most of Europe, or with tabs. A quote within a line is then a
// character like others, and the quotes around a text do not keep it together.
const separators = ";\t\r\n"

// escape puts an apostrophe before each part of a text that might become a cell and be run.
func escape(s string) string {
	var b strings.Builder
	if s != "" && strings.IndexByte("\t\r\n", s[0]) >= 0 && !risky(s) {
		b.WriteByte('\'') // some readers drop it
	}
	for s != "" {
		if risky(s) {
			b.WriteByte('\'')
		}
		end := partEnd(s)
		b.WriteString(s[:end])
		s = s[end:]
	}
	return b.String()
}

// partEnd returns where the first part of a text ends, which has its separator.
func partEnd(s string) int {
	if i := strings.IndexAny(s, separators); i >= 0 {
		return i + 1
	}
	return len(s)
}

// Unescape returns the text of a cell that was read: without the apostrophe at its start and after
// each separator (semicolon, tab, CR, LF).
func Unescape(cell string) string {
	var b strings.Builder
	for cell != "" {
		cell = strings.TrimPrefix(cell, "'")
		end := partEnd(cell)
		b.WriteString(cell[:end])
		cell = cell[end:]
	}
	return b.String()
}

// formulas begin a formula: as themselves, or once a spreadsheet or an input method made the usual
// characters of them (Unicode's NFKC, and the minus sign).
const formulas = "=+-@" + "＝＋－＠" + "﹦﹢﹣﹫" + "⁼₌⁺₊⁻₋−﬩⩵⩶"

// risky reports whether what begins here needs an apostrophe: since it would be run, or since its
// own apostrophe would be taken away. Quotes do not count: with another separator ;"=1 is a cell
// that begins with a quoted nothing.
func risky(s string) bool {
	if strings.HasPrefix(s, "'") {
		return true
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s, func(r rune) bool { return r == '"' || ignored(r) }))
	return strings.ContainsRune(formulas, first)
}

// ignored reports whether a character shows nothing, so that some reader may drop it: spaces,
// controls, format characters such as the byte order mark and zero-width ones, marks that join what
// is before them, fillers, and bytes that are no UTF-8.
func ignored(r rune) bool {
	return r == utf8.RuneError || r == '\u2800' || unicode.IsSpace(r) ||
		unicode.In(r, unicode.C, unicode.M, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
