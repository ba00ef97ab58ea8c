package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
)

// serveCommand runs a node, and lets its first operator in.
type serveCommand struct{ *terminal }

func (c serveCommand) command() *cobra.Command {
	o := node.Options{FreshSignIn: access.FreshByDefault} // the demo of `agora up` has one person, and no one to make a link
	var admin string
	var adminLink bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Runs a node until it is told to stop. Everything it keeps is in one data
directory. Say with --console-url and --apps-domain under which names people reach
it; the two must differ, so that no app shares an origin with the console. Give it
certificates with --tls-cert and --tls-key or from an --acme-directory, or put a
proxy that speaks TLS in front of it and name that with --trusted-proxy.

A node that does not survive what waits in its queue starts with --pause-triggers:
pause the trigger that does harm with ` + "`agora triggers pause`" + `, and start it again
without the flag.

While no operator can sign in, a start makes a one-time sign-in link for the user
named by --admin: it is printed to a terminal, or else kept in the file admin-link
of the data directory, which only this user can read. Once an operator has signed
in, --admin-link asks for another. Neither keeps a node from starting that has users.`,
		Example: "  agora serve --data /var/lib/agora --console-url https://agora.example.com --apps-domain apps.example.com --admin ada@example.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Version, o.Logger = version, c.nodeLogger(slog.LevelInfo)
			if !cmd.Flags().Changed("fresh-sign-in") {
				o.FreshSignIn = node.FreshWithProviders
			}
			return c.serve(cmd.Context(), o, admin, adminLink)
		},
	}
	nodeFlags(cmd, &o)
	cmd.Flags().StringVar(&admin, "admin", "", "mail address of the first operator")
	cmd.Flags().BoolVar(&adminLink, "admin-link", false, "make a sign-in link for --admin, although an operator can sign in")
	_ = cmd.MarkFlagRequired("data")
	return cmd
}

// nodeFlags are the flags that every way of starting a node has.
func nodeFlags(cmd *cobra.Command, o *node.Options) {
	f := cmd.Flags()
	f.StringVar(&o.DataDir, "data", o.DataDir, "directory for everything the node keeps")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&o.ConsoleURL, "console-url", "", "address of the console (default http://localhost:PORT, or https)")
	f.StringVar(&o.AppsDomain, "apps-domain", "", "domain below which apps live (default localhost:PORT)")
	f.StringVar((*string)(&o.Audience), "audience", "", "who may open an app for which no audience was set: owner, people, organisation or public (default: in sandbox and pilot its owner, in production everyone who is signed in)")
	f.Var((*quotaFlag)(&o.Quotas), "quota", "what a person, an app or the node may keep, such as apps=500 or module-bytes=50GiB (repeat for more; defaults: "+strings.Join(control.QuotaNames(), ", ")+")")
	f.IntVar(&o.KeepReleases, "keep-releases", 0, "how many of an app's newest releases are kept, beside those that serve or are waited for (default 50; -1: all)")
	f.DurationVar(&o.DeleteAfter, "delete-after", 0, "how long the deletion of an app can be undone, before it is removed with all that it kept (default 720h, which is 30 days; -1s: at once)")
	f.TextVar((*registry.Size)(&o.DiskReserve), "disk-reserve", registry.Size(0), "room on the disk below which nothing new is taken in, such as 5GiB (default a twentieth of the disk, from 1GiB to 20GiB)")
	f.StringSliceVar(&o.EgressAllow, "egress-allow", nil, "network that apps may reach although it is not public, such as 10.20.0.0/16 (repeat for more)")
	f.Var((*size)(&o.Memory), "memory", "memory that the node may use, such as 4GiB (default: what the machine or the cgroup has)")
	f.StringVar(&o.LLM, "llm", "", "file that says which language models apps may be granted (docs/llm.md)")
	f.StringVar(&o.SignIn, "sign-in", "", "file that says at which providers people sign in, and which roles their groups give (docs/sign-in.md)")
	f.StringVar(&o.Notices, "notices", "", "file that says through which mail server and to which webhooks notices are sent (docs/notices.md)")
	f.DurationVar(&o.Sessions.Idle, "session-idle", 0, "how long a session of the console lasts unused, at least 10m (default 8h)")
	f.DurationVar(&o.Sessions.Longest, "session-life", 0, "how long it lasts in any case, at most 2160h (default 168h, which is 7 days)")
	f.DurationVar(&o.FreshSignIn, "fresh-sign-in", o.FreshSignIn, "how long ago a person may have signed in to the console who decides about requests or changes people, groups and roles there; 0: as long as the session lasts, as it is if nothing is said and nobody signs in at a provider")
	f.StringVar(&o.Environment, "environment", "", "tag of all usage of this node, such as production (default: the tier in which it was)")
	f.DurationVar(&o.FlushEvery, "flush-every", 0, "how often counted usage is brought from the journal to the store (default 10s)")
	_ = f.MarkHidden("flush-every")
	f.BoolVar(&o.PauseTriggers, "pause-triggers", false, "deliver nothing: what triggers are due, and webhooks and events that come, wait until the node is started without")
	f.IntVar(&o.Connections, "connections", 0, "how many connections the node takes (default: what file descriptors and memory allow, at most 16384)")
	f.IntVar(&o.ConnectionsPerAddress, "connections-per-address", 0, "how many of them one address may have (default a quarter)")
	f.StringSliceVar(&o.TrustedProxies, "trusted-proxy", nil, "network of a proxy in front that names its clients in X-Forwarded-For and X-Forwarded-Proto, or Forwarded, such as 127.0.0.1/32 (repeat for more)")
	f.BoolVar(&o.ProxyProtocol, "proxy-protocol", false, "connections from --trusted-proxy begin with a header of the proxy protocol, version 1 or 2")
	f.StringSliceVar(&o.TLSCert, "tls-cert", nil, "file with a certificate for TLS and those that issued it, in PEM; read again when it changes (repeat for more)")
	f.StringSliceVar(&o.TLSKey, "tls-key", nil, "file with the key of each --tls-cert, in the same order")
	f.StringVar(&o.ACMEDirectory, "acme-directory", "", "directory that certificates are ordered from by ACME, whose terms of service you accept, such as https://acme-v02.api.letsencrypt.org/directory")
	f.StringVar(&o.ACMEEmail, "acme-email", "", "mail address of the account at that directory")
	f.StringVar(&o.ListenHTTP, "listen-http", "", "second address, which sends people on to HTTPS, such as :80")
	f.StringVar(&o.HSTS, "hsts", "", "Strict-Transport-Security header where the node speaks TLS, or off (default max-age=2592000, which is 30 days)")
	f.Int64Var(&o.BodyMemory, "body-memory", 0, "bytes of request bodies that are held at once (default 1/32 of the memory, from 32 to 128 MiB)")
	f.Int64Var(&o.ResponseMemory, "response-memory", 0, "bytes of responses that are held until their clients have read them (default as --body-memory)")
	f.Int64Var(&o.LeastRate, "least-rate", 0, "bytes a second that a client has to send or read while the node waits for it (default 4096)")
	f.StringVar(&o.PolicyDir, "policy", "", "directory of Rego rules that replace or extend the built-in ones")
}

func (c *terminal) nodeLogger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
}

func (c serveCommand) serve(ctx context.Context, o node.Options, admin string, adminLink bool) error {
	n, err := openNode(ctx, o)
	if err != nil {
		return err
	}
	if err := c.welcomeAdmin(ctx, n, o, admin, adminLink); err != nil {
		_ = n.Stop(ctx)
		return err
	}
	o.Logger.Info("serving", "console", n.ConsoleURL(), "apps", n.AppURL("<app>"), "data", o.DataDir)
	return n.Run(ctx)
}

// welcomeAdmin lets the operator in whom --admin names. What goes wrong with that is told, and
// keeps a node from starting only if no one is known to it.
func (c serveCommand) welcomeAdmin(ctx context.Context, n *node.Node, o node.Options, admin string, ask bool) error {
	known, err := n.People.HasUsers(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(o.DataDir, "admin-link")
	_ = os.Remove(path) // of an earlier start
	switch {
	case admin == "" && !known:
		return usageError("this node has no user yet: name its first operator with --admin you@example.com")
	case admin == "":
		return nil
	}
	link, err := n.People.Admit(ctx, admin, ask)
	if err == nil {
		err = c.handOver(admin, link, path)
	}
	if err != nil && known {
		o.Logger.WarnContext(ctx, "no sign-in link was made; the node starts without", "err", err)
		return nil
	}
	return err
}

// handOver gives a sign-in link to whoever started the node, and never to a log that others may
// read: to the terminal, or into a file of this user alone.
func (c serveCommand) handOver(admin, link, path string) error {
	if link == "" {
		_, err := fmt.Fprintf(c.err, "An operator can sign in already; for a sign-in link, run agora users invite %s, or start with --admin-link.\n", admin)
		return err
	}
	if f, ok := c.err.(*os.File); ok && isTerminal(f) {
		_, err := fmt.Fprintf(c.err, "Sign in once as %s, within 15 minutes:\n  %s\n", admin, link)
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, link)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.err, "The sign-in link for %s is in %s: it works once, within 15 minutes.\n", admin, path)
	return err
}

// workerCommand is a child process in which a node works on what makers send: modules are compiled,
// and scripts built. It is not for people.
func workerCommand(s streams, name string, work func(io.Reader, io.Writer) int) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if code := work(s.in, s.out); code != 0 {
				return &exitError{code, errSilent}
			}
			return nil
		},
	}
}

// size is a flag for a number of bytes.
type size int64

// String, Set and Type are pflag.Value's.
func (s *size) String() string {
	text, err := registry.Size(*s).MarshalText()
	if err != nil || *s == 0 {
		return ""
	}
	return string(text)
}

func (s *size) Set(text string) error {
	var n registry.Size
	if err := n.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	*s = size(n)
	return nil
}

func (s *size) Type() string { return "size" }
