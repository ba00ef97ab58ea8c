package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// serviceAccountCommands are the commands about accounts of machines.
type serviceAccountCommands struct{ *session }

func (c serviceAccountCommands) command() *cobra.Command {
	return noun("service-accounts", "Manage accounts of machines, for which people answer", c.list(), c.show(), c.create(), c.set(), c.delete(), c.tokens())
}

func (c serviceAccountCommands) list() *cobra.Command {
	var f client.ServiceAccountFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List the service accounts that you answer for", Args: cobra.NoArgs,
		Long:    "Lists the service accounts that you answer for; for auditors and operators, all.",
		Example: "  agora service-accounts list\n  agora service-accounts list --orphaned",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.ServiceAccounts(ctx, f)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, a := range all {
					rows = append(rows, []string{a.Name, a.Sponsor, orDash(strings.Join(a.Effective, ",")), fmt.Sprint(a.Tokens), standing(a), orDash(a.Purpose)})
				}
				return listed(w, "NAME SPONSOR ROLES TOKENS STATE FOR", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&f.Sponsor, "sponsor", "", "only those that this person answers for")
	cmd.Flags().BoolVar(&f.Orphaned, "orphaned", false, "only those whose sponsor has left")
	return c.limited(cmd)
}

// standing says in a word whether a service account works.
func standing(a client.ServiceAccount) string {
	switch {
	case a.Orphaned:
		return "sponsor-left"
	case a.Disabled:
		return "disabled"
	}
	return "active"
}

func (c serviceAccountCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show SERVICE", Short: "Show a service account", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			a, err := node.ServiceAccount(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error { return printServiceAccount(w, a) })
		}),
	}
}

func printServiceAccount(w io.Writer, a client.ServiceAccount) error {
	return table(w, "", [][]string{
		{"service account", a.Name}, {"acts as", a.User}, {"sponsor", a.Sponsor}, {"for", orDash(a.Purpose)}, {"state", standing(a)},
		{"roles given", orDash(strings.Join(a.Roles, ", "))}, {"roles now", orDash(strings.Join(a.Effective, ", "))}, {"tokens", fmt.Sprint(a.Tokens)}, {"since", when(a.Created)},
	})
}

func (c serviceAccountCommands) create() *cobra.Command {
	var n client.NewServiceAccount
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make an account for a machine", Args: cobra.ExactArgs(1),
		Long: `Makes an account for a machine, such as a pipeline. You answer for it, or another person
whom an operator names. It works on what its sponsor owns, with those of its roles that
its sponsor has, too; it never decides a request, and ends when its sponsor leaves.`,
		Example: "  agora service-accounts create deploy-hello --role developer --purpose \"publishes hello from main\"",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			n.Name = args[0]
			a, err := node.CreateServiceAccount(ctx, n)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s acts as %s, and %s answers for it. Make a token with `agora service-accounts tokens create %s LABEL`, or write a rule by which the jobs of a CI get theirs (docs/workloads.md).\n", a.Name, a.User, a.Sponsor, a.Name)
				return err
			})
		}),
	}
	cmd.Flags().StringSliceVar(&n.Roles, "role", nil, "a role that its sponsor has; may be repeated")
	cmd.Flags().StringVar(&n.Purpose, "purpose", "", "what it is for")
	cmd.Flags().StringVar(&n.Sponsor, "sponsor", "", "the person who answers for it, for operators (default: you)")
	return cmd
}

func (c serviceAccountCommands) set() *cobra.Command {
	var sponsor, purpose string
	var roles []string
	var disable, enable bool
	cmd := &cobra.Command{
		Use: "set SERVICE", Short: "Set what is named of a service account", Args: cobra.ExactArgs(1),
		Long:    "Sets what is named of a service account. All its tokens end when it is disabled, and when\nan operator names another sponsor.",
		Example: "  agora service-accounts set deploy-hello --disable\n  agora service-accounts set deploy-hello --sponsor bob@example.com",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if disable && enable {
				return usageError("give --disable or --enable, not both")
			}
			var to client.ServiceAccountChange
			if sponsor != "" {
				to.Sponsor = &sponsor
			}
			if purpose != "" {
				to.Purpose = &purpose
			}
			if roles != nil {
				to.Roles = &roles
			}
			if disable || enable {
				to.Disabled = &disable
			}
			if to == (client.ServiceAccountChange{}) {
				return usageError("say what to set: --role, --purpose, --sponsor, --disable or --enable")
			}
			a, err := node.ChangeServiceAccount(ctx, args[0], to)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error { return printServiceAccount(w, a) })
		}),
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "the roles that it has from now on; may be repeated")
	cmd.Flags().StringVar(&purpose, "purpose", "", "what it is for")
	cmd.Flags().StringVar(&sponsor, "sponsor", "", "the person who answers for it from now on, for operators")
	cmd.Flags().BoolVar(&disable, "disable", false, "end all its tokens, and let it in no more")
	cmd.Flags().BoolVar(&enable, "enable", false, "let it in again, with new tokens")
	return cmd
}

func (c serviceAccountCommands) delete() *cobra.Command {
	return &cobra.Command{
		Use: "delete SERVICE", Short: "Delete a service account, and all its tokens", Args: cobra.ExactArgs(1),
		Long: "Deletes a service account, and all its tokens. What it did stays under its name, which no\nother service account is given.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteServiceAccount(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"deleted": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Deleted. All its tokens have ended.")
				return err
			})
		}),
	}
}

// tokens are the commands about the tokens of a service account.
func (c serviceAccountCommands) tokens() *cobra.Command {
	list := &cobra.Command{
		Use: "list SERVICE", Short: "List the tokens of a service account", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			tokens, err := node.ServiceTokens(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(tokens, func(w io.Writer) error {
				var rows [][]string
				for _, t := range tokens {
					rows = append(rows, []string{t.ID, orDash(t.Label), reachOf(t), when(t.Created), when(t.Used), when(t.Expires)})
				}
				return table(w, "TOKEN LABEL MAY MADE USED ENDS", rows)
			})
		}),
	}
	var days int
	var t client.NewToken
	create := &cobra.Command{
		Use: "create SERVICE LABEL", Short: "Make a token of a service account", Args: cobra.ExactArgs(2),
		Long:    "Makes a token of a service account. It may do what its scopes name, the service account\nmay, and you may, too. Without --scope it reads apps, requests and usage.",
		Example: "  agora service-accounts tokens create deploy-hello ci --scope apps:read --scope apps:publish --app hello",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			t.Label, t.Hours = args[1], days*24
			made, err := node.NewServiceToken(ctx, args[0], t)
			if err != nil {
				return err
			}
			return c.printToken(made)
		}),
	}
	create.Flags().IntVar(&days, "days", 90, "how long it lives")
	create.Flags().StringSliceVar(&t.Scopes, "scope", nil, "what it may do; may be repeated")
	create.Flags().StringSliceVar(&t.Apps, "app", nil, "bind it to this app; may be repeated")
	revoke := &cobra.Command{
		Use: "revoke SERVICE TOKEN", Short: "Revoke a token of a service account", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.RevokeServiceToken(ctx, args[0], args[1]); err != nil {
				return err
			}
			return c.print(map[string]string{"revoked": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Revoked.")
				return err
			})
		}),
	}
	return noun("tokens", "List, make and revoke the tokens of a service account", c.limited(list), create, revoke)
}

func completeServiceAccounts(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.ServiceAccounts(ctx, client.ServiceAccountFilter{})
	var names []cobra.Completion
	for _, a := range all {
		names = append(names, cobra.CompletionWithDesc(a.Name, a.Sponsor))
	}
	return names, err
}
