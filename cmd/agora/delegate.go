package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// delegateCommands are the commands about who decides in a reviewer's place.
type delegateCommands struct{ *session }

func (c delegateCommands) command() *cobra.Command {
	return noun("delegate", "Say who decides in your place while you are away", c.to(), c.away(), c.limited(c.list()), c.end())
}

func (c delegateCommands) to() *cobra.Command {
	var n client.NewDelegation
	var from, until string
	cmd := &cobra.Command{
		Use: "to USER", Short: "Let another reviewer decide in your place", Args: cobra.ExactArgs(1),
		Long: `Has another reviewer decide, from a time until another, what you may decide by your own
roles: all of it or, with --concern, some. They vote as themselves, and each vote says in
whose place it is. Neither of you may be the requester or an owner of the app, and the two
of you count as one. It ends at its time, when you end it, and when one of you leaves or is
no reviewer any more; votes that were cast by it in open requests do not count any more then.

A date is a whole day of your time zone: until 2026-12-03 is until the end of that day.`,
		Example: "  agora delegate to rex@example.com --until 2026-12-03 --reason 'on leave'\n  agora delegate to rex@example.com --from 2026-12-20 --until 2027-01-02 --concern security --reason holidays",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) (err error) {
			n.To = args[0]
			if n.From, err = whole("from", from, 0); err != nil {
				return err
			}
			if n.Until, err = whole("until", until, 1); err != nil {
				return err
			}
			d, err := node.Delegate(ctx, n)
			if err != nil {
				return err
			}
			return c.print(d, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s decides in your place from %s until %s. `agora delegate end %s` ends it.\n", d.To, when(d.From), when(d.Until), d.ID)
				return err
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "a date, or a time as 2026-12-01T06:00Z (default now)")
	f.StringVar(&until, "until", "", "likewise, at most 90 days later; needed")
	f.StringSliceVar(&n.Concerns, "concern", nil, "as a reviewer of this concern alone: security, privacy, finance or platform; may be repeated")
	f.StringVar(&n.Reason, "reason", "", "why, for those who read the votes later; needed")
	return cmd
}

func (c delegateCommands) away() *cobra.Command {
	var n client.NewDelegation
	var from, until string
	cmd := &cobra.Command{
		Use: "away", Short: "Say that you are away, and that nobody decides in your place", Args: cobra.NoArgs,
		Long: `Says that you are away from a time until another. Requests about which you could vote
show it then, so that nobody waits for you. It changes nothing about who may vote, you
included, and ends by itself or with agora delegate end. Name another reviewer with
agora delegate to, if one should decide in your place.

A date is a whole day of your time zone: until 2026-12-03 is until the end of that day.`,
		Example: "  agora delegate away --until 2026-12-03\n  agora delegate away --from 2026-12-20 --until 2027-01-02 --reason holidays",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) (err error) {
			if n.From, err = whole("from", from, 0); err != nil {
				return err
			}
			if n.Until, err = whole("until", until, 1); err != nil {
				return err
			}
			d, err := node.Delegate(ctx, n)
			if err != nil {
				return err
			}
			return c.print(d, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "You are away from %s until %s. `agora delegate end %s` ends it.\n", when(d.From), when(d.Until), d.ID)
				return err
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "a date, or a time as 2026-12-01T06:00Z (default now)")
	f.StringVar(&until, "until", "", "likewise, at most 90 days later; needed")
	f.StringVar(&n.Reason, "reason", "", "why, which your list and the feed say, and requests do not")
	return cmd
}

// whole reads a time, or a date and so many days after its beginning.
func whole(flag, text string, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	t, err := time.ParseInLocation("2006-01-02", text, time.Local)
	if err != nil {
		return t, usageError("--%s is a date such as 2026-12-01, or a time with its zone such as 2026-12-01T06:00Z, not %q", flag, text)
	}
	return t.AddDate(0, 0, days), nil
}

func (c delegateCommands) list() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "list", Short: "List who decides in your place, and in whose place you do", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Delegations(ctx, user)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, d := range all {
					holds := "now"
					if !d.Holds {
						holds = "no: " + d.Why
					}
					rows = append(rows, []string{d.ID, cmp.Or(d.To, "nobody"), d.By, orDash(strings.Join(d.Concerns, " ")), when(d.From), when(d.Until), holds, d.Reason})
				}
				return table(w, "DELEGATION WHO IN-PLACE-OF CONCERNS FROM UNTIL HOLDS REASON", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "of whom (default you; for auditors and operators)")
	return cmd
}

func (c delegateCommands) end() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "end DELEGATION", Short: "Revoke a delegation before its time", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.EndDelegation(ctx, user, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"ended": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s has ended. If another decided by it, votes that were cast so in open requests do not count any more.\n", args[0])
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "whose it is (default yours; for operators)")
	return cmd
}

func completeDelegations(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Delegations(ctx, "")
	var names []cobra.Completion
	for _, d := range all {
		names = append(names, cobra.CompletionWithDesc(d.ID, d.To+" for "+d.By))
	}
	return names, err
}
