package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// session is what commands share that speak to a node: the terminal, and which node it is, as whom.
// The flags of all commands set its fields before a command runs, and nothing changes them after.
type session struct {
	*terminal

	context, url, token string // see target
	limit               int    // of a list; 0 for all
	path                string // of the command that runs
}

// node is a client for the node that this command speaks to.
func (c *session) node() (*client.Client, error) {
	at, err := c.target()
	if err != nil {
		return nil, err
	}
	c.announce(at)
	return client.New(at.URL, at.Token)
}

// withNode gives a command the client that it needs.
func (c *session) withNode(run func(ctx context.Context, node *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		node, err := c.node()
		if err != nil {
			return err
		}
		return run(cmd.Context(), node.First(c.limit), args)
	}
}

// limited gives a command that lists a flag that bounds it.
func (c *session) limited(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().IntVar(&c.limit, "limit", 0, "show so many at most; 0 for all")
	return cmd
}
