package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// noticeCommands are the commands about what a person is told.
type noticeCommands struct{ *session }

func (c noticeCommands) command() *cobra.Command {
	return noun("notices", "Read what you are told, and choose how", c.limited(c.list()), c.show(), c.mark(), c.choose())
}

func (c noticeCommands) list() *cobra.Command {
	var unread bool
	cmd := &cobra.Command{
		Use: "list", Short: "List what you are told, the newest first", Args: cobra.NoArgs,
		Long: `Lists your notices, the newest first: what happened that concerns you. The first column
marks those that you have not read.`,
		Example: "  agora notices list --unread\n  agora notices list -o json",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Notices(ctx, unread)
			if err != nil {
				return err
			}
			if all == nil {
				all = []client.Notice{}
			}
			return c.print(all, func(w io.Writer) error { return showNotices(w, all, unread) })
		}),
	}
	cmd.Flags().BoolVar(&unread, "unread", false, "only those that you have not read")
	return cmd
}

func showNotices(w io.Writer, all []client.Notice, unread bool) error {
	if len(all) == 0 {
		text := "There is nothing yet."
		if unread {
			text = "You have read everything."
		}
		_, err := fmt.Fprintln(w, text)
		return err
	}
	var rows [][]string
	for _, n := range all {
		mark := " "
		if n.Read.IsZero() {
			mark = "*"
		}
		rows = append(rows, []string{mark, n.ID, when(n.At), n.Text})
	}
	return table(w, "NEW NOTICE WHEN WHAT", rows)
}

func (c noticeCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show NOTICE", Short: "Show a notice, what to do and where", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			n, err := node.Notice(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(n, func(w io.Writer) error {
				read := "not yet"
				if !n.Read.IsZero() {
					read = when(n.Read)
				}
				return table(w, "", [][]string{{"what", n.Text}, {"to do", n.Todo}, {"where", n.URL}, {"when", when(n.At)}, {"by", n.By}, {"app", orDash(n.App)}, {"event", fmt.Sprintf("%s in change %d", n.Kind, n.Rev)}, {"read", read}})
			})
		}),
	}
}

func (c noticeCommands) mark() *cobra.Command {
	var all, unread bool
	cmd := &cobra.Command{
		Use: "mark [NOTICE…]", Short: "Mark notices as read", Args: cobra.ArbitraryArgs,
		Example: "  agora notices mark --all\n  agora notices mark n00000000000000a1-0000 --unread",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if all == (len(args) > 0) {
				return usageError("name the notices to mark, or give --all: agora notices list lists them")
			}
			left, err := node.MarkNotices(ctx, !unread, args...)
			if err != nil {
				return err
			}
			return c.print(map[string]int{"unread": left}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "You have not read %d.\n", left)
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all notices")
	cmd.Flags().BoolVar(&unread, "unread", false, "mark them as not read")
	return cmd
}

func (c noticeCommands) choose() *cobra.Command {
	var choice client.NoticeChoice
	cmd := &cobra.Command{
		Use: "choose", Short: "Choose how you are told", Args: cobra.NoArgs,
		Long: `Chooses how you are told of what concerns you, beside the inbox, which has everything.
What is left out stays as it is; without flags it shows what you chose. An empty value
ends quiet hours. A mail tells of nothing that you have read by then.`,
		Example: "  agora notices choose --mail daily --daily 08:30 --zone Europe/Berlin\n  agora notices choose --quiet-from 22:00 --quiet-to 07:00",
	}
	flags := cmd.Flags()
	flags.StringVar(&choice.Mail, "mail", "", "when mail comes: at-once, daily or off")
	flags.StringVar(&choice.Zone, "zone", "", "time zone of the times, such as Europe/Berlin")
	flags.StringVar(&choice.Daily, "daily", "", "time of day at which the daily mail comes")
	flags.StringVar(&choice.QuietFrom, "quiet-from", "", "time of day from which no mail comes")
	flags.StringVar(&choice.QuietTo, "quiet-to", "", "time of day until which none comes")
	cmd.RunE = c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
		is, err := node.NoticeSettings(ctx)
		if err != nil {
			return err
		}
		changed := false
		for name, set := range map[string]struct{ to, from *string }{
			"mail": {&is.Mail, &choice.Mail}, "zone": {&is.Zone, &choice.Zone}, "daily": {&is.Daily, &choice.Daily},
			"quiet-from": {&is.QuietFrom, &choice.QuietFrom}, "quiet-to": {&is.QuietTo, &choice.QuietTo},
		} {
			if flags.Changed(name) {
				*set.to, changed = *set.from, true
			}
		}
		if changed {
			if is, err = node.ChooseNotices(ctx, is.NoticeChoice); err != nil {
				return err
			}
		}
		return c.print(is, func(w io.Writer) error { return showChoice(w, is) })
	})
	return cmd
}

func showChoice(w io.Writer, is client.NoticeSettings) error {
	mail := is.Mail
	if !is.Sends {
		mail += "; this node sends no mail, the inbox has everything"
	}
	quiet := "none"
	if is.QuietFrom != "" {
		quiet = is.QuietFrom + " to " + is.QuietTo
	}
	return table(w, "", [][]string{{"mail", mail}, {"to", is.Address}, {"daily mail at", is.Daily}, {"quiet hours", quiet}, {"time zone", is.Zone}})
}
