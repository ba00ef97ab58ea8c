package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

// maxSecretInput bounds what is read: the node takes less.
const maxSecretInput = 64 << 10

// secretCommands are the commands about secrets of apps.
type secretCommands struct{ *session }

func (c secretCommands) command() *cobra.Command {
	list := &cobra.Command{
		Use: "list APP", Short: "List an app's secrets, without their values", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			all, err := node.Secrets(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "None is set.")
					return err
				}
				var rows [][]string
				for _, s := range all {
					rows = append(rows, []string{s.Name, s.By, when(s.At)})
				}
				return table(w, "SECRET SET-BY SINCE", rows)
			})
		}),
	}
	var yes bool
	remove := &cobra.Command{
		Use: "delete APP NAME", Short: "Forget a secret", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := c.confirmed(yes, args[1], fmt.Sprintf("The secret %s of %s will be gone: no copy of it can be read.", args[1], args[0])); err != nil {
				return err
			}
			if err := node.DeleteSecret(ctx, args[0], args[1]); err != nil {
				return err
			}
			return c.print(map[string]string{"app": args[0], "deleted": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s has no secret %s any more.\n", args[0], args[1])
				return err
			})
		}),
	}
	remove.Flags().BoolVar(&yes, "yes", false, "forget it without a question")
	rotate := &cobra.Command{
		Use: "rotate", Short: "Seal all secrets of all apps with a new key, and forget the earlier ones", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			n, err := node.RotateSecrets(ctx)
			if err != nil {
				return err
			}
			return c.print(map[string]int{"sealed": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "A new key seals; %s sealed anew.\n", humanize.Plural(n, "secret was", "secrets were"))
				return err
			})
		}),
	}
	return noun("secrets", "List, set and delete secrets of apps", c.limited(list), c.set(), remove, rotate)
}

func (c secretCommands) set() *cobra.Command {
	return &cobra.Command{
		Use: "set APP NAME", Short: "Set a secret, from a prompt or from standard input",
		Long: `Sets a secret of an app. The value is asked for without being shown, or read
from standard input, of which one line end at the very end is left out. It is
never an argument: other users of a machine see those, and shells keep them.`,
		Example: "  agora secrets set shop stripe\n  pass show stripe | agora secrets set shop stripe",
		Args:    cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			value, err := c.readSecret(args[1])
			if err != nil {
				return err
			}
			s, err := node.SetSecret(ctx, args[0], args[1], value)
			if err != nil {
				return err
			}
			return c.print(s, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The secret %s of %s is set. The app's next call reads it, if it was granted.\n", s.Name, args[0])
				return err
			})
		}),
	}
}

func (c *terminal) readSecret(name string) ([]byte, error) {
	if f, ok := c.in.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(os.Stderr, "Value of %s (not shown): ", name)
		value, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return nil, fmt.Errorf("read the value: %w", err)
		}
		return value, nil
	}
	value, err := io.ReadAll(io.LimitReader(c.in, maxSecretInput))
	if err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r")), nil
}
