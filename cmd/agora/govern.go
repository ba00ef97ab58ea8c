package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

func (c *cli) requestsCommand() *cobra.Command {
	var status, app string
	cmd := &cobra.Command{
		Use: "requests", Short: "List what waits for a decision; approve, reject, withdraw", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			asked := status
			if asked == "all" {
				asked = ""
			}
			all, err := node.Requests(ctx, asked, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nothing here.")
					return err
				}
				var rows [][]string
				for _, q := range all {
					rows = append(rows, []string{q.ID, q.Status, q.App, fmt.Sprint(q.Release), what(q), q.By, when(q.Created)})
				}
				return table(w, "REQUEST STATUS APP RELEASE ASKS-FOR BY SINCE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&status, "status", "open", "open, approved, rejected, withdrawn or all")
	cmd.Flags().StringVar(&app, "app", "", "only this app")
	cmd.AddCommand(c.showRequestCommand(), c.decideCommand("approve", true), c.decideCommand("reject", false), c.withdrawCommand())
	return cmd
}

func what(q client.Request) string {
	if q.Kind == "promotion" {
		return "to enter " + string(q.Tier)
	}
	text := q.Capability + " in " + string(q.Tier)
	for _, k := range slices.Sorted(maps.Keys(q.Params)) {
		text += fmt.Sprintf(" (%s %s)", k, humanize.Param(k, q.Params[k]))
	}
	return text
}

func (c *cli) showRequestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one request with what the rules said", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Request(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				rows := [][]string{
					{"request", q.ID}, {"status", q.Status}, {"app", fmt.Sprintf("%s release %d", q.App, q.Release)}, {"asks for", what(q)},
					{"asked by", q.By + ", " + when(q.Created)}, {"owner", q.Owner}, {"reason", orDash(q.Reason)}, {"module", q.Digest},
				}
				if d := q.Decision; d != nil {
					rows = append(rows, []string{"decided by", d.By + ", " + when(d.At)}, []string{"because", orDash(d.Reason)})
				}
				for _, f := range q.Findings {
					rows = append(rows, []string{string(f.Severity), f.Message})
				}
				return table(w, "", rows)
			})
		}),
	}
}

func (c *cli) decideCommand(verb string, approve bool) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb + " ID", Short: strings.ToUpper(verb[:1]) + verb[1:] + " a request of somebody else", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Decide(ctx, args[0], approve, reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is %s: %s, %s.\n", q.ID, q.Status, q.App, what(q))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; needed to reject")
	return cmd
}

func (c *cli) withdrawCommand() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ID", Short: "Take your own request back", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Withdraw(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is taken back.\n", q.ID)
				return err
			})
		}),
	}
}

func (c *cli) grantsCommand() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use: "grants", Short: "List what apps may touch; shrink, revoke", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Grants(ctx, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nothing was granted yet.")
					return err
				}
				var rows [][]string
				for _, g := range all {
					state := "holds"
					if !g.Revoked.IsZero() {
						state = "revoked"
					}
					rows = append(rows, []string{g.ID, g.App, g.Capability, string(g.Tier), state, g.By, when(g.Created)})
				}
				return table(w, "GRANT APP CAPABILITY UP-TO STATE BY SINCE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&app, "app", "", "only this app")
	var reason string
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "End a grant at once", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, err := node.RevokeGrant(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(g, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s may no longer use %s.\n", g.App, g.Capability)
				return err
			})
		}),
	}
	revoke.Flags().StringVar(&reason, "reason", "", "why")
	_ = revoke.MarkFlagRequired("reason")
	shrink := &cobra.Command{
		Use: "shrink ID", Short: "Take off a grant, at once, what its app has not used", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, err := node.ShrinkGrant(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(g, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s may now use %s with %s. More has to be asked for again.\n", g.App, g.Capability, params(g.Params))
				return err
			})
		}),
	}
	cmd.AddCommand(revoke, shrink)
	return cmd
}

func (c *cli) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Ask the rules ahead of an upload, or read them", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var tier string
	check := &cobra.Command{
		Use: "check MANIFEST [MODULE]", Short: "What would the rules say?", Args: cobra.RangeArgs(1, 2),
		Long: "Asks the rules about a manifest, and about a module if one is named. Exit status 3 if they would refuse.",
		RunE: func(cmd *cobra.Command, args []string) error {
			manifest, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var module []byte
			if len(args) == 2 {
				if module, err = os.ReadFile(args[1]); err != nil {
					return err
				}
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			findings, err := node.CheckPolicy(cmd.Context(), manifest, module, tier)
			if err != nil {
				return err
			}
			return c.verdict(findings, tier)
		},
	}
	check.Flags().StringVar(&tier, "tier", "sandbox", "sandbox, pilot or production")
	show := &cobra.Command{
		Use: "show", Short: "Print the rules in force", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			rules, err := node.Rules(ctx)
			if err != nil {
				return err
			}
			return c.print(rules, func(w io.Writer) error {
				for _, name := range slices.Sorted(maps.Keys(rules)) {
					if _, err := fmt.Fprintf(w, "# --- %s\n%s\n", name, rules[name]); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	cmd.AddCommand(check, show)
	return cmd
}

// verdict prints findings and says by the exit status whether they refuse.
func (c *cli) verdict(findings []abi.Finding, tier string) error {
	worst := "pass"
	for _, f := range findings {
		switch {
		case f.Severity == abi.SeverityDeny:
			worst = "refuse"
		case f.Severity == abi.SeverityReview && worst == "pass":
			worst = "review"
		}
	}
	err := c.print(findings, func(w io.Writer) error {
		text := map[string]string{
			"pass": "The rules let it into the %s tier.\n", "review": "The rules let it into the %s tier once a reviewer has decided:\n", "refuse": "The rules refuse it in the %s tier:\n",
		}[worst]
		_, err := fmt.Fprintf(w, text, tier)
		return err
	})
	if err != nil {
		return err
	}
	if c.output != "json" {
		c.printFindings(findings)
	}
	if worst == "refuse" {
		return &exitError{exitRefused, errSilent}
	}
	return nil
}
