package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// tokenHours is how long the token lives that `agora login` makes: 90 days.
const tokenHours = 90 * 24

// node is a client for the node that this command speaks to.
func (c *cli) node() (*client.Client, error) {
	l, err := c.target()
	if err != nil {
		return nil, err
	}
	return client.New(l.URL, l.Token)
}

// withNode gives a command the client that it needs.
func (c *cli) withNode(run func(ctx context.Context, node *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		node, err := c.node()
		if err != nil {
			return err
		}
		return run(cmd.Context(), node.First(c.limit), args)
	}
}

// limited gives a command that lists a flag that bounds it.
func (c *cli) limited(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().IntVar(&c.limit, "limit", 0, "show so many at most; 0 for all")
	return cmd
}

func (c *cli) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login LINK | login URL --token TOKEN",
		Short: "Say which node to speak to, and as whom",
		Long: `Takes a one-time sign-in link, or the address of a node and an API token, and
keeps a token of its own for the commands that follow. Without --token the
token is read from the standard input, if it is not a terminal.`,
		Example: "  agora login 'http://localhost:8080/sign-in?link=agora_lnk_…'\n  agora login https://agora.example.com --token agora_tok_…",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" {
				return usageError("%q is no address: paste a sign-in link, or write http://localhost:8080", args[0])
			}
			l := login{URL: u.Scheme + "://" + u.Host}
			if link := u.Query().Get("link"); link != "" {
				l, err = c.loginByLink(cmd, l, args[0])
			} else {
				l, err = c.loginByToken(cmd, l)
			}
			if err != nil {
				return err
			}
			path, err := writeLogin(l)
			if err != nil {
				return err
			}
			return c.print(map[string]string{"url": l.URL, "user": l.User, "file": path}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Signed in to %s as %s.\n", l.URL, l.User)
				return err
			})
		},
	}
}

// loginByLink uses a link up for a session, and the session for a token.
func (c *cli) loginByLink(cmd *cobra.Command, l login, link string) (login, error) {
	anybody, err := client.New(l.URL, "")
	if err != nil {
		return l, err
	}
	session, signed, err := anybody.SignIn(cmd.Context(), link)
	if err != nil {
		return l, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = runtime.GOOS
	}
	token, err := signed.NewToken(cmd.Context(), "agora login on "+host, tokenHours)
	if err != nil {
		return l, err
	}
	l.User, l.Token = session.User, token.Secret
	return l, nil
}

func (c *cli) loginByToken(cmd *cobra.Command, l login) (login, error) {
	l.Token = c.token
	if f, ok := c.in.(*os.File); l.Token == "" && (!ok || !isTerminal(f)) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return l, fmt.Errorf("read the token: %w", err)
		}
		l.Token = strings.TrimSpace(line)
	}
	if l.Token == "" {
		return l, usageError("paste a whole sign-in link, or give an API token with --token")
	}
	node, err := client.New(l.URL, l.Token)
	if err != nil {
		return l, err
	}
	who, err := node.Whoami(cmd.Context())
	l.User = who.User
	return l, err
}
