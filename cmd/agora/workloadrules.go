package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// workloadCommands are the commands about the rules by which jobs of a CI get tokens.
type workloadCommands struct{ *session }

func (c workloadCommands) command() *cobra.Command {
	return noun("workloads", "Show the rules by which jobs of a CI get tokens", c.limited(c.list()))
}

func (c workloadCommands) list() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules by which jobs of a CI get tokens", Args: cobra.NoArgs,
		Long: `Lists the rules of the node's file by which jobs of a CI get tokens of service accounts
(docs/workloads.md), in the order in which they count; for auditors and operators. With
--app, those by which jobs may act on an app, for its owners, too.`,
		Example: "  agora workloads list\n  agora workloads list --app hello",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Workloads(ctx, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, r := range all {
					rows = append(rows, []string{
						fmt.Sprint(r.Place), r.ID, r.Issuer, required(r.Claims), r.Account, strings.Join(r.Scopes, " "), cmp.Or(strings.Join(r.Apps, " "), "all it reaches"), cmp.Or(r.Idle, "gives tokens"),
					})
				}
				return listed(w, "PLACE RULE ISSUER CLAIMS SERVICE-ACCOUNT SCOPES APPS STATE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&app, "app", "", "only those by which jobs may act on this app")
	return cmd
}

// required is what a rule requires of a job.
func required(claims map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		all = append(all, name+"="+claims[name])
	}
	return strings.Join(all, " ")
}
