package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

// capabilityCommands are the commands about what an app may do, and did.
type capabilityCommands struct{ *session }

func (c capabilityCommands) command() *cobra.Command {
	var number int
	cmd := &cobra.Command{
		Use: "list APP", Short: "List the capabilities that an app declares, imports, was granted and used", Args: cobra.ExactArgs(1),
		Long: `Shows the capabilities that a release (the one that serves, or the one that is
named) declares, imports, was granted and used.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			n := number
			if n == 0 {
				app, err := node.App(ctx, args[0])
				if err != nil {
					return err
				}
				if n = app.Serving; n == 0 {
					n = app.Releases
				}
			}
			r, err := node.Release(ctx, args[0], n)
			if err != nil {
				return err
			}
			return c.print(r.Access, func(w io.Writer) error { return showAccess(w, r) })
		}),
	}
	cmd.Flags().IntVar(&number, "release", 0, "this release")
	return noun("capabilities", "Show the permissions of an app: granted and used", cmd)
}

func showAccess(w io.Writer, r client.Release) error {
	if len(r.Access) == 0 {
		_, err := fmt.Fprintf(w, "%s release %d touches nothing.\n", r.App, r.Number)
		return err
	}
	var rows [][]string
	for _, a := range r.Access {
		rows = append(rows, []string{a.Name, yes(a.Declared), yes(a.Imported), granted(a), yes(len(a.Used) > 0), lastUsed(a)})
	}
	if err := table(w, "CAPABILITY DECLARED IMPORTED GRANTED USED LAST", rows); err != nil {
		return err
	}
	for _, a := range r.Access {
		if err := tell(w, a); err != nil {
			return err
		}
	}
	return nil
}

// tell says in words what a release may do with a capability and what it did.
func tell(w io.Writer, a client.CapabilityState) error {
	text := fmt.Sprintf("\n%s: it may not use it.", a.Name)
	if a.May != "" {
		text = fmt.Sprintf("\n%s: it may %s.", a.Name, a.May)
	}
	if len(a.Did) > 0 {
		text += " It " + strings.Join(a.Did, "; ") + "."
	}
	if len(a.Enough) > 0 {
		text += fmt.Sprintf("\n  It needs less (%s): agora grants shrink %s", params(a.Enough), a.Grant)
	}
	for _, f := range a.Findings {
		text += "\n  ! " + f.Message + " " + f.Remedy.Summary
	}
	_, err := fmt.Fprintln(w, printableLines(text))
	return err
}

func params(p abi.Params) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		value := humanize.Param(name, p[name])
		if value == "" {
			value = "none"
		}
		parts = append(parts, name+" "+value)
	}
	return strings.Join(parts, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

func granted(a client.CapabilityState) string {
	switch {
	case a.Grant != "":
		return a.Grant
	case a.Granted:
		return "by the rules"
	case a.Request != "":
		return "waits: " + a.Request
	}
	return "-"
}

func lastUsed(a client.CapabilityState) string {
	if a.Last.IsZero() {
		return "-"
	}
	return when(a.Last)
}
