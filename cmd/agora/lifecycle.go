package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

// confirmed asks whether something is to be destroyed: who runs the command types its name, or has
// said --yes.
func (c *terminal) confirmed(yes bool, name, what string) error {
	if yes {
		return nil
	}
	fmt.Fprintf(c.err, "%s\nType %s to go on: ", what, name)
	line, err := bufio.NewReader(io.LimitReader(c.in, 1000)).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(c.err)
	}
	if strings.TrimSpace(line) != name {
		return usageError("nothing was changed: type %s when you are asked, or say --yes", name)
	}
	return nil
}

// act is a command that does one act to an app, with a reason.
func (c appCommands) act(cmd *cobra.Command, reason *string, act func(ctx context.Context, node *client.Client, app string) (client.App, error)) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
		a, err := act(ctx, node, args[0])
		if err != nil {
			return err
		}
		return c.print(a, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, lifeWords(a))
			return err
		})
	})
	if reason != nil {
		cmd.Flags().StringVar(reason, "reason", "", "the reason; every signed-in person can read it (needed for another person's app)")
	}
	return cmd
}

// lifeWords says where an app stands.
func lifeWords(a client.App) string {
	switch {
	case a.State == "suspended":
		return fmt.Sprintf("%s is suspended by %s (%s): it serves nothing until `agora apps resume %s`.", a.Name, a.Suspension.By, a.Suspension.Authority, a.Name)
	case a.State == "quarantined":
		return fmt.Sprintf("%s is quarantined by %s (%s): it serves nothing, and stays as it is, until `agora apps unquarantine %s`.", a.Name, a.Quarantine.By, a.Quarantine.Authority, a.Name)
	case a.State == "deleting":
		return fmt.Sprintf("%s serves nothing, and will be removed on %s. Until then, `agora apps undelete %s` undoes it.", a.Name, when(a.Deletion.Until), a.Name)
	case a.State == "removing":
		return a.Name + " is being removed."
	case a.State == "removed":
		return fmt.Sprintf("%s was removed on %s; what was removed is in %s.", a.Name, when(a.Removal.Done), a.Removal.Certificate)
	case a.State == "maintenance":
		return fmt.Sprintf("%s is in maintenance%s: it serves, and gets nothing new, until `agora apps unmaintain %s`.", a.Name, maintenanceWords(*a.Maintenance), a.Name)
	case a.Offer != nil:
		return fmt.Sprintf("%s is offered to %s, who takes it with `agora apps accept %s`. Until then it belongs to %s.", a.Name, a.Offer.To, a.Name, a.Owner)
	}
	return fmt.Sprintf("%s is active and belongs to %s.", a.Name, ownedBy(a))
}

// lifeRows are what `agora apps show` says of where an app stands.
func lifeRows(a client.App) (rows [][]string) {
	rows = append(rows, []string{"state", a.State})
	if a.Orphaned {
		next := "nobody owns it with them: hand it over with `agora apps transfer " + a.Name + " --to USER`"
		if a.Successor != "" {
			next = "hand it over with `agora apps transfer " + a.Name + " --to " + a.Successor + "`"
		}
		rows = append(rows, []string{"orphaned", "its owner is disabled; " + next})
	}
	if m := a.Maintenance; m != nil {
		rows = append(rows, []string{"maintenance", strings.TrimSpace(fmt.Sprintf("by %s on %s%s: %s", m.By, when(m.At), maintenanceWords(*m), orDash(m.Reason)))})
	}
	if s := a.Suspension; s != nil {
		rows = append(rows, []string{"suspended", fmt.Sprintf("by %s (%s) on %s: %s", s.By, s.Authority, when(s.At), orDash(s.Reason))})
	}
	if q := a.Quarantine; q != nil {
		rows = append(rows, []string{"quarantined", fmt.Sprintf("by %s (%s) on %s: %s", q.By, q.Authority, when(q.At), q.Reason)})
	}
	if d := a.Deletion; d != nil {
		rows = append(rows, []string{"removed", fmt.Sprintf("on %s, as %s asked on %s: %s", when(d.Until), d.By, when(d.At), orDash(d.Reason))})
	}
	if o := a.Offer; o != nil {
		rows = append(rows, []string{"offered to", fmt.Sprintf("%s on %s", o.To, when(o.At))})
	}
	if r := a.Removal; r != nil && !r.Done.IsZero() {
		rows = append(rows, []string{"removed", fmt.Sprintf("on %s; see `agora certificates show %s`", when(r.Done), r.Certificate)})
	}
	if len(a.Exemptions) > 0 {
		rows = append(rows, []string{"exempted", "from rules, in " + strings.Join(a.Exemptions, ", ") + ": see `agora exemptions list --app " + a.Name + "`"})
	}
	if len(a.May) > 0 {
		rows = append(rows, []string{"you may", strings.Join(a.May, ", ")})
	}
	return rows
}

func (c appCommands) suspend() *cobra.Command {
	var reason string
	return c.act(&cobra.Command{
		Use: "suspend APP", Short: "Stop an app until it is resumed",
		Long: `Stops an app: its addresses say that it is suspended and whom to ask, its calls
end, its triggers fire no more, webhooks are refused for their senders to try
again, and events of other apps wait. What it keeps stays. Its owner may resume
it, unless a reviewer or an operator suspended it.`,
		Example: `  agora apps suspend hello --reason "shows customers' names"`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		return node.Suspend(ctx, app, reason)
	})
}

func (c appCommands) resume() *cobra.Command {
	var reason string
	return c.act(&cobra.Command{Use: "resume APP", Short: "Let a suspended app serve again"}, &reason,
		func(ctx context.Context, node *client.Client, app string) (client.App, error) {
			return node.Resume(ctx, app, reason)
		})
}

// maintenanceWords says until when, and what follows.
func maintenanceWords(m client.Maintenance) (words string) {
	if !m.Until.IsZero() {
		words += " until " + m.Until.UTC().Format(time.DateOnly)
	}
	if m.Successor != "" {
		words += ", followed by " + m.Successor
	}
	return words
}

func (c appCommands) maintain() *cobra.Command {
	var reason, until, successor string
	cmd := c.act(&cobra.Command{
		Use: "maintain APP", Short: "Say that an app is kept running and gets nothing new",
		Long: `Puts an app in maintenance: it serves as before, people see in the catalogue that
it gets nothing new and which app they should use instead, and the promotion of
a release has to say what it mends. At the end that is said its owners are told;
nothing stops by itself. Said again, it takes the place of what was said.`,
		Example: `  agora apps maintain hello --until 2030-01-31 --successor hello-next`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		var end time.Time
		if until != "" {
			var err error
			if end, err = time.Parse(time.DateOnly, until); err != nil {
				return client.App{}, usageError("--until is a date such as 2030-01-31, not %q", until)
			}
		}
		return node.Maintain(ctx, app, end, successor, reason)
	})
	cmd.Flags().StringVar(&until, "until", "", "the date of its end, such as 2030-01-31")
	cmd.Flags().StringVar(&successor, "successor", "", "the app that people should use instead")
	return cmd
}

func (c appCommands) unmaintain() *cobra.Command {
	var reason string
	return c.act(&cobra.Command{Use: "unmaintain APP", Short: "Let an app get new things again"}, &reason,
		func(ctx context.Context, node *client.Client, app string) (client.App, error) {
			return node.EndMaintenance(ctx, app, reason)
		})
}

func (c appCommands) quarantine() *cobra.Command {
	var reason string
	cmd := c.act(&cobra.Command{
		Use: "quarantine APP", Short: "Keep an app from everybody because something is wrong with it",
		Long: `Stops an app because something is wrong with it: a vulnerability, a stolen key,
misuse. Its addresses say that it was stopped to protect the people who use it,
its calls end, and nothing of it runs. Its owners cannot resume, promote or
delete it, and no release of it goes; they can upload what mends it. For
reviewers of security and operators; it is ended by the authority that set it or
one above, and by no one who owns the app.`,
		Example: `  agora apps quarantine hello --reason "its signing key was published"`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		return node.Quarantine(ctx, app, reason)
	})
	cmd.Flags().Lookup("reason").Usage = "what is wrong; every signed-in person can read it"
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c appCommands) unquarantine() *cobra.Command {
	var reason string
	cmd := c.act(&cobra.Command{
		Use: "unquarantine APP", Short: "Let an app out of its quarantine",
		Long: `Ends the quarantine of an app, which is then what it was before: suspended, if it
was. What was uploaded meanwhile serves once its owner activates it.`,
		Example: `  agora apps unquarantine hello --reason "signed anew; the old key is deleted"`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		return node.EndQuarantine(ctx, app, reason)
	})
	cmd.Flags().Lookup("reason").Usage = "why it is safe again; every signed-in person can read it"
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c appCommands) delete() *cobra.Command {
	var reason string
	var yes bool
	cmd := c.act(&cobra.Command{
		Use: "delete APP", Short: "Delete an app, with all that it keeps, after a wait",
		Long: `Stops an app at once, and removes it when the node's wait (30 days, unless the
node was started with --delete-after) is over: its releases, data, files,
secrets, grants, host names, log and queue. Until then agora apps undelete
undoes it. What was used and billed stays, and so do events; the name is not
given to another app. A certificate says what was removed.`,
		Example: `  agora apps delete hello
  agora apps delete hello --yes`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		what := fmt.Sprintf("%s will stop now, and be gone with all that it keeps when the wait is over.", app)
		if err := c.confirmed(yes, app, what); err != nil {
			return client.App{}, err
		}
		return node.DeleteApp(ctx, app, reason)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "delete it without a question")
	return cmd
}

func (c appCommands) undelete() *cobra.Command {
	return c.act(&cobra.Command{Use: "undelete APP", Short: "Undo the deletion of an app while its wait lasts"}, nil,
		func(ctx context.Context, node *client.Client, app string) (client.App, error) {
			return node.UndeleteApp(ctx, app)
		})
}

// set says who owns an app with its owner. What is not named stays, which is read before: if
// another person changes it meanwhile, the command ends and says so.
func (c appCommands) set() *cobra.Command {
	var coOwner, group, reason string
	var cmd *cobra.Command
	cmd = c.act(&cobra.Command{
		Use: "set APP", Short: "Set who owns an app with its owner",
		Long: `Says who owns an app with its owner: a co-owner and a group, whose people may all do
what the owner may, but for giving the app away and deleting it. None of them
decides the app's requests. What is not named stays as it is; --co-owner '' and
--group '' take it away. A group is named by its name, or by its id if a sign-in
provider keeps it.`,
		Example: "  agora apps set shop --co-owner grace@example.com\n  agora apps set shop --group 'Sales EMEA'\n  agora apps set shop --co-owner ''",
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		flags := cmd.Flags()
		if !flags.Changed("co-owner") && !flags.Changed("group") {
			return client.App{}, usageError("say what to set: --co-owner, --group or both")
		}
		was, err := node.App(ctx, app)
		if err != nil {
			return was, err
		}
		if !flags.Changed("co-owner") {
			coOwner = was.CoOwner
		}
		if !flags.Changed("group") {
			group = was.Group
		}
		return node.IfMatch(was.ETag).Share(ctx, app, coOwner, group, reason)
	})
	cmd.Flags().StringVar(&coOwner, "co-owner", "", "the co-owner; '' for none")
	cmd.Flags().StringVar(&group, "group", "", "the group that owns it, by name or id; '' for none")
	return cmd
}

// ownedBy says who owns an app.
func ownedBy(a client.App) string {
	text := a.Owner
	if a.CoOwner != "" {
		text += ", with " + a.CoOwner
	}
	if a.Group != "" {
		text += ", and the group " + a.GroupName
	}
	return text
}

func (c appCommands) transfer() *cobra.Command {
	var to, reason string
	cmd := c.act(&cobra.Command{
		Use: "transfer APP --to USER", Short: "Hand an app over to another person",
		Long: `Offers an app to another person, who takes it with agora apps accept: whoever
owns an app answers for it. An operator hands an app over at once, for when its
owner left. Releases stay as they are signed; the next one is signed by the new
owner, who stands in its manifest.`,
		Example: `  agora apps transfer hello --to bob@example.com`,
	}, &reason, func(ctx context.Context, node *client.Client, app string) (client.App, error) {
		return node.Transfer(ctx, app, to, reason)
	})
	cmd.Flags().StringVar(&to, "to", "", "the new owner: a user with the role developer")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (c appCommands) answer(use, short string, accept bool) *cobra.Command {
	return c.act(&cobra.Command{Use: use + " APP", Short: short}, nil,
		func(ctx context.Context, node *client.Client, app string) (client.App, error) {
			return node.AnswerOffer(ctx, app, accept)
		})
}

func (c appCommands) rename() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rename APP TITLE", Short: "Give an app another title", Args: cobra.ExactArgs(2),
		Long: `Gives an app another title. Its name is its address, and stays. Change the title
in agora.toml, too: the next release brings the title of its manifest.`,
		Example: `  agora apps rename hello "Hello, world"`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			a, err := node.Rename(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The title of %s is %q.\n", a.Name, a.Title)
				return err
			})
		}),
	}
	return cmd
}

// certificateCommands are the commands about certificates of what was removed.
type certificateCommands struct{ *session }

func (c certificateCommands) command() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use: "list", Short: "List certificates of what was removed", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.Certificates(ctx, app)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nothing was removed that you may see.")
					return err
				}
				var rows [][]string
				for _, v := range all {
					rows = append(rows, []string{v.ID, v.App, v.What, fmt.Sprint(len(v.Removed)), when(v.At), v.By, v.Rule})
				}
				return table(w, "CERTIFICATE APP REMOVED THINGS AT BY RULE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&app, "app", "", "those of this app")
	return noun("certificates", "List certificates of what was removed; show, save or verify one", c.limited(cmd),
		c.show(), c.verify())
}

func (c certificateCommands) show() *cobra.Command {
	var save string
	cmd := &cobra.Command{
		Use: "show CERTIFICATE", Short: "Show a certificate, whose signature the node has checked, or save it", Args: cobra.ExactArgs(1),
		Long: `Shows a certificate of what was removed. With --save FILE the document that the
node signed is written to FILE, and its signature, a sigstore bundle for the
identity urn:agora:node, to FILE.sigstore.json.`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			v, err := node.Certificate(ctx, args[0])
			if err != nil {
				return err
			}
			if save != "" {
				if err := os.WriteFile(save, v.Document, 0o600); err != nil {
					return err
				}
				if err := os.WriteFile(save+bundleSuffix, v.Signature, 0o600); err != nil {
					return err
				}
			}
			return c.print(v, func(w io.Writer) error { return showCertificate(w, v) })
		}),
	}
	cmd.Flags().StringVar(&save, "save", "", "file for the signed document; its signature goes beside it")
	return cmd
}

func (c certificateCommands) verify() *cobra.Command {
	var rootPath string
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Check that the node signed a certificate that was saved", Args: cobra.ExactArgs(1),
		Long: `Checks a certificate that agora certificates show --save wrote, with the
signature beside it: against the node's trust root or, with --trust-root, a copy
of it and no node at all.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			signature, err := os.ReadFile(args[0] + bundleSuffix)
			if err != nil {
				return err
			}
			root, err := c.trustRoot(cmd.Context(), rootPath)
			if err != nil {
				return err
			}
			if err := sigstore.VerifyDocument(root, document, signature); err != nil {
				return err
			}
			return c.print(map[string]any{"good": true, "digest": registry.DigestOf(document)}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Good: signed by the node\n%s\n", registry.DigestOf(document))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&rootPath, "trust-root", "", "a sigstore trusted root, instead of the node's")
	return cmd
}

func (c *session) trustRoot(ctx context.Context, path string) ([]byte, error) {
	if path != "" {
		return os.ReadFile(path)
	}
	node, err := c.node()
	if err != nil {
		return nil, err
	}
	return node.TrustRoot(ctx)
}

func showCertificate(w io.Writer, v client.Certificate) error {
	rows := [][]string{
		{"certificate", v.ID}, {"app", v.App}, {"owner", v.Owner}, {"at", v.At.UTC().Format(time.RFC3339)}, {"by", v.By}, {"rule", v.Rule},
		{"digest", v.Digest}, {"before it", orDash(v.Previous)},
	}
	for _, r := range v.Removed {
		words := []string{r.Name, r.Version, r.Digest}
		if r.Count > 0 {
			words = append(words, fmt.Sprint(r.Count))
		}
		if r.Bytes > 0 {
			words = append(words, humanize.Bytes(uint64(r.Bytes)))
		}
		rows = append(rows, []string{"removed", strings.Join(append([]string{r.Kind}, strings.Fields(strings.Join(words, " "))...), " ")})
	}
	for _, k := range v.Kept {
		rows = append(rows, []string{"kept", k})
	}
	return table(w, "", rows)
}
