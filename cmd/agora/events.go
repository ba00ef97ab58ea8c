package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// eventCommands are the commands about the changes that were made.
type eventCommands struct{ *session }

// shownEvents is how many changes are listed if nothing is said: there are as many as the node is old.
const shownEvents = 100

func (c eventCommands) command() *cobra.Command {
	var f client.EventFilter
	var since, from, to string
	var after uint64
	var most int
	var oldest bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the changes that were made, the newest first", Args: cobra.NoArgs,
		Long: `Lists changes that you may see, the newest first: what one change did stands under one
number, and the numbers between are changes that are for others. With --after and a number the
changes that came after it are listed, the oldest first, for a program that goes on from there.`,
		Example: "  agora events list --app hello --since 7d\n  agora events list --kind user.changed,user.renamed --actor ops@example.com\n  agora events list --after 1200 --limit 0 -o json",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) (err error) {
			if f.From, f.To, err = timesOf(since, from, to); err != nil {
				return err
			}
			f.After, f.Newest = abi.Rev(after), after == 0 && !oldest
			all, err := node.First(most).FindEvents(ctx, f)
			if err != nil {
				return err
			}
			if all == nil {
				all = []abi.Event{}
			}
			return c.print(all, func(w io.Writer) error { return showEvents(w, all) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.App, "app", "", "only changes of this app")
	flags.StringSliceVar(&f.Kinds, "kind", nil, "only changes of these kinds, such as release.published")
	flags.StringVar(&f.Actor, "actor", "", "only changes that this person made")
	flags.StringVar(&since, "since", "", "how far back: 24h, 7d; default all")
	flags.StringVar(&from, "from", "", "start, as 2026-01-31 or RFC 3339; instead of --since")
	flags.StringVar(&to, "to", "", "end, as 2026-01-31 or RFC 3339 (default now)")
	flags.Uint64Var(&after, "after", 0, "only changes after this number, the oldest first")
	flags.BoolVar(&oldest, "oldest", false, "list the oldest first")
	flags.IntVar(&most, "limit", shownEvents, "show so many at most; 0 for all")
	return noun("events", "List the changes that were made", cmd)
}

// timesOf reads the flags that bound changes in time; without any, all are meant.
func timesOf(since, from, to string) (start, end time.Time, err error) {
	if since != "" && from != "" {
		return start, end, usageError("--since and --from both say where to start: give one of them")
	}
	if since == "" && from == "" {
		end, err = moment(to)
		return start, end, err
	}
	var q client.UsageQuery
	err = span(&q, since, from, to)
	return q.From, q.To, err
}

func showEvents(w io.Writer, all []abi.Event) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no such change that you may see.")
		return err
	}
	var rows [][]string
	for _, e := range all {
		var detail []string
		for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
			if value := e.Detail[name]; value != "" {
				detail = append(detail, name+"="+value)
			}
		}
		rows = append(rows, []string{fmt.Sprint(e.Rev), when(e.At), e.By(), e.Kind, orDash(e.App), orDash(e.Subject), strings.Join(detail, " ")})
	}
	return table(w, "CHANGE WHEN BY KIND APP ABOUT DETAIL", rows)
}
