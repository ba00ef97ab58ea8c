package sheet_test

import (
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/agora-host/agora/internal/sheet"
)

func file(tb testing.TB, bom bool, records ...[]sheet.Cell) string {
	tb.Helper()
	var b strings.Builder
	w := sheet.NewWriter(&b, bom)
	for _, r := range records {
		if err := w.Write(r...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// read splits a file as a spreadsheet does that takes a character for the separator: quotes are
// only seen where a cell begins, and what follows the closing one belongs to the cell.
func read(text string, separator byte) (records [][]string) {
	var record []string
	var cell []byte
	begins, quoted := true, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '"' && i+1 < len(text) && text[i+1] == '"':
			cell, i = append(cell, '"'), i+1
		case quoted && c == '"':
			quoted = false
		case quoted:
			cell = append(cell, c)
		case begins && c == '"':
			begins, quoted = false, true
		case c == separator:
			record, cell, begins = append(record, string(cell)), nil, true
		case c == '\n' || c == '\r':
			record, cell, begins = append(record, string(cell)), nil, true
			records, record = append(records, record), nil
			if c == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
		default:
			cell, begins = append(cell, c), false
		}
	}
	return records
}

// runs reports whether a spreadsheet might take a cell for a formula. It knows of more invisible
// characters than any of them drops.
func runs(cell string) bool {
	shown := strings.TrimLeftFunc(cell, func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || unicode.IsMark(r) || strings.ContainsRune("\ufffd\u115f\u1160\u3164\uffa0\u2800", r)
	})
	for _, f := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "﹢", "﹣", "﹫"} {
		if strings.HasPrefix(shown, f) {
			return true
		}
	}
	return false
}

var formulas = []string{
	"=1+1", "+1", "-1", "@SUM(1)", " =1+1", "\t=1", "\r=1", "\n=1", "\x00=1", "\x1b=1", "\x7f+1", "\u0085=1", "\u00a0=1+1", "\u3000=1", "\u2003-1", "\u2028=1", "\u205f@A", "\u1680=1", "\u202f=1",
	"\u200b=1", "\u200c=1", "\u200d+1", "\u2060=1", "\ufeff=1", "\u00ad=1", "\u180e=1", "\u202e=1", "\u2066=1", "\u061c=1", "\u034f=1", "\ufe0f=1", "\U000e0100=1", "\U000e0020=1", "\u115f=1", "\u3164=1", "\uffa0=1", "\u2800=1", "\u17b4=1",
	"＝1+1", "＋1", "－1", "＠A", " ＝1", "\u200b＝1", "﹦1", "﹢1", "﹣1", "﹫A", "⁼1", "₌1", "⁺1", "₊1", "−1", "⁻1", "₋1", "﬩1", "⩵1", "\xff=1", "\xa0=1", " \t\u200b\ufeff \r\n=1",
	"a;=1+1", "a; =1+1;", "a\t=1", "a\n=1", "a\r\n=1", `a;"=1+1;`, `a;"" "=1+1;`, "a;＝1", "\ta", "\ra", "\na", "'=1", "'", "'s-Hertogenbosch", `"=1+1"`,
}

var plain = []string{"shop", "a, \"b\"", "Team 1 = 2", "a-b", "a@example.com", "CC-100", "", "a;b", "a\tb", "a\r\nb", "Ελλάς", "a\u200b=", "it's", "\u200bteam", "ada.", "#REF", "10 %", "a;b;c"}

// TestFormulas: what begins as a formula gets an apostrophe, in each spelling, and nothing else does.
func TestFormulas(t *testing.T) {
	for _, s := range formulas {
		raw := read(file(t, false, []sheet.Cell{sheet.Time(time.Now()), sheet.Text(s)}), ',')[0][1]
		if !strings.Contains(raw, "'") || runs(raw) || raw == s || sheet.Unescape(raw) != s {
			t.Errorf("%q is %q in the file", s, raw)
		}
	}
	for _, s := range plain {
		if raw := read(file(t, false, []sheet.Cell{sheet.Text(s)}), ',')[0][0]; raw != s || sheet.Unescape(raw) != s {
			t.Errorf("%q became %q", s, raw)
		}
	}
}

// TestFile is a whole file, byte by byte.
func TestFile(t *testing.T) {
	at := time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 3600))
	records := [][]sheet.Cell{
		{sheet.Time(at), sheet.Text("shop"), sheet.Number(-5), sheet.Number(uint64(1<<64 - 1))},
		{sheet.Text(""), sheet.Text("a, \"b\""), sheet.Text("-5"), sheet.Text(" x")},
	}
	want := "2026-03-01T00:00:00Z,shop,-5,18446744073709551615\r\n\"\",\"a, \"\"b\"\"\",'-5,\" x\"\r\n"
	if got := file(t, false, records...); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := file(t, true, records...); got != "\xef\xbb\xbf"+want {
		t.Errorf("with a byte order mark: %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestError(t *testing.T) {
	w := sheet.NewWriter(broken{}, true)
	w.Write(sheet.Text(strings.Repeat("x", 1<<16)))
	if w.Flush() == nil {
		t.Error("an error was lost")
	}
}

// FuzzText: a reader gets every text back, numbers as they were, and no spreadsheet finds a formula,
// whatever it takes for the separator.
func FuzzText(f *testing.F) {
	for i, s := range formulas {
		f.Add(s, plain[i%len(plain)], int64(-i))
	}
	for _, s := range []string{"\";=1;\"", "\n\"=1\n", "';'=1", "\r'\n=1", "\"\n;\"\"=1"} {
		f.Add(s, s+s, int64(1))
	}
	f.Fuzz(func(t *testing.T, a, b string, n int64) {
		now := time.Unix(n%1e9, 0)
		text := file(t, false, []sheet.Cell{sheet.Time(now), sheet.Text(a), sheet.Number(n), sheet.Text(b)}, []sheet.Cell{sheet.Text(b), sheet.Text(a), sheet.Time(now), sheet.Time(now)})
		records := read(text, ',')
		if len(records) != 2 || len(records[0]) != 4 || len(records[1]) != 4 {
			t.Fatalf("%q was read as %q", text, records)
		}
		if got := []string{sheet.Unescape(records[0][1]), sheet.Unescape(records[0][3]), sheet.Unescape(records[1][0]), sheet.Unescape(records[1][1])}; !slices.Equal(got, []string{a, b, b, a}) {
			t.Errorf("%q came back as %q", []string{a, b}, got)
		}
		if at, err := time.Parse(time.RFC3339, records[0][0]); err != nil || !at.Equal(now) {
			t.Errorf("%s is not %s", records[0][0], now)
		}
		library, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || library[0][1] != strings.ReplaceAll(records[0][1], "\r\n", "\n") { // which it does within quotes
			t.Errorf("encoding/csv reads %q, %v", library, err)
		}
		for _, separator := range []byte(",;\t") {
			for _, record := range read(text, separator) {
				for i, cell := range record {
					if number := separator == ',' && i == 2; !number && runs(cell) {
						t.Errorf("%q, split at %q, has the formula %q", text, separator, cell)
					}
				}
			}
		}
	})
}
