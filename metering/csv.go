package metering

import (
	"io"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sheet"
)

// useColumns are the uses of capabilities that have a column of their own, in its order. Which they
// are never depends on what was used, so that the files of two periods fit together. Append-only:
// whoever reads a column by its place reads the same one after an upgrade.
var useColumns = [][2]string{
	{"blob", abi.MeterReads}, {"blob", abi.MeterWrites}, {"blob", abi.MeterQuotaExceeded}, {"blob", abi.MeterFailed}, {"blob", abi.MeterByteHours},
	{"compile", abi.MeterCPU},
	{"config", abi.MeterReads},
	{abi.CapabilityEvents, abi.MeterEvents}, {abi.CapabilityEvents, abi.MeterDenied}, {abi.CapabilityEvents, abi.MeterQuotaExceeded}, {abi.CapabilityEvents, abi.MeterFailed},
	{"fetch", abi.MeterCalls}, {"fetch", abi.MeterBytesSent}, {"fetch", abi.MeterBytesReceived}, {"fetch", abi.MeterDenied}, {"fetch", abi.MeterQuotaExceeded}, {"fetch", abi.MeterFailed},
	{"kv", abi.MeterReads}, {"kv", abi.MeterWrites}, {"kv", abi.MeterQuotaExceeded}, {"kv", abi.MeterFailed}, {"kv", abi.MeterByteHours},
	{"llm", abi.MeterCalls}, {"llm", abi.MeterInputTokens}, {"llm", abi.MeterCachedInputTokens}, {"llm", abi.MeterOutputTokens}, {"llm", abi.MeterEstimatedTokens}, {"llm", abi.MeterDenied}, {"llm", abi.MeterQuotaExceeded}, {"llm", abi.MeterFailed},
	{"log", abi.MeterWrites},
	{"secret", abi.MeterReads}, {"secret", abi.MeterDenied}, {"secret", abi.MeterFailed}, {"secret", abi.MeterRedacted},
}

// CSVColumns are the columns of a report that is grouped by some words.
func CSVColumns(by []string) []string {
	columns := append([]string{"from", "to"}, by...)
	columns = append(columns, "calls", "failed", "instructions", "guest_us", "host_us", "memory_kib_ms", "bytes_in", "bytes_out")
	for _, c := range useColumns {
		columns = append(columns, c[0]+"_"+c[1])
	}
	return append(columns, "other_uses")
}

// WriteCSV writes a report as a line of names, then a line for each row; with bom for Excel.
func (r Report) WriteCSV(w io.Writer, bom bool) error {
	out := sheet.NewWriter(w, bom)
	var names []sheet.Cell
	for _, name := range CSVColumns(r.By) {
		names = append(names, sheet.Text(name))
	}
	if err := out.Write(names...); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if err := out.Write(r.cells(row)...); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (r Report) cells(row Row) []sheet.Cell {
	from, to := r.period(row)
	cells := []sheet.Cell{sheet.Time(from), sheet.Time(to)}
	for _, word := range r.By {
		cells = append(cells, sheet.Text(row.Group[word]))
	}
	cells = append(cells, sheet.Number(row.Calls), sheet.Number(row.Failed()))
	for _, n := range row.all() {
		cells = append(cells, sheet.Number(*n))
	}
	for _, n := range row.byColumn() {
		cells = append(cells, sheet.Number(n))
	}
	return cells
}

// byColumn sums uses by their column. The last sum is of those that have none, so that nothing is
// left out without a word.
func (u Usage) byColumn() []uint64 {
	sums := make([]uint64, len(useColumns)+1)
	for _, use := range u.Uses {
		i := slices.Index(useColumns, [2]string{use.Capability, use.Meter})
		if i < 0 {
			i = len(useColumns)
		}
		sums[i] = plus(sums[i], use.N)
	}
	return sums
}

// period is what a row is about: the report's period or, if rows are grouped by time, the part of
// it that is in the row's hour, day or month.
func (r Report) period(row Row) (from, to time.Time) {
	from, to = r.From, r.To
	for _, s := range []struct {
		word, layout string
		months, days int
		hours        time.Duration
	}{{"hour", time.RFC3339, 0, 0, time.Hour}, {"day", time.DateOnly, 0, 1, 0}, {"month", "2006-01", 1, 0, 0}} {
		begin, err := time.Parse(s.layout, row.Group[s.word])
		if err != nil {
			continue // rows are not grouped by it
		}
		if begin.After(from) {
			from = begin
		}
		if end := begin.AddDate(0, s.months, s.days).Add(s.hours); end.Before(to) {
			to = end
		}
	}
	return from, to
}
