package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// domainCommands are the commands about domains of apps.
type domainCommands struct{ *session }

func (c domainCommands) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the domains of apps", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Domains(ctx)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Every app has the address that its name makes, and no other.")
					return err
				}
				var rows [][]string
				for _, h := range all {
					rows = append(rows, []string{h.Host, h.App, h.By, when(h.At)})
				}
				return table(w, "DOMAIN APP BY SINCE", rows)
			})
		}),
	}
	return noun("domains", "List domains of apps; give or take one", c.limited(cmd), &cobra.Command{
		Use: "create DOMAIN APP", Short: "Give an app a domain", Args: cobra.ExactArgs(2),
		Example: "  agora domains create expenses.example.com expenses",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			h, err := node.CreateDomain(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(h, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s leads to %s, once its DNS name leads to this node.\n", h.Host, h.App)
				return err
			})
		}),
	}, &cobra.Command{
		Use: "delete DOMAIN", Short: "Take a domain away from its app", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteDomain(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"deleted": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s leads nowhere now.\n", args[0])
				return err
			})
		}),
	})
}
