package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

func (c releaseCommands) review() *cobra.Command {
	return &cobra.Command{
		Use: "review APP NUMBER", Short: "Show what a reviewer has to know of a release", Args: cobra.ExactArgs(2),
		Long: `Shows on one page what a release is, for whom and what is new; what differs from the last release that
was approved, and whether it may do more or less by that; what it declares, imports, was granted and
used; what was measured of it; what the rules say and advise; and which requests of it are open.
agora releases approve and reject decide about all of them.`,
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			b, err := node.Briefing(ctx, app, n)
			if err != nil {
				return err
			}
			return c.print(b, func(w io.Writer) error { return showBriefing(w, b) })
		}),
	}
}

func showBriefing(w io.Writer, b client.Briefing) error {
	fmt.Fprintf(w, "%s release %d\n%s\n\n", b.App, b.Release, printable(b.Summary))
	rows := intentRows(b.Intent)
	for _, a := range b.Audiences {
		rows = append(rows, []string{"who opens " + string(a.Tier), a.Words})
	}
	for _, ch := range b.Changes {
		rows = append(rows, []string{fmt.Sprintf("since release %d", b.Since), changeText(ch)})
	}
	rows = append(append(rows, accessRows(b.Access)...), []string{"measured", measuredText(b.Measured)})
	for _, f := range b.Findings {
		rows = append(rows, []string{string(f.Severity), f.Message})
	}
	for _, a := range b.Advice {
		rows = append(rows, []string{"advice: " + leaningWords(a.Leans), a.Message})
	}
	if b.Recommends != "" {
		rows = append(rows, []string{"in sum", leaningWords(b.Recommends) + ", by the rules; you decide"})
	}
	for _, q := range b.Requests {
		rows = append(rows, []string{q.ID, "asks for " + what(q) + ", waits for the " + q.Turn})
	}
	if len(b.Requests) == 0 {
		rows = append(rows, []string{"requests", "none is open"})
	}
	return table(w, "", rows)
}

// measuredText says what a release did lately.
func measuredText(m client.Measured) string {
	if m.Calls == 0 {
		return fmt.Sprintf("no call in %d days", m.Days)
	}
	return fmt.Sprintf("%s calls in %d days, %s of them failed, %s instructions each", humanize.Count(m.Calls), m.Days, humanize.Count(m.Failed), humanize.Count(m.Instructions/m.Calls))
}

// leaningWords say what an advice speaks for.
func leaningWords(leans string) string {
	return strings.NewReplacer("approve", "approve it", "look", "look closer", "reject", "reject it").Replace(leans)
}
