package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// provisioningCommands are the commands about who tells who there is.
type provisioningCommands struct{ *session }

func (c provisioningCommands) command() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the providers that tell who there is", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Provisionings(ctx)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, p := range all {
					rows = append(rows, []string{p.Provider, strconv.FormatInt(p.People, 10), strconv.FormatInt(p.Inactive, 10), strconv.Itoa(len(p.Conflicts)), when(p.Used), when(p.Changed)})
				}
				return table(w, "PROVIDER PEOPLE INACTIVE CONFLICTS LAST-CAME LAST-CHANGE", rows)
			})
		}),
	}
	return noun("provisioning", "List who tells who there is; let a directory in", list, c.show(), c.link(), c.dismiss(), c.tokens())
}

func (c provisioningCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show PROVIDER", Short: "Show a provider, with its conflicts and last changes", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			p, err := node.Provisioning(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(p, func(w io.Writer) error { return printProvider(w, p) })
		}),
	}
}

func printProvider(w io.Writer, p client.Provisioning) error {
	fmt.Fprintf(w, "provider     %s\naddress      %s\npeople       %d, of whom %d are not active\ntokens       %d\nlast came    %s\nlast change  %s\n", p.Provider, p.URL, p.People, p.Inactive, p.Tokens, when(p.Used), when(p.Changed))
	if len(p.Conflicts) > 0 {
		fmt.Fprintf(w, "\nPeople who cannot be made here. If one is somebody who is here:\n  agora provisioning link %s USER-NAME PERSON\n\n", p.Provider)
		var rows [][]string
		for _, k := range p.Conflicts {
			rows = append(rows, []string{k.UserName, orDash(k.External), when(k.Last), k.Why})
		}
		if err := table(w, "USER-NAME EXTERNAL-ID LAST WHY", rows); err != nil {
			return err
		}
	}
	if len(p.Changes) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, e := range p.Changes {
		rows = append(rows, []string{when(e.At), e.By(), e.Kind, orDash(e.Subject)})
	}
	return table(w, "WHEN WHO WHAT ABOUT", rows)
}

func (c provisioningCommands) link() *cobra.Command {
	var external string
	cmd := &cobra.Command{
		Use: "link PROVIDER USER-NAME USER", Short: "Say that a provider's person is one who is here", Args: cobra.ExactArgs(3),
		Long:    "Says that a provider's person is one who is here. From then on the provider says whether\nthat person may come in. Without --external the external id is that of the conflict.",
		Example: "  agora provisioning link entra Ada@corp.example ada@example.com",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if external == "" {
				p, err := node.Provisioning(ctx, args[0])
				if err != nil {
					return err
				}
				for _, k := range p.Conflicts {
					if strings.EqualFold(k.UserName, args[1]) {
						external = k.External
					}
				}
			}
			if err := node.LinkPerson(ctx, args[0], args[1], external, args[2]); err != nil {
				return err
			}
			return c.print(map[string]string{"user_name": args[1], "external": external, "person": args[2]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s of %s is %s.\n", args[1], args[0], args[2])
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&external, "external", "", "the provider's external id of the person")
	return cmd
}

func (c provisioningCommands) dismiss() *cobra.Command {
	return &cobra.Command{
		Use: "dismiss PROVIDER USER-NAME", Short: "Forget a conflict until the provider tries again", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DismissConflict(ctx, args[0], args[1]); err != nil {
				return err
			}
			return c.print(map[string]string{"dismissed": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Dismissed.")
				return err
			})
		}),
	}
}

// tokens are the commands about the tokens that let a provider in.
func (c provisioningCommands) tokens() *cobra.Command {
	list := &cobra.Command{
		Use: "list PROVIDER", Short: "List the tokens of a provider", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			tokens, err := node.ProvisioningTokens(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(tokens, func(w io.Writer) error {
				var rows [][]string
				for _, t := range tokens {
					rows = append(rows, []string{t.ID, orDash(t.Label), when(t.Created), when(t.Used), when(t.Expires)})
				}
				return table(w, "TOKEN LABEL MADE USED ENDS", rows)
			})
		}),
	}
	var days int
	var label string
	create := &cobra.Command{
		Use: "create PROVIDER", Short: "Let a provider in", Args: cobra.ExactArgs(1),
		Long:    "Makes a token with which a directory such as Entra ID or Okta makes, changes and ends people\nand groups of its own by SCIM, and does nothing else.",
		Example: "  agora provisioning tokens create entra --label production",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			made, err := node.NewProvisioningToken(ctx, args[0], label, days*24)
			if err != nil {
				return err
			}
			return c.print(made, func(w io.Writer) error {
				fmt.Fprintf(c.err, "Give the provider the address %s and this token, shown this once:\n", made.URL)
				_, err := fmt.Fprintln(w, made.Secret)
				return err
			})
		}),
	}
	create.Flags().IntVar(&days, "days", 365, "how long it lives; 0 for ever")
	create.Flags().StringVar(&label, "label", "", "what it is for")
	revoke := &cobra.Command{
		Use: "revoke PROVIDER TOKEN", Short: "Revoke a token of a provider; its people stay", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.RevokeProvisioningToken(ctx, args[0], args[1]); err != nil {
				return err
			}
			return c.print(map[string]string{"revoked": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Revoked.")
				return err
			})
		}),
	}
	return noun("tokens", "List, make and revoke the tokens that let a provider in", list, create, revoke)
}

// peopleCommands are the commands about many people at once.
type peopleCommands struct{ *session }

func (c peopleCommands) command() *cobra.Command {
	var in client.PeopleImport
	var revision string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Show what a file of people changes, or change it", Args: cobra.ExactArgs(1),
		Long: "Shows what a CSV or JSON file of people would add, change and disable, and what of it cannot\n" +
			"be. With --apply it is done, as it was shown and whole; rows with a conflict are left out.\n\n" +
			"A file has a line of column names: user_name or email, and perhaps external_id, display_name,\n" +
			"given_name, family_name, title, department, cost_center, manager, roles, active. What it does not\nsay stays as it is.",
		Example: "  agora people import people.csv\n  agora people import people.csv --complete --apply",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			apply := in.Apply
			in.File, in.Format, in.Apply = string(raw), "csv", false
			if strings.EqualFold(filepath.Ext(args[0]), ".json") {
				in.Format = "json"
			}
			plan, err := node.ImportPeople(ctx, in)
			if err == nil && apply {
				in.Apply, in.Revision = true, cmp.Or(revision, plan.Revision)
				plan, err = node.ImportPeople(ctx, in)
			}
			if err != nil {
				return err
			}
			return c.print(plan, func(w io.Writer) error { return printPlan(w, plan) })
		}),
	}
	cmd.Flags().BoolVar(&in.Apply, "apply", false, "change it")
	cmd.Flags().StringVar(&revision, "revision", "", "that of the preview: what would be changed otherwise by now is refused")
	cmd.Flags().BoolVar(&in.Complete, "complete", false, "disable whoever an earlier file named and this one does not")
	cmd.Flags().StringVar(&in.Provider, "provider", "", "whose external ids the file has (default: the file's own)")
	return noun("people", "Import people from a file", cmd)
}

func printPlan(w io.Writer, plan client.ImportPlan) error {
	var rows [][]string
	for _, r := range plan.Rows {
		line := "-"
		if r.Line > 0 {
			line = strconv.Itoa(r.Line)
		}
		rows = append(rows, []string{line, orDash(r.Name), r.What, strings.Join(r.Changes, "; ") + r.Why})
	}
	if len(rows) > 0 {
		if err := table(w, "LINE WHO WHAT IN-WHAT", rows); err != nil {
			return err
		}
	}
	if len(plan.Ignored) > 0 {
		fmt.Fprintf(w, "Columns that are not kept: %s\n", strings.Join(plan.Ignored, ", "))
	}
	done := "Nothing is changed yet; --apply --revision " + plan.Revision + " does it"
	if plan.Applied {
		done = "Done"
	}
	_, err := fmt.Fprintf(w, "%s: %d added, %d changed, %d disabled, %d as they are, %d conflicts.\n", done, plan.Added, plan.Changed, plan.Disabled, plan.Unchanged, plan.Conflicts)
	return err
}

func completeProviders(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Provisionings(ctx)
	return offer(all, err, func(p client.Provisioning) string { return p.Provider }, func(p client.Provisioning) string { return p.URL })
}

func completeConflicts(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	if len(args) == 0 {
		return nil, nil
	}
	p, err := node.Provisioning(ctx, args[0])
	return offer(p.Conflicts, err, func(k client.Conflict) string { return k.UserName }, func(k client.Conflict) string { return k.Why })
}
