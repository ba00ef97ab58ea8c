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
type loginCommand struct {
	*session
	scopes       *[]string
	days         *int
	web, device  *bool
	openInWindow func(address string) error // opens a browser
}

func (c loginCommand) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login [URL | LINK]",
		Short: "Choose a node and sign in to it",
		Long: `Opens the browser at a node's console, where you sign in, see what this command line
asks for and confirm it; then it keeps a token of its own for the commands that follow: in
a context that is called as its node, or as --context says, and that is current from now
on. Other contexts stay as they are; see agora contexts list. Without an address the
current context's node is asked again.

On a machine without a browser, --device prints a code, which you type in the console on
another machine. A one-time sign-in link, or an API token with --token or on the standard
input, if that is not a terminal, do without a browser.

The token may do all that you may do, or with --scope what that names, for 90 days or
as --days says. Your settings list it as "agora CLI on" this machine, and revoke it. To
read backups, name backup:read, too; the token then lives 31 days at most.`,
		Example: "  agora login https://agora.example.com\n  agora login https://agora.example.com --device --scope apps:read --days 7\n  agora login https://agora.example.com --token agora_tok_…\n  agora login 'http://localhost:8080/sign-in?link=agora_lnk_…' --scope all --scope backup:read",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, link, err := c.asked(args)
			if err != nil {
				return err
			}
			if err := free(l); err != nil {
				return err
			}
			if l, err = c.way(link)(cmd, l); err != nil {
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
	c.scopes = cmd.Flags().StringSlice("scope", []string{string(access.ScopeAll)}, "what the token may do; may be repeated")
	c.days = cmd.Flags().Int("days", 0, "how many days the token lives (default 90; 31 with backup:read)")
	c.web = cmd.Flags().Bool("web", false, "through the browser of this machine, also if the standard input is no terminal")
	c.device = cmd.Flags().Bool("device", false, "print a code to type in the console on another machine")
	c.openInWindow = openBrowser
	return cmd
}

// asked reads which node a person means, and the link to it that was given instead of an address.
func (c loginCommand) asked(args []string) (l contexts.Context, link string, err error) {
	l.Name = cmp.Or(c.context, os.Getenv("AGORA_CONTEXT"))
	if *c.days < 0 || *c.days > 366 {
		return l, "", usageError("--days %d: a token lives 1 to 366 days", *c.days)
	}
	if n := len(slices.DeleteFunc([]bool{*c.web, *c.device, c.token != ""}, func(given bool) bool { return !given })); n > 1 {
		return l, "", usageError("--web, --device and --token are three ways to sign in: choose one")
	}
	if len(args) == 0 {
		at, err := c.target()
		if err != nil {
			return l, "", err
		}
		l.Name, l.URL = cmp.Or(l.Name, at.Name), at.URL
		return l, "", nil
	}
	u, err := url.Parse(args[0])
	if err != nil || u.Host == "" {
		return l, "", usageError("%q is no address: write http://localhost:8080, or paste a sign-in link", args[0])
	}
	if l.URL = u.Scheme + "://" + u.Host; u.Query().Get("link") != "" {
		link = args[0]
	}
	return l, link, nil
}

// way is how a person signs in.
func (c loginCommand) way(link string) func(*cobra.Command, contexts.Context) (contexts.Context, error) {
	f, ok := c.in.(*os.File)
	switch {
	case link != "":
		return func(cmd *cobra.Command, l contexts.Context) (contexts.Context, error) { return c.byLink(cmd, l, link) }
	case *c.device:
		return c.byDevice
	case *c.web, c.token == "" && ok && isTerminal(f):
		return c.byBrowser
	}
	return c.byToken
}

// hours is how long a token is to live.
func (c loginCommand) hours() int {
	if *c.days > 0 {
		return 24 * *c.days
	}
	if slices.Contains(*c.scopes, string(access.ScopeBackupRead)) {
		return int(access.BackupTokenLife.Hours())
	}
	return tokenHours
}

// machine is what this machine is called, for a person's list of tokens.
func machine() string {
	host, err := os.Hostname()
	if err != nil {
		host = runtime.GOOS
	}
	return host
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
func (c loginCommand) byLink(cmd *cobra.Command, l contexts.Context, link string) (contexts.Context, error) {
	anybody, err := client.New(l.URL, "")
	if err != nil {
		return l, err
	}
	session, signed, err := anybody.SignIn(cmd.Context(), link)
	if err != nil {
		return l, err
	}
	token, err := signed.NewToken(cmd.Context(), client.NewToken{Label: "agora CLI on " + access.PlainText(machine(), access.MaxMachine), Hours: c.hours(), Scopes: *c.scopes})
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
		return l, usageError("the standard input is no terminal, and has no token: give one with --token, or choose --web or --device")
	}
	node, err := client.New(l.URL, l.Token)
	if err != nil {
		return l, err
	}
	who, err := node.Whoami(cmd.Context())
	l.User = who.User
	return l, err
}
