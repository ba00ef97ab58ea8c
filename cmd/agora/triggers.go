package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

func (c *cli) triggersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "triggers APP", Short: "List what calls an app besides requests; pause, run, dead letters", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			all, err := node.Triggers(ctx, args[0])
			if err != nil {
				return err
			}
			about, err := node.Info(ctx)
			if err != nil {
				return err
			}
			if about.TriggersPaused {
				fmt.Fprintln(c.err, "Triggers are paused on this node: nothing is delivered until it is started without --pause-triggers.")
			}
			return c.print(all, func(w io.Writer) error { return showTriggers(w, args[0], all) })
		}),
	}
	cmd.AddCommand(c.pauseCommand("pause", true), c.pauseCommand("resume", false), c.runCommand(),
		c.limited(c.deadCommand()), c.showLetterCommand(), c.redeliverCommand(), c.dropCommand())
	return cmd
}

func showTriggers(w io.Writer, app string, all []client.Trigger) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "Only requests call this app. Triggers are declared in agora.toml: see docs/manifest.md.")
		return err
	}
	var rows [][]string
	var notes []string
	dead := 0
	for _, t := range all {
		dead += t.Dead
		rows = append(rows, []string{
			string(t.Kind), t.Name, triggerState(t), orDash(whenOrNot(t)), orDash(t.Outcome),
			fmt.Sprint(t.Done), fmt.Sprint(t.Failed), fmt.Sprint(t.Queued + t.Running), fmt.Sprint(t.Dead),
		})
		if t.Waits != "" {
			notes = append(notes, fmt.Sprintf("%s is not active yet: %s", t.Name, t.Waits))
		}
		if t.Paused && t.Reason != "" {
			notes = append(notes, fmt.Sprintf("%s was paused by %s: %s", t.Name, t.PausedBy, t.Reason))
		}
		if t.Skipped > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d skipped, because the run before was not over", t.Name, t.Skipped))
		}
		if t.Missed > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d missed, because the node could not run it on time", t.Name, t.Missed))
		}
	}
	if dead > 0 {
		notes = append(notes, fmt.Sprintf("agora triggers dead %s lists the dead letters", app))
	}
	if err := table(w, "KIND NAME STATE NEXT LAST DONE FAILED WAITING DEAD", rows); err != nil {
		return err
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(w, printable(note)); err != nil {
			return err
		}
	}
	return nil
}

func triggerState(t client.Trigger) string {
	switch {
	case t.Paused:
		return "paused"
	case t.Waits != "":
		return "not active yet"
	case !t.Live:
		return "not in the release that serves"
	case t.Running > 0:
		return "running"
	}
	return "ready"
}

func whenOrNot(t client.Trigger) string {
	if t.Next.IsZero() {
		return ""
	}
	return t.Next.Local().Format("Mon 2 Jan 15:04 MST") // the schedule may be in another zone
}

func (c *cli) pauseCommand(verb string, paused bool) *cobra.Command {
	var reason string
	about := "Let it call the app again"
	if paused {
		about = "Keep it from calling the app; what comes meanwhile waits"
	}
	cmd := &cobra.Command{
		Use: verb + " APP KIND NAME", Short: about, Args: cobra.ExactArgs(3),
		Example: "  agora triggers " + verb + " expenses cron nightly\n  agora triggers " + verb + " desk event shop/orders.created",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			switch abi.TriggerKind(args[1]) {
			case abi.TriggerCron, abi.TriggerWebhook, abi.TriggerEvent:
			default:
				return usageError("%q is no kind of trigger: cron, webhook or event; agora triggers %s lists them", args[1], args[0])
			}
			t, err := node.PauseTrigger(ctx, args[0], abi.TriggerKind(args[1]), args[2], paused, reason)
			if err != nil {
				return err
			}
			return c.print(t, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s %s of %s is %s.\n", t.Kind, t.Name, t.App, triggerState(t))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; others will read it later")
	return cmd
}

func (c *cli) runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run APP NAME", Short: "Run a cron trigger now", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			run, err := node.RunTrigger(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(run, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Begun: %s. See what became of it with agora triggers %s and agora logs %s.\n", run.ID, args[0], args[0])
				return err
			})
		}),
	}
}

func (c *cli) deadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dead APP", Short: "List events and webhooks that the app could not be brought to take", Args: cobra.ExactArgs(1),
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

// withLetter runs a command about one dead letter.
func (c *cli) withLetter(do func(ctx context.Context, node *client.Client, app string, seq uint64) error) func(*cobra.Command, []string) error {
	return c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
		seq, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return usageError("%q is no number of a dead letter: agora triggers dead %s lists them", args[1], args[0])
		}
		return do(ctx, node, args[0], seq)
	})
}

func (c *cli) showLetterCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show APP LETTER", Short: "Show a dead letter with its body", Args: cobra.ExactArgs(2),
		RunE: c.withLetter(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
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
			return &exitError{exitNotFound, fmt.Errorf("%s has no dead letter %d: agora triggers dead %s lists them", app, seq, app)}
		}),
	}
}

func (c *cli) redeliverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver APP LETTER", Short: "Deliver a dead letter again", Args: cobra.ExactArgs(2),
		RunE: c.withLetter(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
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

func (c *cli) dropCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop APP LETTER", Short: "Forget a dead letter", Args: cobra.ExactArgs(2),
		RunE: c.withLetter(func(ctx context.Context, node *client.Client, app string, seq uint64) error {
			if err := c.confirmed(yes, strconv.FormatUint(seq, 10), fmt.Sprintf("Dead letter %d of %s will be gone for good.", seq, app)); err != nil {
				return err
			}
			if err := node.DropDeadLetter(ctx, app, seq); err != nil {
				return err
			}
			return c.print(map[string]any{"app": app, "dropped": seq}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Forgotten: dead letter %d of %s.\n", seq, app)
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "forget it without a question")
	return cmd
}
