package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

func (c callCommands) usage() *cobra.Command {
	var q client.UsageQuery
	var since, from, to string
	var asCSV, bom bool
	cmd := &cobra.Command{
		Use:     "usage",
		Short:   "Show what was used, by app, release, tier, team, cost center, hour or day",
		Long:    "Shows what was used. Usage is kept by the hour in UTC: a span starts and ends at full hours.",
		Example: "  agora usage --since 7d --by cost_center,app\n  agora usage --app hello --by hour -o json\n  agora usage --from 2026-01-01 --to 2026-02-01 --by cost_center --csv > january.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bom && !asCSV {
				return usageError("--bom is for --csv: it marks the file as UTF-8 for Excel")
			}
			if err := span(&q, since, from, to); err != nil {
				return err
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			if asCSV {
				raw, err := node.UsageCSV(cmd.Context(), q, bom)
				if err != nil {
					return err
				}
				_, err = c.out.Write(raw)
				return err
			}
			report, err := node.Usage(cmd.Context(), q)
			if err != nil {
				return err
			}
			return c.print(report, func(w io.Writer) error { return showUsage(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.App, "app", "", "only this app")
	f.StringVar(&q.Team, "team", "", "only this team")
	f.BoolVar(&asCSV, "csv", false, "write comma-separated values, for spreadsheets")
	f.BoolVar(&bom, "bom", false, "begin the CSV with a byte order mark, for Excel")
	f.StringVar(&q.CostCenter, "cost-center", "", "only this cost center")
	f.StringSliceVar(&q.By, "by", []string{"app"}, "group by any of hour, day, month, app, release, tier, cost_center, team, owner, environment, trigger")
	f.StringVar(&since, "since", "24h", "how far back: 24h, 7d")
	f.StringVar(&from, "from", "", "start, as 2026-01-31 or RFC 3339; instead of --since")
	f.StringVar(&to, "to", "", "end, as 2026-01-31 or RFC 3339 (default now)")
	return cmd
}

// span reads the flags that say from when to when.
func span(q *client.UsageQuery, since, from, to string) (err error) {
	if q.To, err = moment(to); err != nil {
		return err
	}
	if from != "" {
		q.From, err = moment(from)
		return err
	}
	back, err := period(since)
	if err != nil {
		return err
	}
	end := q.To
	if end.IsZero() {
		end = time.Now()
	}
	q.From = end.Add(-back)
	return nil
}

func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError("%q is no time: write 2026-01-31 or 2026-01-31T08:00:00Z", text)
}

// period is time.ParseDuration with days.
func period(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 10_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usageError("%q is no span of time: write 24h or 7d", text)
	}
	return d, nil
}

func showUsage(w io.Writer, r client.Report) error {
	header := strings.ToUpper(strings.Join(append(append([]string{}, r.By...), "calls", "failed", "instructions", "guest-time", "host-time", "memory-KiB·ms", "in", "out"), " "))
	var rows [][]string
	line := func(group []string, u client.Usage) {
		rows = append(rows, append(group, humanize.Count(u.Calls), humanize.Count(u.Failed()), humanize.Count(u.Instructions),
			humanize.Micros(u.GuestMicros), humanize.Micros(u.HostMicros), humanize.Count(u.MemoryKiBMS), humanize.Bytes(u.BytesIn), humanize.Bytes(u.BytesOut)))
	}
	for _, row := range r.Rows {
		if row.Calls == 0 {
			continue
		}
		group := make([]string, len(r.By))
		for i, word := range r.By {
			group[i] = orDash(row.Group[word])
		}
		line(group, row.Usage)
	}
	if len(r.By) > 0 {
		total := make([]string, len(r.By))
		total[0] = "total"
		line(total, r.Total)
	}
	if err := table(w, header, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s to %s\n", when(r.From), when(r.To))
	return err
}
