package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// deadLetterCommands are the commands about what an app could not be brought to take.
type deadLetterCommands struct{ *session }

func (c deadLetterCommands) command() *cobra.Command {
	return noun("dead-letters", "List dead letters; deliver one again or delete it", c.limited(c.list()),
		c.show(), c.redeliver(), c.delete())
}

func (c deadLetterCommands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list APP", Short: "List events and webhooks whose deliveries to the app failed", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			all, err := node.DeadLetters(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "There are no dead letters.")
					return err
				}
				var rows [][]string
				for _, d := range all {
					rows = append(rows, []string{fmt.Sprint(d.Seq), string(d.Kind), d.Name, fmt.Sprint(d.Attempts), when(d.Dead), d.Error})
				}
				return table(w, "LETTER KIND NAME ATTEMPTS SINCE ERROR", rows)
			})
		}),
	}
}

// about runs a command about one dead letter.
func (c deadLetterCommands) about(do func(ctx context.Context, node *client.Client, app string, seq uint64) error) func(*cobra.Command, []string) error {
	return c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
		seq, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return usageError("%q is no number of a dead letter: agora dead-letters list %s lists them", args[1], args[0])
		}
		return do(ctx, node, args[0], seq)
	})
}

func (c deadLetterCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show APP LETTER", Short: "Show a dead letter with its body", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
			all, err := node.DeadLetters(ctx, app)
			if err != nil {
				return err
			}
			for _, d := range all {
				if d.Seq != seq {
					continue
				}
				return c.print(d, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s %s, event %s, from %s, %s\nattempts: %d, the last: %s\n\n%s\n",
						d.Kind, d.Name, d.ID, d.From, when(d.At), d.Attempts, printable(d.Error), printableLines(string(d.Body)))
					return err
				})
			}
			return &exitError{exitNotFound, fmt.Errorf("%s has no dead letter %d: agora dead-letters list %s lists them", app, seq, app)}
		}),
	}
}

func (c deadLetterCommands) redeliver() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver APP LETTER", Short: "Deliver a dead letter again", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
			d, err := node.Redeliver(ctx, app, seq)
			if err != nil {
				return err
			}
			return c.print(d, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is on its way to %s again.\n", d.ID, app)
				return err
			})
		}),
	}
}

func (c deadLetterCommands) delete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete APP LETTER", Short: "Delete a dead letter", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
			if err := c.confirmed(yes, strconv.FormatUint(seq, 10), fmt.Sprintf("Dead letter %d of %s will be gone for good.", seq, app)); err != nil {
				return err
			}
			if err := node.DeleteDeadLetter(ctx, app, seq); err != nil {
				return err
			}
			return c.print(map[string]any{"app": app, "deleted": seq}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Deleted: dead letter %d of %s.\n", seq, app)
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete it without a question")
	return cmd
}
