package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

// appCommands are the commands about apps; lifecycle.go has those that change where an app stands.
type appCommands struct{ *session }

func (c appCommands) command() *cobra.Command {
	var search client.AppSearch
	cmd := &cobra.Command{
		Use: "list", Short: "List apps", Args: cobra.NoArgs,
		Example: "  agora apps list\n  agora apps list --search 'expenses sales' --tier production",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			apps, err := node.FindApps(ctx, search)
			if err != nil {
				return err
			}
			return c.print(apps, func(w io.Writer) error {
				if len(apps) == 0 && search != (client.AppSearch{}) {
					_, err := fmt.Fprintln(w, "No app matches. Leave a word or a filter out; `agora apps list` lists all.")
					return err
				}
				if len(apps) == 0 {
					_, err := fmt.Fprintln(w, "No apps yet. Publish one with `agora deploy DIRECTORY`.")
					return err
				}
				var rows [][]string
				for _, a := range apps {
					rows = append(rows, []string{a.Name, orDash(string(a.Tier)), release(a.Serving), a.Owner, a.Team, waiting(a.Waiting), a.State, a.URL})
				}
				return table(w, "APP TIER RELEASE OWNER TEAM WAITING STATE ADDRESS", rows)
			})
		}),
	}
	show := &cobra.Command{
		Use: "show APP", Short: "Show one app", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			a, err := node.App(ctx, args[0])
			if err != nil {
				return err
			}
			requests, err := node.Requests(ctx, "", a.Name)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) error {
				rows := [][]string{
					{"name", a.Name}, {"title", orDash(a.Title)}, {"description", orDash(a.Description)}, {"owner", ownedBy(a)}, {"team", a.Team},
					{"cost center", a.CostCenter}, {"data classification", a.Classification}, {"releases", strconv.Itoa(a.Releases)},
				}
				if a.Engine != nil {
					rows = append(rows, []string{"made with", printable(a.Engine.Version) + ", " + engineWords(*a.Engine)})
				}
				for _, f := range a.Findings {
					rows = append(rows, []string{"to do", printable(f.Message) + " " + f.Remedy.Summary})
				}
				rows = append(rows, lifeRows(a)...)
				for _, tier := range abi.Tiers() {
					if n := a.Active[tier]; n > 0 {
						rows = append(rows, []string{string(tier), fmt.Sprintf("release %d at %s", n, a.TierURLs[tier])})
					}
				}
				return table(w, "", append(rows, rejected(requests, a.Releases)...))
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&search.Text, "search", "", "only apps in which all of these words occur: in title, name, description, owner, team, tiers or capabilities")
	flags.StringVar(&search.Tier, "tier", "", "only apps that serve sandbox, pilot or production")
	flags.StringVar(&search.Team, "team", "", "only apps of one team")
	flags.StringVar(&search.Owner, "owner", "", "only apps that this person owns, alone or with others")
	flags.StringVar(&search.Capability, "capability", "", "only apps with a capability, such as kv")
	flags.BoolVar(&search.Orphaned, "orphaned", false, "only apps whose owner is disabled")
	flags.BoolVar(&search.OldEngine, "old-engine", false, "only apps that were made of scripts with an engine that is too old")
	flags.StringVar(&search.State, "state", "", "only apps in one state: active, maintenance, suspended, quarantined, deleting or removing")
	return noun("apps", "List and show apps; suspend, delete or hand over one", c.limited(cmd), show,
		c.maintain(), c.unmaintain(), c.suspend(), c.resume(), c.quarantine(), c.unquarantine(), c.delete(), c.undelete(), c.transfer(), c.set(),
		c.answer("accept", "Take over an app that is offered to you", true),
		c.answer("decline", "Refuse an app that is offered to you, or take your offer back", false), c.rename())
}

// rejected says why what was asked for last, about the newest release, is not there.
func rejected(requests []client.Request, newest int) (rows [][]string) {
	seen := map[string]bool{}
	for _, q := range requests { // newest first
		subject := q.Kind + " " + q.Capability + string(q.Tier)
		if q.Release != newest || seen[subject] {
			continue
		}
		seen[subject] = true
		if q.Status == "rejected" {
			rows = append(rows, []string{"rejected", fmt.Sprintf("%s, release %d, %s, by %s: %s", q.ID, q.Release, what(q), q.Decision.By, q.Decision.Reason)})
		}
	}
	return rows
}

func release(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func waiting(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func tierWords(tiers []abi.Tier) string {
	words := make([]string, len(tiers))
	for i, t := range tiers {
		words[i] = string(t)
	}
	return orDash(strings.Join(words, ","))
}

// releaseCommands are the commands about the releases of an app.
type releaseCommands struct{ *session }

func (c releaseCommands) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list APP", Short: "List an app's releases", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			all, err := node.Releases(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				var rows [][]string
				for _, r := range all {
					var missing []string
					for _, a := range r.Access {
						if a.Imported && !a.Granted {
							missing = append(missing, a.Name)
						}
					}
					rows = append(rows, []string{strconv.Itoa(r.Number), orDash(r.Version), tierWords(r.ActiveIn), when(r.Created), r.Signer.Identity, orDash(strings.Join(missing, ",")), keptWords(r.Kept), r.PreviewURL})
				}
				return table(w, "RELEASE VERSION SERVES UPLOADED SIGNED-BY LACKS GOES PREVIEW", rows)
			})
		}),
	}
	return noun("releases", "List an app's releases; activate, roll back, promote or delete one, or decide what it asks for", c.limited(cmd),
		c.show(), c.source(), c.review(), c.activate(), c.rollback(), c.promote(), c.ask(), c.decide("approve", true), c.decide("reject", false), c.delete())
}

// about is withNode for commands whose arguments name a release.
func (c releaseCommands) about(run func(ctx context.Context, node *client.Client, app string, number int) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return usageError("%q is no release number", args[1])
		}
		node, err := c.node()
		if err != nil {
			return err
		}
		return run(cmd.Context(), node, args[0], n)
	}
}

func (c releaseCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show APP NUMBER", Short: "Show one release", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			r, err := node.Release(ctx, app, n)
			if err != nil {
				return err
			}
			return c.print(r, func(w io.Writer) error { return showRelease(w, r) })
		}),
	}
}

func (c releaseCommands) source() *cobra.Command {
	return &cobra.Command{
		Use: "source APP NUMBER", Short: "Show the files that a release was made of", Args: cobra.ExactArgs(2),
		Long: `Shows the files that a release was made of, as its signed module carries them: those of its
maker's own, without packages. It is for the app's owner, reviewers and operators.`,
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			made, err := node.ReleaseSource(ctx, app, n)
			if err != nil {
				return err
			}
			return c.print(made, func(w io.Writer) error { return showSource(w, made) })
		}),
	}
}

func showSource(w io.Writer, s client.ReleaseSource) error {
	fmt.Fprintf(w, "Made with %s; %s.\n", printable(s.Made.Engine), rebuilt(s))
	for _, f := range s.Files {
		fmt.Fprintf(w, "\n-- %s --\n%s", printable(f.Name), printableLines(f.Contents))
		if !strings.HasSuffix(f.Contents, "\n") {
			fmt.Fprintln(w)
		}
	}
	return nil
}

// rebuilt says how far the files that a release shows are known to be its own.
func rebuilt(s client.ReleaseSource) string {
	switch {
	case s.Rebuilt:
		return "the node made the same module of these files"
	case s.Made.Packages:
		return "packages are in it, too, so the node cannot make it again and compare"
	case s.Outdated:
		return "the node has another version of the engine, and cannot make it again and compare"
	}
	return "the files are its maker's word: the node has not made it again"
}

// engineWords say how the version of a release's engine stands to the node's.
func engineWords(e client.Engine) string {
	switch e.Standing {
	case "current":
		return "which is the node's"
	case "earlier", "old":
		words := "in whose place another version came on " + e.Until.Format(time.DateOnly)
		if e.Standing == "old" {
			words += ": it is too old"
		}
		return words + "; deploy it again to have that"
	case "flawed":
		return "which should not go on to be used, since it " + printable(e.Flaw) + ": deploy it again"
	}
	return "which the node does not know"
}

func showRelease(w io.Writer, r client.Release) error {
	l := r.Manifest.Limits
	rows := [][]string{
		{"release", fmt.Sprintf("%s %d (%s)", r.App, r.Number, orDash(r.Version))}, {"serves", tierWords(r.ActiveIn)}, {"may serve", tierWords(r.MayServe)}, {"preview", r.PreviewURL},
		{"signed by", fmt.Sprintf("%s (%s), %s%s", r.Signer.Identity, r.Signer.Method, when(r.Signer.SignedAt), signedAs(r.Signer))},
		{"uploaded", when(r.Created) + " by " + r.Name(r.CreatedBy)}, {"module", fmt.Sprintf("%s, %s, %s", r.Digest, humanize.Bytes(uint64(r.Size)), r.Interface)},
		{"kept because", strings.Join(r.Kept.Because, "; ")}, {"goes", keptWords(r.Kept)},
		{"limits", fmt.Sprintf("%s instructions by cost table %d, %s memory, %s, %d at once", humanize.Count(l.Fuel), r.FuelTable, l.Memory, l.Timeout, l.Concurrency)},
	}
	m := r.Manifest
	rows = append(rows, intentRows(&client.Intent{Description: m.Description, ExpectedUsers: m.ExpectedUsers, MonthlyCents: m.MonthlyCents, Answers: m.Answers})...)
	if r.Made != nil {
		made := printable(r.Made.Entry) + ", with " + printable(r.Made.Version)
		if r.Engine != nil {
			made += ", " + engineWords(*r.Engine)
		}
		rows = append(rows, []string{"made of", made})
	}
	return table(w, "", append(rows, accessRows(r.Access)...))
}

// accessRows say what a release declares, imports and was granted.
func accessRows(all []client.CapabilityState) (rows [][]string) {
	for _, a := range all {
		state := "not granted"
		if a.Granted {
			state = "granted"
		}
		if a.Default {
			state += " by the rules"
		}
		if a.EmergencyBy != "" {
			state += fmt.Sprintf(" by %s: EMERGENCY, by %s until %s, before its review", a.Grant, a.EmergencyBy, when(a.EmergencyUntil))
		} else if a.Grant != "" {
			state += fmt.Sprintf(" by %s, reviewed for release %d (%s)", a.Grant, a.Reviewed, a.How)
		}
		if a.Request != "" {
			state += ", waits in " + a.Request
		}
		if q := a.Refused; q != nil {
			state += fmt.Sprintf(", rejected in %s by %s: %s", q.ID, q.Decision.By, q.Decision.Reason)
		}
		rows = append(rows, []string{"may use " + a.Name, fmt.Sprintf("declared: %v, imported: %v, %s", a.Declared, a.Imported, state)})
	}
	return rows
}

func (c releaseCommands) activate() *cobra.Command {
	var tier, reason string
	cmd := &cobra.Command{
		Use: "activate APP NUMBER", Short: "Let a tier serve a release that is approved for it", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			return c.routed(node.Activate(ctx, app, n, abi.Tier(tier), reason))
		}),
	}
	cmd.Flags().StringVar(&tier, "tier", "sandbox", "sandbox, pilot or production")
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the history")
	return cmd
}

func (c releaseCommands) rollback() *cobra.Command {
	var tier, reason string
	cmd := &cobra.Command{
		Use: "rollback APP", Short: "Go back to the release that served before", Args: cobra.ExactArgs(1),
		Example: `  agora releases rollback hello --reason "totals were wrong"`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			return c.routed(node.RollBack(ctx, args[0], abi.Tier(tier), reason))
		}),
	}
	cmd.Flags().StringVar(&tier, "tier", "", "sandbox, pilot or production (default: the highest that serves)")
	cmd.Flags().StringVar(&reason, "reason", "", "why; others will read it later")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// routed says what a tier serves now.
func (c releaseCommands) routed(a client.Activation, err error) error {
	if err != nil {
		return err
	}
	return c.print(a, func(w io.Writer) error {
		before := ""
		if a.Previous > 0 {
			before = fmt.Sprintf(" (before: %d)", a.Previous)
		}
		_, err := fmt.Fprintf(w, "%s: the %s tier serves release %d%s.\n", a.App, a.Tier, a.Release, before)
		return err
	})
}

// decide decides at once about what a release asks for.
func (c releaseCommands) decide(verb string, approve bool) *cobra.Command {
	var v client.ReleaseVerdict
	var concern string
	var only []string
	var life lifetime
	var starts beginning
	cmd := &cobra.Command{
		Use: verb + " APP NUMBER", Short: strings.ToUpper(verb[:1]) + verb[1:] + " all that a release asks for", Args: cobra.ExactArgs(2),
		Long: `Votes about every open request of the release that you may decide now, or about those
that --request names: about all of them or, if one is refused or was decided meanwhile, about none.
Each keeps its own votes; agora requests show ID shows them, and agora requests ` + verb + ` ID decides one alone.`,
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			if v.Approve = approve; concern != "" {
				v.Concern = &concern
			}
			for _, id := range only {
				v.Parts = append(v.Parts, client.PartVerdict{ID: id})
			}
			var err error
			if v.Until, err = life.end(time.Now()); err != nil {
				return err
			}
			if v.Starts, err = starts.moment(time.Now()); err != nil {
				return err
			}
			all, err := node.DecideRelease(ctx, app, n, v)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				for _, q := range all {
					if err := showDecided(w, q); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	cmd.Flags().StringSliceVar(&only, "request", nil, "only these requests, with commas between them")
	cmd.Flags().StringVar(&v.Digest, "digest", "", "the module that you looked at, as agora releases show prints it")
	cmd.Flags().StringVar(&v.Reason, "reason", "", "why; needed to reject")
	if approve {
		life.flags(cmd)
		starts.flags(cmd)
		cmd.Flags().StringVar(&concern, "concern", "", "vote as a reviewer of this concern: security, privacy, finance or platform")
	} else {
		cmd.Flags().StringVar(&v.Remedy, "remedy", "", "what would pass")
	}
	return cmd
}

func (c releaseCommands) promote() *cobra.Command {
	var to, reason string
	cmd := &cobra.Command{
		Use: "promote APP NUMBER", Short: "Ask for a release to enter a higher tier", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			q, err := node.Promote(ctx, app, n, abi.Tier(to), reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Asked in %s: a reviewer decides whether %s release %d enters %s.\n", q.ID, q.App, q.Release, q.Tier)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "pilot or production")
	cmd.Flags().StringVar(&reason, "reason", "", "what the reviewer should know")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (c releaseCommands) ask() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "ask APP NUMBER", Short: "Ask again for what a release lacks, after it was rejected or revoked", Args: cobra.ExactArgs(2),
		RunE: c.about(func(ctx context.Context, node *client.Client, app string, n int) error {
			asked, err := node.AskAgain(ctx, app, n, reason)
			if err != nil {
				return err
			}
			return c.print(asked, func(w io.Writer) error {
				for _, q := range asked {
					if _, err := fmt.Fprintf(w, "Asked in %s: %s release %d, %s. A reviewer decides.\n", q.ID, q.App, q.Release, what(q)); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what the reviewer should know")
	return cmd
}

// signedAs names what a signature was made for, where its person has another name now.
func signedAs(s client.Signer) string {
	if s.SignedAs == "" {
		return ""
	}
	return ", as " + s.SignedAs
}
