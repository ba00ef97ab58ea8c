package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

func (c *cli) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Public keys that sign for somebody: list, generate, add, remove", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			keys, err := node.Keys(ctx)
			if err != nil {
				return err
			}
			return c.print(keys, func(w io.Writer) error {
				var rows [][]string
				for _, k := range keys {
					rows = append(rows, []string{k.Hint, k.Identity, k.AddedBy, when(k.Added)})
				}
				return table(w, "KEY SIGNS-FOR ADDED-BY SINCE", rows)
			})
		}),
	}
	generate := &cobra.Command{
		Use: "generate [NAME]", Short: "Make a key pair: NAME.key and NAME.pub", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "agora"
			if len(args) == 1 {
				name = args[0]
			}
			return c.generateKey(name)
		},
	}
	var identity string
	add := &cobra.Command{
		Use: "add FILE", Short: "Let a public key sign for you", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pem, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			key, err := node.AddKey(cmd.Context(), string(pem), identity)
			if err != nil {
				return err
			}
			return c.print(key, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The key %s signs for %s.\n", key.Hint, key.Identity)
				return err
			})
		},
	}
	add.Flags().StringVar(&identity, "identity", "", "whom it signs for (default you)")
	remove := &cobra.Command{
		Use: "remove KEY", Short: "End the trust in a key", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteKey(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"removed": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Removed. Releases that only this key signed no longer load.")
				return err
			})
		}),
	}
	cmd.AddCommand(generate, add, remove)
	return cmd
}

func (c *cli) generateKey(name string) error {
	private, public, err := sigstore.GenerateKey()
	if err != nil {
		return err
	}
	// O_EXCL: a private key is never overwritten.
	f, err := os.OpenFile(name+".key", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(private); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(name+".pub", public, 0o644); err != nil {
		return err
	}
	return c.print(map[string]string{"private": name + ".key", "public": name + ".pub"}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Keep %s.key to yourself. Register the other half:\n  agora keys add %s.pub\n", name, name)
		return err
	})
}

func (c *cli) usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users", Short: "Who may come in, and as what (for operators)", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			users, err := node.Users(ctx)
			if err != nil {
				return err
			}
			return c.print(users, func(w io.Writer) error {
				var rows [][]string
				for _, u := range users {
					state := "active"
					if u.Disabled {
						state = "disabled"
					}
					rows = append(rows, []string{u.Name, orDash(strings.Join(u.Roles, ",")), state, when(u.Created)})
				}
				return table(w, "USER ROLES STATE SINCE", rows)
			})
		}),
	}
	var roles []string
	var disable bool
	set := &cobra.Command{
		Use: "set USER", Short: "Make a user, or change what a user may do", Args: cobra.ExactArgs(1),
		Example: "  agora users set ada@example.com --role developer --role reviewer",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			u, err := node.PutUser(ctx, args[0], roles, disable)
			if err != nil {
				return err
			}
			return c.print(u, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s. Invite them with `agora users link %s`.\n", u.Name, orDash(strings.Join(u.Roles, ", ")), u.Name)
				return err
			})
		}),
	}
	set.Flags().StringSliceVar(&roles, "role", nil, "viewer, developer, reviewer or operator; may be repeated")
	set.Flags().BoolVar(&disable, "disable", false, "refuse this user everywhere")
	link := &cobra.Command{
		Use: "link USER", Short: "Make a one-time sign-in link", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			url, err := node.NewLink(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(map[string]string{"url": url}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s\nIt works once, within 15 minutes.\n", url)
				return err
			})
		}),
	}
	cmd.AddCommand(set, link)
	return cmd
}

func (c *cli) tokensCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tokens", Short: "Your API tokens: list, create, revoke", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			tokens, err := node.Tokens(ctx)
			if err != nil {
				return err
			}
			return c.print(tokens, func(w io.Writer) error {
				var rows [][]string
				for _, t := range tokens {
					rows = append(rows, []string{t.ID, orDash(t.Label), when(t.Created), when(t.Expires)})
				}
				return table(w, "TOKEN LABEL MADE ENDS", rows)
			})
		}),
	}
	var days int
	create := &cobra.Command{
		Use: "create LABEL", Short: "Make a token for a program", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			t, err := node.NewToken(ctx, args[0], days*24)
			if err != nil {
				return err
			}
			return c.print(t, func(w io.Writer) error {
				fmt.Fprintln(c.err, "Shown this once:")
				_, err := fmt.Fprintln(w, t.Secret)
				return err
			})
		}),
	}
	create.Flags().IntVar(&days, "days", 90, "how long it lives; 0 for ever")
	revoke := &cobra.Command{
		Use: "revoke TOKEN", Short: "End a token", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.RevokeToken(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"revoked": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Revoked.")
				return err
			})
		}),
	}
	cmd.AddCommand(create, revoke)
	return cmd
}
