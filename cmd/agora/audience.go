package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// audienceCommands are the commands about who may open apps.
type audienceCommands struct{ *session }

func (c audienceCommands) command() *cobra.Command {
	return noun("audience", "Say who may open an app, and decide who is let in", c.show(), c.set(), c.requests(), c.ask(), c.answer("grant", true), c.answer("refuse", false))
}

func (c audienceCommands) show() *cobra.Command {
	var tier string
	cmd := &cobra.Command{
		Use: "show APP", Short: "Show who may open an app, by tier", Args: cobra.ExactArgs(1),
		Example: "  agora audience show expenses\n  agora audience show expenses --tier pilot",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if tier != "" {
				a, err := node.Audience(ctx, args[0], abi.Tier(tier))
				if err != nil {
					return err
				}
				return c.print(a, func(w io.Writer) error { return audienceTable(w, []client.Audience{a}) })
			}
			all, err := node.Audiences(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error { return audienceTable(w, all) })
		}),
	}
	cmd.Flags().StringVar(&tier, "tier", "", "one tier: sandbox, pilot or production (default: all)")
	return cmd
}

func audienceTable(w io.Writer, all []client.Audience) error {
	var rows [][]string
	for _, a := range all {
		set := "by default"
		if a.Set {
			set = "set by " + orDash(a.By)
		}
		if a.Waiting != "" {
			set += "; " + a.Waiting + " asks to open it to everybody"
		}
		rows = append(rows, []string{string(a.Tier), a.Kind, orDash(strings.Join(slices.Concat(a.People, a.GroupNames), " ")), set})
	}
	return table(w, "TIER AUDIENCE NAMED SINCE", rows)
}

// tierFlag adds the flag that names one tier.
func tierFlag(cmd *cobra.Command, tier *string) *cobra.Command {
	cmd.Flags().StringVar(tier, "tier", "", "the tier: sandbox, pilot or production")
	return cmd
}

func (c audienceCommands) set() *cobra.Command {
	var tier, reason string
	var people, groups []string
	cmd := tierFlag(&cobra.Command{
		Use: "set APP KIND", Short: "Say who may open a tier of an app", Args: cobra.ExactArgs(2),
		Long: `Says who may open a tier of an app. The kinds are owner (you), people (those whom
you name, and the members of groups), organisation (everyone who is signed in) and
public (everybody who reaches the address, without a sign-in). Reviewers may open
the sandbox and the pilot, too. It holds at once, for people who have the app open
as well; only public takes a reviewer's approval first.`,
		Example: "  agora audience set expenses people --tier pilot --person bob@example.com\n  agora audience set expenses organisation --tier production\n  agora audience set expenses public --tier production --reason \"our opening hours\"",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if tier == "" {
				return usageError("say which tier it is about, with --tier sandbox, pilot or production")
			}
			a, err := node.SetAudience(ctx, client.Audience{App: args[0], Tier: abi.Tier(tier), Kind: args[1], People: people, Groups: groups}, reason)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error {
				if a.Waiting != "" {
					_, err := fmt.Fprintf(w, "%s asks a reviewer to open the %s tier of %s to everybody. Until then it is for: %s.\n", a.Waiting, a.Tier, a.App, a.Kind)
					return err
				}
				_, err := fmt.Fprintf(w, "The %s tier of %s is for: %s.\n", a.Tier, a.App, strings.TrimSpace(a.Kind+" "+strings.Join(slices.Concat(a.People, a.GroupNames), " ")))
				return err
			})
		}),
	}, &tier)
	f := cmd.Flags()
	f.StringSliceVar(&people, "person", nil, "a user who may open it, for the kind people (repeat for more)")
	f.StringSliceVar(&groups, "group", nil, "a group whose members may open it, for the kind people (repeat for more)")
	f.StringVar(&reason, "reason", "", "why, for the reviewer of the kind public")
	return cmd
}

func (c audienceCommands) requests() *cobra.Command {
	return &cobra.Command{
		Use: "requests APP", Short: "List who asked for access to an app", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			all, err := node.AccessRequests(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nobody has asked for access.")
					return err
				}
				var rows [][]string
				for _, q := range all {
					rows = append(rows, []string{q.Person, string(q.Tier), q.Status, when(q.At), orDash(q.By)})
				}
				return table(w, "PERSON TIER STATUS ASKED DECIDED-BY", rows)
			})
		}),
	}
}

func (c audienceCommands) ask() *cobra.Command {
	var tier string
	cmd := &cobra.Command{
		Use: "ask APP", Short: "Ask the owner of an app for access", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.AskAccess(ctx, args[0], abi.Tier(tier))
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "You asked for access to the %s tier of %s. Its owner decides.\n", q.Tier, q.App)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&tier, "tier", "", "the tier: sandbox, pilot or production (default: the highest that serves)")
	return cmd
}

func (c audienceCommands) answer(verb string, grant bool) *cobra.Command {
	var tier, reason string
	short := "Let a person who asked into a tier of an app"
	if !grant {
		short = "Refuse a person who asked for access to an app"
	}
	cmd := tierFlag(&cobra.Command{
		Use: verb + " APP USER", Short: short, Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if tier == "" {
				return usageError("say which tier it is about, with --tier sandbox, pilot or production")
			}
			q, err := node.AnswerAccess(ctx, args[0], abi.Tier(tier), args[1], grant, reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The request of %s for the %s tier of %s is %s.\n", q.Person, q.Tier, q.App, q.Status)
				return err
			})
		}),
	}, &tier)
	cmd.Flags().StringVar(&reason, "reason", "", "why; the person reads it")
	return cmd
}
