package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/contexts"
	"github.com/agora-host/agora/sdk/client"
)

// shownContext is a context as it is printed: never with its token.
type shownContext struct {
	Name    string    `json:"name"`
	URL     string    `json:"url"`
	User    string    `json:"user,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Current bool      `json:"current"`
	Data    string    `json:"data,omitempty"`
}

func shown(f contexts.File, c contexts.Context) shownContext {
	return shownContext{c.Name, c.URL, c.User, c.Expires, c.Name == f.Current, c.Data}
}

// contextCommands are the commands about the nodes that this user knows; they speak to none.
type contextCommands struct{ *session }

func (c contextCommands) command() *cobra.Command {
	cmd := noun("contexts", "List the nodes that you are signed in to; choose, rename or delete one",
		&cobra.Command{Use: "list", Short: "List the nodes that you are signed in to", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return c.list() }},
		c.use(), c.show(), c.rename(), c.delete(),
	)
	cmd.Long = `A context is a node, and as whom you speak to it: agora login makes one, and so does
agora up for its demo node. Commands speak to the current context. Another is chosen
for one command with --context, and for a shell with AGORA_CONTEXT; AGORA_URL and
AGORA_TOKEN win over both the latter and the current context.

Contexts are kept in the file AGORA_CONFIG, or agora/config.json in your directory
for configuration, which only you can read.`
	cmd.Example = "  agora contexts use demo\n  agora --context agora.example.com apps list"
	return cmd
}

func (c contextCommands) list() error {
	f, err := readContexts()
	if err != nil {
		return err
	}
	all := make([]shownContext, len(f.Contexts))
	for i, k := range f.Contexts {
		all[i] = shown(f, k)
	}
	return c.print(all, func(w io.Writer) error {
		if len(all) == 0 {
			_, err := fmt.Fprintln(w, "None yet. Run `agora login URL`, or start a node of your own with `agora up`.")
			return err
		}
		var rows [][]string
		for _, k := range all {
			mark := ""
			if k.Current {
				mark = "*"
			}
			rows = append(rows, []string{mark, k.Name, k.URL, orDash(k.User), ends(k.Expires)})
		}
		if err := table(w, "CURRENT NAME NODE USER EXPIRES", rows); err != nil {
			return err
		}
		return c.noteOverride(w, f)
	})
}

// noteOverride says that commands do not go where the list says.
func (c contextCommands) noteOverride(w io.Writer, f contexts.File) error {
	for _, name := range []string{"AGORA_URL", "AGORA_TOKEN", "AGORA_CONTEXT"} {
		if value := os.Getenv(name); value != "" && value != f.Current {
			_, err := fmt.Fprintf(w, "%s is set, and wins over the current context.\n", name)
			return err
		}
	}
	return nil
}

func ends(t time.Time) string {
	if !t.IsZero() && t.Before(time.Now()) {
		return when(t) + " (over)"
	}
	return when(t)
}

func (c contextCommands) use() *cobra.Command {
	return &cobra.Command{
		Use: "use CONTEXT", Short: "Choose the node that commands speak to", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var now shownContext
			err := updateContexts(func(f *contexts.File) error {
				err := f.Use(args[0])
				if err == nil {
					k, _ := f.Find(args[0])
					now = shown(*f, k)
				}
				return err
			})
			if err != nil {
				return err
			}
			return c.print(now, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Commands now speak to %s as %s.\n", now.URL, orDash(now.User))
				return err
			})
		},
	}
}

func (c contextCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show [CONTEXT]", Short: "Show the node that commands speak to, or one by its name", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := readContexts()
			if err != nil {
				return err
			}
			var k contexts.Context
			if len(args) == 1 {
				k, err = f.Find(args[0])
			} else {
				k, err = c.target()
			}
			if err != nil {
				return err
			}
			s := shown(f, k)
			return c.print(s, func(w io.Writer) error {
				rows := [][]string{{"context", orDash(s.Name)}, {"node", s.URL}, {"user", orDash(s.User)}, {"expires", ends(s.Expires)}, {"current", yes(s.Current)}}
				if s.Data != "" {
					rows = append(rows, []string{"data directory", s.Data})
				}
				return table(w, "", rows)
			})
		},
	}
}

func (c contextCommands) rename() *cobra.Command {
	return &cobra.Command{
		Use: "rename CONTEXT NEW", Short: "Give a context another name", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := updateContexts(func(f *contexts.File) error { return f.Rename(args[0], args[1]) }); err != nil {
				return err
			}
			return c.print(map[string]string{"was": args[0], "name": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is %s now.\n", args[0], args[1])
				return err
			})
		},
	}
}

func (c contextCommands) delete() *cobra.Command {
	return &cobra.Command{
		Use: "delete CONTEXT", Short: "Forget a node and your token for it", Args: cobra.ExactArgs(1),
		Long: `Forgets a node and your token for it, on this machine. The token itself holds until
it ends; before you forget it, agora tokens revoke ends it at once.`,
		RunE: func(_ *cobra.Command, args []string) error {
			var left contexts.File
			err := updateContexts(func(f *contexts.File) error {
				err := f.Delete(args[0])
				left = *f
				return err
			})
			if err != nil {
				return err
			}
			return c.print(map[string]string{"deleted": args[0], "current": left.Current}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is forgotten.\n", args[0])
				if err == nil && left.Current == "" && len(left.Contexts) > 0 {
					_, err = fmt.Fprintf(w, "No context is current now: agora contexts use NAME, of %s.\n", strings.Join(left.Names(), ", "))
				}
				return err
			})
		},
	}
}

// deployingTo says, before anything is signed or sent, to which node an upload goes and as whom:
// in the node's words, so that a token that has ended is found out here.
func (c deployCommands) deployingTo(ctx context.Context, node *client.Client) error {
	at, err := c.target()
	if err != nil {
		return err
	}
	who, err := node.Whoami(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.err, "Deploying to %s as %s%s\n", at.URL, printable(who.User), inContext(at))
	return err
}

func inContext(at contexts.Context) string {
	if at.Name == "" {
		return ""
	}
	return " (context " + at.Name + ")"
}

// changing are the commands that change something on a node.
var changing = map[string]bool{
	"agora releases activate": true, "agora releases rollback": true, "agora releases promote": true, "agora releases ask": true, "agora releases delete": true, "agora releases approve": true, "agora releases reject": true,
	"agora delegate to": true, "agora delegate end": true, "agora requests approve": true, "agora requests reject": true, "agora requests withdraw": true, "agora exemptions ask": true, "agora exemptions revoke": true, "agora grants revoke": true, "agora grants shrink": true, "agora grants renew": true, "agora grants certify": true, "agora grants emergency": true,
	"agora triggers pause": true, "agora triggers resume": true, "agora triggers run": true, "agora dead-letters redeliver": true, "agora dead-letters delete": true,
	"agora apps maintain": true, "agora apps unmaintain": true, "agora apps suspend": true, "agora apps resume": true, "agora apps quarantine": true, "agora apps unquarantine": true, "agora apps delete": true, "agora apps undelete": true, "agora apps transfer": true, "agora apps set": true,
	"agora apps accept": true, "agora apps decline": true, "agora apps rename": true,
	"agora users set": true, "agora users rename": true, "agora users invite": true, "agora people import": true, "agora provisioning link": true, "agora provisioning dismiss": true, "agora provisioning tokens create": true, "agora provisioning tokens revoke": true, "agora groups create": true, "agora groups rename": true, "agora groups delete": true, "agora groups add": true, "agora groups remove": true, "agora tokens create": true, "agora tokens revoke": true, "agora sessions revoke": true, "agora keys create": true, "agora keys delete": true,
	"agora domains create": true, "agora domains delete": true, "agora secrets set": true, "agora secrets delete": true, "agora secrets rotate": true,
}

// announce says which node a command is about to change, where that can be mistaken: where more
// than one is known, or the node is not the current context's.
func (c *session) announce(at contexts.Context) {
	f, err := readContexts()
	if err != nil || !changing[c.path] || (len(f.Contexts) < 2 && at.Name == f.Current) {
		return
	}
	who := at.User
	if who == "" {
		who = "the holder of the token that was given"
	}
	fmt.Fprintf(c.err, "On %s as %s%s\n", at.URL, who, inContext(at))
}
