package metering_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sheet"
	"github.com/agora-host/agora/metering"
)

var march = time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC)

// written are a report's rows by the names of their columns.
func written(t *testing.T, r metering.Report) (header []string, rows []map[string]string) {
	t.Helper()
	var b strings.Builder
	if err := r.WriteCSV(&b, false); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[lines[0][i]] = sheet.Unescape(cell)
		}
		rows = append(rows, row)
	}
	return lines[0], rows
}

// TestCSV: each number stands in its column, names that people choose are no formulas, and which
// columns there are depends on what is asked alone.
func TestCSV(t *testing.T) {
	r := metering.Report{From: march, To: march.AddDate(0, 0, 2), By: []string{"app", "team"}, Rows: []metering.Row{
		{Group: map[string]string{"app": "shop", "team": ` =HYPERLINK("http://evil.example")`}, Usage: metering.Usage{
			Calls: 3, Errors: map[string]uint64{"trap": 1}, Counts: metering.Counts{Instructions: 1 << 60, BytesOut: 2},
			Uses: []abi.Use{
				{Capability: "fetch", Meter: "calls", Subject: "a.example", N: 1}, {Capability: "fetch", Meter: "calls", Subject: "b.example", N: 2},
				{Capability: "kv", Meter: "unheard_of", N: 3}, {Capability: "teleport", Meter: "calls", N: 4},
			},
		}},
		{Group: map[string]string{"app": "other", "team": "a, \"b\""}, Usage: metering.Usage{Calls: 1}},
	}}
	var b strings.Builder
	if err := r.WriteCSV(&b, true); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "\ufefffrom,to,app,team,calls,") || !strings.Contains(got, "\r\n"+`2026-03-01T05:00:00Z,2026-03-03T05:00:00Z,shop,"' =HYPERLINK(""http://evil.example"")",3,1,1152921504606846976,0,0,0,0,2,`) {
		t.Errorf("%s", got)
	}
	header, rows := written(t, r)
	for column, want := range map[string]string{"team": r.Rows[0].Group["team"], "calls": "3", "failed": "1", "bytes_out": "2", "fetch_calls": "3", "kv_reads": "0", "other_uses": "7"} {
		if rows[0][column] != want {
			t.Errorf("%s is %s, want %s", column, rows[0][column], want)
		}
	}
	r.Rows = nil
	if nothing, _ := written(t, r); !slices.Equal(nothing, header) || !slices.Equal(header, metering.CSVColumns(r.By)) {
		t.Errorf("without usage the columns are %q, and with some %q", nothing, header)
	}
}

// TestCSVPeriods: a row that is of an hour, a day or a month says which part of it the report has.
func TestCSVPeriods(t *testing.T) {
	r := metering.Report{From: march, To: march.AddDate(0, 1, 1)}
	for _, k := range []struct {
		by       string
		value    string
		from, to string
	}{
		{"app", "shop", "2026-03-01T05:00:00Z", "2026-04-02T05:00:00Z"},
		{"hour", "2026-03-09T23:00:00Z", "2026-03-09T23:00:00Z", "2026-03-10T00:00:00Z"},
		{"day", "2026-03-01", "2026-03-01T05:00:00Z", "2026-03-02T00:00:00Z"},
		{"day", "2026-03-31", "2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"},
		{"month", "2026-03", "2026-03-01T05:00:00Z", "2026-04-01T00:00:00Z"},
		{"month", "2026-04", "2026-04-01T00:00:00Z", "2026-04-02T05:00:00Z"},
	} {
		r.By, r.Rows = []string{k.by}, []metering.Row{{Group: map[string]string{k.by: k.value}}}
		if _, rows := written(t, r); rows[0]["from"] != k.from || rows[0]["to"] != k.to {
			t.Errorf("%s %s: %s to %s, want %s to %s", k.by, k.value, rows[0]["from"], rows[0]["to"], k.from, k.to)
		}
	}
}

// TestCSVColumnsAreDocumented, in their order.
func TestCSVColumnsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, column := range metering.CSVColumns(nil) {
		i := strings.Index(string(text[at:]), "`"+column+"`")
		if i < 0 {
			t.Fatalf("docs/operations.md does not name the column %s, or not in its place", column)
		}
		at += i
	}
}
