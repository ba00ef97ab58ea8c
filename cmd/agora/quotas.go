package main

import (
	"cmp"
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

// quotaCommands are the commands about how much people, groups and apps may keep.
type quotaCommands struct{ *session }

func (c quotaCommands) command() *cobra.Command {
	return noun("quotas", "Show how much you keep, and how much you may; set it", c.list(), c.limited(c.settings()), c.set(), c.clear())
}

func (c quotaCommands) list() *cobra.Command {
	var whose client.QuotaOf
	cmd := &cobra.Command{
		Use: "list", Short: "List how much you keep, and how much you may", Args: cobra.NoArgs,
		Long: `Shows how much you keep on the node, and how much you may: apps, releases, bytes
of modules, open requests, tokens and keys; and of a group that you are in, or of an
app, too. Where an operator bounds it, it shows what your apps ran and had compiled
today, what they keep, how often they were called in the last second, and what memory
their calls hold. Operators see the node's quotas, and set them: for one person,
group or app with agora quotas set, or for all with that or with agora serve --quota.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.QuotasOf(ctx, whose)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, q := range all {
					rows = append(rows, []string{q.Name, orDash(cmp.Or(q.GroupName, q.Of)), quotaAmount(q, q.Used), quotaAmount(q, q.Limit), quotaFrom(q), q.About})
				}
				return table(w, "QUOTA OF USED LIMIT SET COUNTS", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&whose.User, "user", "", "another person (for operators)")
	cmd.Flags().StringVar(&whose.Group, "group", "", "show this group's quotas, too")
	cmd.Flags().StringVar(&whose.App, "app", "", "show this app's quotas, too")
	return cmd
}

// quotaFrom says who set a quota, and why.
func quotaFrom(q client.Quota) string {
	if q.Set == nil {
		return map[string]string{control.QuotaAtStart: "by agora serve"}[q.From] + map[bool]string{true: "-"}[q.From == control.QuotaDefault]
	}
	text := "by " + q.Set.By
	if q.From == control.QuotaEverybody {
		text += " for all"
	}
	if !q.Set.Until.IsZero() {
		text += ", until " + when(q.Set.Until)
	}
	return text + ": " + q.Set.Reason
}

func (c quotaCommands) settings() *cobra.Command {
	return &cobra.Command{
		Use: "settings", Short: "List the quotas that operators set, and why", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.QuotaSettings(ctx)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "No operator set a quota: what agora serve --quota says holds, or the defaults.")
					return err
				}
				var rows [][]string
				for _, s := range all {
					of := s.Per + " " + s.Of
					if s.Of == "" {
						of = map[string]string{"person": "every person", "group": "every group", "app": "every app", "node": "the node"}[s.Per]
					}
					rows = append(rows, []string{s.Quota, of, control.QuotaAmount(s.Quota, s.Limit), s.By, when(s.At), when(s.Until), s.Reason})
				}
				return table(w, "QUOTA OF LIMIT BY SINCE UNTIL REASON", rows)
			})
		}),
	}
}

func (c quotaCommands) set() *cobra.Command {
	var to client.SetQuota
	var until string
	cmd := &cobra.Command{
		Use: "set QUOTA LIMIT", Short: "Set a quota of one person, group or app, or of all alike", Args: cobra.ExactArgs(2),
		Long: `Sets a quota while the node runs, for operators. What is set for one person, group
or app holds before what is set for all of them alike, that before what agora serve
--quota says, and that before the default. What was there already stays, and does
not grow beyond the new limit. The person concerned is told, with the reason.`,
		Example: `  agora quotas set apps 500 --user ada@example.com --reason "runs the training course"
  agora quotas set module-bytes 50GiB --reason "a larger disk"
  agora quotas set requests-a-second 200 --reason "nobody takes the node for themselves"`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) (err error) {
			if to.Limit, err = control.ParseQuota(args[0], args[1]); err != nil {
				return usageError("quota %s: %v", args[0], err)
			}
			if to.Until, err = moment(until); err != nil {
				return err
			}
			q, err := node.SetQuota(ctx, args[0], to)
			if err != nil {
				return err
			}
			return c.printQuota(q)
		}),
	}
	quotaOf(cmd, &to.QuotaOf)
	cmd.Flags().StringVar(&to.Reason, "reason", "", "why, which the person concerned reads")
	cmd.Flags().StringVar(&until, "until", "", "when it ends by itself, such as 2027-01-31 (default: when it is cleared)")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c quotaCommands) clear() *cobra.Command {
	var whose client.QuotaOf
	cmd := &cobra.Command{
		Use: "clear QUOTA", Short: "Take back what was set of a quota", Args: cobra.ExactArgs(1),
		Long: `Takes back what agora quotas set did, for operators: what is set for all alike, what
agora serve --quota says, or the default holds again.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.ClearQuota(ctx, args[0], whose)
			if err != nil {
				return err
			}
			return c.printQuota(q)
		}),
	}
	quotaOf(cmd, &whose)
	return cmd
}

// quotaOf gives a command the flags that say whose quota is meant.
func quotaOf(cmd *cobra.Command, whose *client.QuotaOf) {
	cmd.Flags().StringVar(&whose.User, "user", "", "of one person")
	cmd.Flags().StringVar(&whose.Group, "group", "", "of one group")
	cmd.Flags().StringVar(&whose.App, "app", "", "of one app")
	cmd.MarkFlagsMutuallyExclusive("user", "group", "app")
}

func (c quotaCommands) printQuota(q client.Quota) error {
	return c.print(q, func(w io.Writer) error {
		of := cmp.Or(q.GroupName, q.Of, map[string]string{"node": "the node"}[q.Per], "every "+q.Per)
		_, err := fmt.Fprintf(w, "The quota %s of %s is %s now", q.Name, of, quotaAmount(q, q.Limit))
		if err == nil && q.Of != "" {
			_, err = fmt.Fprintf(w, ", of which %s is used", quotaAmount(q, q.Used))
		}
		if err == nil {
			_, err = fmt.Fprintln(w, ".")
		}
		return err
	})
}

func quotaAmount(q client.Quota, n int64) string {
	if n == control.NoLimit {
		return "no limit"
	}
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
