package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// sessionCommands are the commands about where people are signed in to the console.
type sessionCommands struct{ *session }

func (c sessionCommands) command() *cobra.Command {
	var user string
	list := &cobra.Command{
		Use: "list", Short: "List where you are signed in to the console", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			sessions, err := node.Sessions(ctx, user)
			if err != nil {
				return err
			}
			return c.print(sessions, func(w io.Writer) error {
				var rows [][]string
				for _, s := range sessions {
					rows = append(rows, []string{s.ID, orDash(s.Device), orDash(s.Address), when(s.Began), when(s.Used), when(s.Ends)})
				}
				return table(w, "SESSION DEVICE ADDRESS BEGAN USED ENDS", rows)
			})
		}),
	}
	revoke := c.revoke(&user)
	for _, cmd := range []*cobra.Command{list, revoke} {
		cmd.Flags().StringVar(&user, "user", "", "whose sessions (default yours; for operators)")
	}
	return noun("sessions", "List where you are signed in; sign out there", c.limited(list), revoke)
}

func (c sessionCommands) revoke(user *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "revoke [SESSION]", Short: "Revoke a session, or all", Args: cobra.MaximumNArgs(1),
		Long: `Revokes a session of the console, and those at the addresses of apps that it made: what
it has open ends within seconds. With --all it ends all of them. Tokens stay; see
agora tokens revoke.`,
		Example: "  agora sessions revoke 3f2a9c0d11e4\n  agora sessions revoke --all --user ada@example.com",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if all == (len(args) == 1) {
				return usageError("name a session, or write --all")
			}
			ended, err := 1, error(nil)
			if all {
				ended, err = node.EndSessions(ctx, *user)
			} else {
				err = node.EndSession(ctx, *user, args[0])
			}
			if err != nil {
				return err
			}
			return c.print(map[string]int{"ended": ended}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Sessions ended: %d.\n", ended)
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all of them")
	return cmd
}
