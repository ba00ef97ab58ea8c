package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// exemptionCommands are the commands about exemptions from rules.
type exemptionCommands struct{ *session }

func (c exemptionCommands) command() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use: "list", Short: "List the exemptions that hold", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Exemptions(ctx, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "No app is exempted from a rule.")
					return err
				}
				var rows [][]string
				for _, q := range all {
					reaches := "the app"
					if q.Exemption.Bound {
						reaches = fmt.Sprintf("release %d", q.Release)
					}
					rows = append(rows, []string{q.ID, q.App, q.Exemption.Code, string(q.Tier), reaches, q.Exemption.Until.Format(time.DateOnly), q.By, q.Decision.By, q.Exemption.Control})
				}
				return table(w, "REQUEST APP RULE TIER FOR UNTIL ASKED-BY APPROVED-BY INSTEAD", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&app, "app", "", "those of this app")
	return noun("exemptions", "List exemptions from rules; ask for one, or revoke one", c.limited(cmd), c.ask(), c.revoke())
}

func (c exemptionCommands) ask() *cobra.Command {
	var in client.ExemptionAsk
	cmd := &cobra.Command{
		Use: "ask APP", Short: "Ask that a rule refuses an app nothing for a time", Args: cobra.ExactArgs(1),
		Long: `Asks that a finding that refuses an app in a tier refuses nothing for a time. Say
why it cannot be done as the rule asks, and what is done instead. A reviewer of
the concern that the policy names for the rule decides, and none of the app's
owners. The finding stays where it is shown, marked with the exemption. The
policy says from which rules apps are exempted, and for how long at most.`,
		Example: `  agora exemptions ask shop --tier pilot --code limits.exceeded --until 2030-01-31 \
    --reason "the report of the year takes more" --control "one call at a time, watched by the team"`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.AskExemption(ctx, args[0], in)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: asked. A reviewer of %s decides.\n", q.ID, q.Stages[0].Concern)
				return err
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&in.Tier, "tier", "", "sandbox, pilot or production")
	f.StringVar(&in.Code, "code", "", "the rule, as its finding names it")
	f.StringVar(&in.Reason, "reason", "", "why it cannot be done as the rule asks")
	f.StringVar(&in.Control, "control", "", "what is done instead")
	f.StringVar(&in.Until, "until", "", "the date of its end, such as 2030-01-31")
	f.IntVar(&in.Release, "release", 0, "the release that is looked at (default the newest)")
	f.BoolVar(&in.Bound, "bound", false, "exempt that release alone, and not the app")
	for _, name := range []string{"tier", "code", "reason", "control", "until"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

func (c exemptionCommands) revoke() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Revoke an exemption at once", Args: cobra.ExactArgs(1),
		Long: `Revokes an exemption, by the id of its request. What serves goes on serving; the
next time that the policy is asked, the rule refuses again.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.RevokeExemption(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Revoked. The rule %s applies to %s in the %s tier again.\n", q.Exemption.Code, q.App, q.Tier)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the app's owners read it")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// exemptionRows say what an exemption is about.
func exemptionRows(q client.Request) (rows [][]string) {
	e := q.Exemption
	if e == nil {
		return nil
	}
	rows = [][]string{{"exempted from", e.Code}, {"until", when(e.Until)}, {"instead", e.Control}}
	if !e.Revoked.IsZero() {
		rows = append(rows, []string{"revoked by", e.RevokedBy + ", " + when(e.Revoked) + ": " + e.RevokedFor})
	}
	return rows
}
