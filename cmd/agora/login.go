package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/contexts"
	"github.com/agora-host/agora/sdk/client"
)

// tokenHours is how long the token lives that `agora login` makes: 90 days.
const tokenHours = 90 * 24

// loginCommand makes the contexts from which sessions are made.
type loginCommand struct{ *session }

func (c loginCommand) command() *cobra.Command {
	var scopes []string
	cmd := &cobra.Command{
		Use:   "login LINK | login URL --token TOKEN",
		Short: "Choose a node and sign in to it",
		Long: `Takes a one-time sign-in link, or the address of a node and an API token, and
keeps a token of its own for the commands that follow: in a context that is called
as its node, or as --context says, and that is current from now on. Other contexts
stay as they are; see agora contexts list. Without --token the token is read from the
standard input, if it is not a terminal.

The token may do all that you may do, or with --scope what that names. To read
backups, name backup:read, too; the token then lives 31 days.`,
		Example: "  agora login 'http://localhost:8080/sign-in?link=agora_lnk_…'\n  agora login https://agora.example.com --token agora_tok_…\n  agora login LINK --scope all --scope backup:read",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" {
				return usageError("%q is no address: paste a sign-in link, or write http://localhost:8080", args[0])
			}
			l := contexts.Context{Name: cmp.Or(c.context, os.Getenv("AGORA_CONTEXT")), URL: u.Scheme + "://" + u.Host}
			if err := free(l); err != nil {
				return err
			}
			if link := u.Query().Get("link"); link != "" {
				l, err = c.byLink(cmd, l, args[0], scopes)
			} else {
				l, err = c.byToken(cmd, l)
			}
			if err != nil {
				return err
			}
			err = updateContexts(func(f *contexts.File) error {
				if l.Name, err = f.Put(l); err == nil {
					err = f.Use(l.Name)
				}
				return err
			})
			if err != nil {
				return err
			}
			path, err := configPath()
			if err != nil {
				return err
			}
			return c.print(map[string]string{"context": l.Name, "url": l.URL, "user": l.User, "file": path}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Signed in to %s as %s. The context %s is current.\n", l.URL, l.User, l.Name)
				return err
			})
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", []string{string(access.ScopeAll)}, "what the token may do, of a sign-in link; may be repeated")
	return cmd
}

// free finds out whether a name that is asked for is another node's, before a link is used up.
func free(l contexts.Context) error {
	f, err := readContexts()
	if err != nil || l.Name == "" {
		return err
	}
	if known, err := f.Find(l.Name); err == nil && contexts.SameNode(known.URL, l.URL) {
		return nil
	}
	_, err = f.Put(l)
	return err
}

// byLink uses a link up for a session, and the session for a token.
func (c loginCommand) byLink(cmd *cobra.Command, l contexts.Context, link string, scopes []string) (contexts.Context, error) {
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
	hours := tokenHours
	if slices.Contains(scopes, string(access.ScopeBackupRead)) {
		hours = int(access.BackupTokenLife.Hours())
	}
	token, err := signed.NewToken(cmd.Context(), client.NewToken{Label: "agora login on " + host, Hours: hours, Scopes: scopes})
	if err != nil {
		return l, err
	}
	l.User, l.Token, l.Expires = session.User, token.Secret, token.Expires
	return l, nil
}

func (c loginCommand) byToken(cmd *cobra.Command, l contexts.Context) (contexts.Context, error) {
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
