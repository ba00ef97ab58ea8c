package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

// quotaFlag reads --quota NAME=VALUE, any number of times.
type quotaFlag control.Quotas

func (q *quotaFlag) String() string { return "" }
func (q *quotaFlag) Type() string   { return "name=value" }

func (q *quotaFlag) Set(text string) error {
	all, err := control.ParseQuotas(strings.Split(text, ","))
	if *q == nil {
		*q = quotaFlag{}
	}
	for name, limit := range all {
		(*q)[name] = limit
	}
	return err
}

// quotaCommands are the commands about how much a person or an app may keep.
type quotaCommands struct{ *session }

func (c quotaCommands) command() *cobra.Command {
	var user, app string
	cmd := &cobra.Command{
		Use: "list", Short: "List how much you keep, and how much you may", Args: cobra.NoArgs,
		Long: `Shows how much you keep on the node, and how much you may: apps, releases, bytes
of modules, open requests, tokens and keys. Operators see the node's quotas, too, and
set all of them with agora serve --quota.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Quotas(ctx, user, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, q := range all {
					rows = append(rows, []string{q.Name, orDash(q.Of), quotaAmount(q, q.Used), quotaAmount(q, q.Limit), q.About})
				}
				return table(w, "QUOTA OF USED LIMIT COUNTS", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "another person (for operators)")
	cmd.Flags().StringVar(&app, "app", "", "show this app's quotas, too")
	return noun("quotas", "Show how much you keep, and how much you may", cmd)
}

func quotaAmount(q client.Quota, n int64) string {
	if q.Bytes {
		return humanize.Bytes(uint64(max(0, n)))
	}
	return strconv.FormatInt(n, 10)
}

// keptWords says when a release goes by itself.
func keptWords(k client.Kept) string {
	switch {
	case k.Needed:
		return "not while it is needed"
	case k.More > 0 && k.Until.IsZero():
		return fmt.Sprintf("with %d more", k.More)
	case k.More > 0:
		return fmt.Sprintf("with %d more, after %s", k.More, k.Until.Format("2006-01-02"))
	case !k.Until.IsZero():
		return "after " + k.Until.Format("2006-01-02")
	}
	return "-"
}

func (c releaseCommands) delete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete APP NUMBER", Short: "Delete a release for good", Args: cobra.ExactArgs(2),
		Long: `Deletes a release for good. One that serves, or that an open request or a live
grant names, is refused. What it used and what was billed stay. Its number is not
given again.`,
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			if err := c.confirmed(yes, strconv.Itoa(n), fmt.Sprintf("Release %d of %s will be gone for good.", n, app)); err != nil {
				return err
			}
			if err := node.DeleteRelease(ctx, app, n); err != nil {
				return err
			}
			return c.print(map[string]any{"app": app, "deleted": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s release %d is deleted.\n", app, n)
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete it without a question")
	return cmd
}
