package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

func (c *cli) hostsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hosts", Short: "Host names of apps beside their own: list, add, remove", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.HostNames(ctx)
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
				return table(w, "HOST APP BY SINCE", rows)
			})
		}),
	}
	cmd.AddCommand(&cobra.Command{
		Use: "add HOST APP", Short: "Let an app answer to a host name", Args: cobra.ExactArgs(2),
		Example: "  agora hosts add expenses.example.com expenses",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			h, err := node.AddHostName(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(h, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s leads to %s, once the name leads to this node.\n", h.Host, h.App)
				return err
			})
		}),
	}, &cobra.Command{
		Use: "remove HOST", Short: "Take a host name away from its app", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteHostName(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"removed": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s leads nowhere now.\n", args[0])
				return err
			})
		}),
	})
	return c.limited(cmd)
}
