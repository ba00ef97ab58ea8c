package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// triggerCommands are the commands about what calls an app besides requests.
type triggerCommands struct{ *session }

func (c triggerCommands) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list APP", Short: "List what calls an app besides requests", Args: cobra.ExactArgs(1),
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
	return noun("triggers", "List an app's triggers; pause, resume or run one", c.limited(cmd),
		c.pause("pause", true), c.pause("resume", false), c.run())
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
		notes = append(notes, fmt.Sprintf("agora dead-letters list %s lists the dead letters", app))
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

func (c triggerCommands) pause(verb string, paused bool) *cobra.Command {
	var reason string
	about := "Let it call the app again"
	if paused {
		about = "Keep it from calling the app; what comes meanwhile waits"
	}
	cmd := &cobra.Command{
		Use: verb + " APP KIND NAME", Short: about, Args: cobra.ExactArgs(3),
		Example: "  agora triggers list " + verb + " expenses cron nightly\n  agora triggers list " + verb + " desk event shop/orders.created",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			switch abi.TriggerKind(args[1]) {
			case abi.TriggerCron, abi.TriggerWebhook, abi.TriggerEvent:
			default:
				return usageError("%q is no kind of trigger: cron, webhook or event; agora triggers list %s lists them", args[1], args[0])
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

func (c triggerCommands) run() *cobra.Command {
	return &cobra.Command{
		Use: "run APP NAME", Short: "Run a cron trigger now", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			run, err := node.RunTrigger(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(run, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Begun: %s. See what became of it with agora triggers list %s and agora logs %s.\n", run.ID, args[0], args[0])
				return err
			})
		}),
	}
}
