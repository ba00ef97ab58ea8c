package metering

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
)

// WriteCSV writes a report as RFC 4180: a line of names, then a line for each
// row. Usage of capabilities has a column for each capability and meter that any
// row has, such as "fetch calls".
func (r Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	uses := r.useColumns()
	header := append(slices.Clone(r.By), "calls", "failed", "instructions", "guest_us", "host_us", "memory_kib_ms", "bytes_in", "bytes_out")
	for _, u := range uses {
		header = append(header, u[0]+" "+u[1])
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for _, row := range r.Rows {
		line := make([]string, 0, len(header))
		for _, word := range r.By {
			line = append(line, noFormula(row.Group[word]))
		}
		line = append(line, strconv.FormatUint(row.Calls, 10), strconv.FormatUint(row.Failed(), 10))
		for _, n := range row.all() {
			line = append(line, strconv.FormatUint(*n, 10))
		}
		for _, u := range uses {
			line = append(line, strconv.FormatUint(row.Of(u[0], u[1]), 10))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (r Report) useColumns() [][2]string {
	var columns [][2]string
	for _, row := range r.Rows {
		for _, u := range row.Uses {
			if c := [2]string{u.Capability, u.Meter}; !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	slices.SortFunc(columns, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return columns
}

// noFormula keeps a spreadsheet from running what somebody chose as the name of
// their team.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
