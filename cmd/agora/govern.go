package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/script/languages"
	"github.com/agora-host/agora/sdk/client"
)

// requestCommands are the commands about what waits for a decision.
type requestCommands struct{ *session }

func (c requestCommands) command() *cobra.Command {
	var status string
	var f client.RequestFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List what waits for a decision, or was decided", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			if f.Status = status; status == "all" {
				f.Status = ""
			}
			all, err := node.FindRequests(ctx, f)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nothing here.")
					return err
				}
				var rows [][]string
				for _, q := range all {
					rows = append(rows, []string{q.ID, q.Status, q.App, fmt.Sprint(q.Release), what(q), q.Name(q.By), when(q.Created), orDash(q.Turn), dueText(q)})
				}
				return table(w, "REQUEST STATUS APP RELEASE ASKS-FOR BY SINCE TURN DUE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&status, "status", "open", "open, approved, rejected, withdrawn or all")
	cmd.Flags().StringVar(&f.App, "app", "", "only this app")
	cmd.Flags().StringVar(&f.By, "by", "", "only what this user asked for")
	cmd.Flags().StringVar(&f.Turn, "turn", "", "only open ones that wait for these: reviewers or requester")
	cmd.Flags().BoolVar(&f.Overdue, "overdue", false, "only open ones of which the time is over for those whose turn it is")
	cmd.Flags().StringVar(&f.Concern, "concern", "", "only open ones that wait for a reviewer of this concern: security, privacy, finance or platform")
	cmd.Flags().BoolVar(&f.Mine, "mine", false, "only open ones of which it is your turn: to vote, or to answer")
	return noun("requests", "List requests; write about one, approve, reject or withdraw it", c.limited(cmd),
		c.show(), c.decide("approve", true), c.decide("reject", false), c.askChanges(), c.comment(), c.changed(), c.withdraw())
}

func what(q client.Request) string {
	if q.Kind == "promotion" {
		return "to enter " + string(q.Tier)
	}
	if q.Exemption != nil {
		return "an exemption from " + q.Exemption.Code + " in " + string(q.Tier)
	}
	text := q.Capability + " in " + string(q.Tier)
	for _, k := range slices.Sorted(maps.Keys(q.Params)) {
		text += fmt.Sprintf(" (%s %s)", k, humanize.Param(k, q.Params[k]))
	}
	if q.Emergency != "" {
		text += ", allowed before its review: EMERGENCY"
	}
	return text
}

func (c requestCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one request with what the policy said", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Request(ctx, args[0])
			if err != nil {
				return err
			}
			away, err := node.Away(ctx, args[0])
			if err != nil {
				return err
			}
			shown := struct {
				client.Request
				Tag  string          `json:"etag,omitempty"`
				Away []client.Absent `json:"away,omitempty"`
			}{q, q.ETag, away}
			return c.print(shown, func(w io.Writer) error {
				rows := requestRows(q)
				for _, a := range away {
					rows = append(rows, []string{"away", a.Person + " until " + when(a.Until)})
				}
				if q.ETag != "" {
					rows = append(rows, []string{"etag", strings.Trim(q.ETag, `"`)})
				}
				return table(w, "", rows)
			})
		}),
	}
}

// intentRows say what an app is for.
func intentRows(i *client.Intent) (rows [][]string) {
	if i == nil {
		return nil
	}
	if i.Description != "" {
		rows = append(rows, []string{"for", i.Description})
	}
	if i.ExpectedUsers > 0 {
		rows = append(rows, []string{"expected users", humanize.Count(uint64(i.ExpectedUsers))})
	}
	if i.MonthlyCents > 0 {
		rows = append(rows, []string{"expected cost", fmt.Sprintf("%d.%02d a month", i.MonthlyCents/100, i.MonthlyCents%100)})
	}
	for _, name := range slices.Sorted(maps.Keys(i.Answers)) {
		rows = append(rows, []string{name, i.Answers[name]})
	}
	return rows
}

// requestRows say all that a reviewer has to know.
func requestRows(q client.Request) [][]string {
	rows := [][]string{
		{"request", q.ID}, {"status", q.Status}, {"app", fmt.Sprintf("%s release %d", q.App, q.Release)}, {"asks for", what(q)},
		{"asked by", q.Name(q.By) + ", " + when(q.Created)}, {"owner", q.Owner}, {"reason", orDash(q.Reason)}, {"module", q.Digest},
	}
	rows = append(append(rows, exemptionRows(q)...), intentRows(q.Intent)...)
	if q.Kind != "grant" && len(q.Requires) > 0 {
		var words []string
		for _, r := range q.Requires {
			words = append(words, r.Capability)
		}
		rows = append(rows, []string{"grants with it", strings.Join(slices.Compact(words), ", ")})
	}
	if q.Policy != "" {
		rows = append(rows, []string{"policy", q.Policy})
	}
	rows = append(rows, []string{"reaches", orDash(q.Reaches)})
	if q.Newer > 0 {
		rows = append(rows, []string{"newer", newer(q)})
	}
	if q.Replaces != "" {
		rows = append(rows, []string{"replaces", q.Replaces})
	}
	if q.Emergency != "" {
		rows = append(rows, []string{"EMERGENCY", q.Emergency + " allowed it before this review, by " + q.By + ", and ends with it at the latest"})
	}
	if q.Renews != "" {
		rows = append(rows, []string{"renews", q.Renews})
	}
	if q.ReplacedBy != "" {
		rows = append(rows, []string{"replaced by", q.ReplacedBy})
	}
	if len(q.Stages) > 0 {
		rows = append(rows, voteRows(q)...)
	}
	rows = append(rows, threadRows(q)...)
	if q.Turn != "" {
		rows = append(rows, []string{"turn", turnText(q)}, []string{"due", dueText(q)})
	}
	if d := q.Decision; d != nil {
		rows = append(rows, []string{"decided by", d.By + inPlaceOf(d.For) + ", " + when(d.At)}, []string{"because", orDash(d.Reason)})
		if !d.Until.IsZero() {
			rows = append(rows, []string{"until", when(d.Until)})
		}
		if d.Remedy != "" {
			rows = append(rows, []string{"would pass", d.Remedy})
		}
	}
	rows = append(rows, startRows(q)...)
	for _, f := range q.Findings {
		rows = append(rows, []string{string(f.Severity), f.Message})
	}
	for _, ch := range q.Changes {
		rows = append(rows, []string{fmt.Sprintf("since release %d", q.Since), changeText(ch)})
	}
	return rows
}

// changeText says what differs, and whether the release may do more or less by it.
func changeText(c client.Change) string {
	text := fmt.Sprintf("%s: %s → %s", c.Path, orDash(c.Was), orDash(c.Now))
	if c.Effect != "" {
		text += " (" + c.Effect + ")"
	}
	return text
}

// stageText says a stage in words.
func stageText(t client.Tally) string {
	return fmt.Sprintf("%s: %d of %d", cmp.Or(t.Concern, "any reviewer"), t.Have, t.Need)
}

// waits says which stages a request waits for.
func waits(q client.Request) (words []string) {
	for _, t := range q.Progress {
		if t.Open {
			words = append(words, stageText(t))
		}
	}
	return words
}

// voteRows say whose votes a request takes and has.
func voteRows(q client.Request) (rows [][]string) {
	for _, t := range q.Progress {
		text := stageText(t)
		if t.Have < t.Need && !t.Open && q.Status == "open" {
			text += ", once the stages before it have theirs"
		}
		rows = append(rows, []string{"votes", text})
	}
	for _, v := range q.Votes {
		how, also := "approved", inPlaceOf(v.For)
		if !v.Approve {
			how = "rejected"
		}
		if v.Concern != "" {
			also += " as a reviewer of " + v.Concern
		}
		if v.Reason != "" {
			also += ": " + v.Reason
		}
		if v.Void != "" {
			also += " (does not count: " + v.Void + ")"
		}
		rows = append(rows, []string{how + " by", v.By + ", " + when(v.At) + also})
	}
	return rows
}

// inPlaceOf says in whose place somebody voted; "" if in their own.
func inPlaceOf(name string) string {
	if name == "" {
		return ""
	}
	return " in the place of " + name
}

// turnText says whom an open request waits for.
func turnText(q client.Request) string {
	if q.Turn == "requester" {
		return "its requester's: " + q.Name(q.By) + " or an owner of the app answers with agora requests comment or agora requests changed"
	}
	return "the reviewers'"
}

// clocksText says how long each side has.
func clocksText(c client.Clocks) string {
	hours := func(n int) string {
		if n == 0 {
			return "any"
		}
		return strconv.Itoa(n)
	}
	text := fmt.Sprintf("reviewers %s, requester %s", hours(c.Reviewers), hours(c.Requester))
	if c.Withdraw > 0 {
		text += fmt.Sprintf("; withdrawn %d later", c.Withdraw)
	}
	return text
}

// dueText says when the time of those is over whose turn it is.
func dueText(q client.Request) string {
	switch {
	case q.Due.IsZero():
		return "-"
	case q.Told > 0:
		return "overdue since " + when(q.Due)
	}
	return when(q.Due)
}

// threadRows are what was written about a request, each line of a text in a row.
func threadRows(q client.Request) (rows [][]string) {
	did := map[string]string{
		"comment": "wrote", "changes": "asked for changes", "answer": "answered", "changed": "said that it is changed", "settled": "needs no changes any more",
	}
	for _, c := range q.Thread {
		text := c.Name(c.By) + " " + cmp.Or(did[c.Kind], c.Kind) + ", " + when(c.At)
		if c.Text != "" {
			text += ": "
		}
		lines := strings.Split(c.Text, "\n")
		rows = append(rows, []string{"thread", text + lines[0]})
		for _, line := range lines[1:] {
			rows = append(rows, []string{"", line})
		}
	}
	return rows
}

func newer(q client.Request) string {
	return fmt.Sprintf("release %d was uploaded meanwhile; this is about release %d", q.Newer, q.Release)
}

func (c requestCommands) askChanges() *cobra.Command {
	var reason, digest, tag string
	cmd := &cobra.Command{
		Use: "ask-changes ID", Short: "Ask for changes of another person's request", Args: cobra.ExactArgs(1),
		Long: "The request waits for its requester then, and is not approved before they have answered: with a comment, by saying that it is changed, or with a request about a later release. If you have approved it, that does not count any more.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.IfMatch(quoted(tag)).AskChanges(ctx, args[0], digest, reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s waits for %s.\n", q.ID, q.Name(q.By))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what has to change; needed")
	cmd.Flags().StringVar(&digest, "digest", "", "the module that you looked at, as agora requests show prints it")
	cmd.Flags().StringVar(&tag, "if-match", "", "the etag of the request that you looked at, as agora requests show prints it")
	return cmd
}

func (c requestCommands) comment() *cobra.Command {
	return &cobra.Command{
		Use: "comment ID TEXT", Short: "Write about a request; of your own, it is the answer if changes were asked for", Args: cobra.ExactArgs(2),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Comment(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error { return showWritten(w, q) })
		}),
	}
}

func (c requestCommands) changed() *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use: "changed ID", Short: "Say that what was asked for is changed, so that reviewers look again", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.Changed(ctx, args[0], text)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error { return showWritten(w, q) })
		}),
	}
	cmd.Flags().StringVar(&text, "comment", "", "what there is to say about it")
	return cmd
}

func showWritten(w io.Writer, q client.Request) error {
	_, err := fmt.Fprintf(w, "It stands on %s. The turn is %s.\n", q.ID, turnText(q))
	return err
}

func showDecided(w io.Writer, q client.Request) error {
	if q.Status == "open" {
		_, err := fmt.Fprintf(w, "Your vote about %s counts: %s release %d, %s.\n  %s\nIt is open, and waits for %s.\n", q.ID, q.App, q.Release, what(q), q.Digest, strings.Join(waits(q), " and "))
		return err
	}
	_, err := fmt.Fprintf(w, "%s is %s: %s release %d, %s.\n  %s\n", q.ID, statusText(q), q.App, q.Release, what(q), q.Digest)
	if err == nil && q.Status == "approved" {
		_, err = fmt.Fprintf(w, "It reaches %s.\n", q.Reaches)
	}
	if d := q.Decision; err == nil && d != nil && !d.Until.IsZero() {
		_, err = fmt.Fprintf(w, "What it grants ends on %s.\n", when(d.Until))
	}
	if err == nil && q.Newer > 0 {
		_, err = fmt.Fprintf(w, "Note: %s.\n", newer(q))
	}
	return err
}

// statusText says what became of a request.
func statusText(q client.Request) string {
	if q.Status == "scheduled" {
		return "approved, and starts on " + when(q.Starts)
	}
	return q.Status
}

// startRows say when a promotion takes effect that was not to at once.
func startRows(q client.Request) (rows [][]string) {
	if !q.Starts.IsZero() {
		rows = append(rows, []string{"starts", when(q.Starts)})
	}
	if !q.Started.IsZero() {
		rows = append(rows, []string{"started", when(q.Started)})
	}
	if q.NotStarted != "" {
		rows = append(rows, []string{"did not start", q.NotStarted})
	}
	return rows
}

func (c requestCommands) withdraw() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "withdraw ID", Short: "Take a request back before it has any effect", Args: cobra.ExactArgs(1),
		Long: "Takes your own open request back, or one that is approved and has not started: its requester and the owners of\nthe app can do that, and a reviewer or an operator with a reason.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.WithdrawBecause(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is taken back.\n", q.ID)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; needed if it is another person's")
	return cmd
}

// grantCommands are the commands about what apps are granted.
type grantCommands struct{ *session }

func (c grantCommands) command() *cobra.Command {
	var f client.GrantFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List what apps are granted", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			all, err := node.FindGrants(ctx, f)
			if err != nil {
				return err
			}
			return c.print(all, func(w io.Writer) error {
				if len(all) == 0 {
					_, err := fmt.Fprintln(w, "Nothing was granted yet.")
					return err
				}
				var rows [][]string
				for _, g := range all {
					state := holdsText(g, time.Now())
					serves := []string{}
					for _, s := range g.Serving {
						serves = append(serves, fmt.Sprintf("%s %d (%s)", s.Tier, s.Release, s.How))
					}
					rows = append(rows, []string{g.ID, g.App, g.Capability, string(g.Tier), state, fmt.Sprint(g.Reviewed.Release), orDash(strings.Join(serves, ", ")), g.By, when(g.Created)})
				}
				return table(w, "GRANT APP CAPABILITY UP-TO STATE REVIEWED SERVES BY SINCE", rows)
			})
		}),
	}
	cmd.Flags().StringVar(&f.App, "app", "", "only this app")
	cmd.Flags().StringVar(&f.Capability, "capability", "", "only this capability")
	cmd.Flags().BoolVar(&f.Live, "live", false, "only those that hold now")
	show := &cobra.Command{
		Use: "show ID", Short: "Show one grant, and which releases it reaches", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			return c.show(ctx, node, args[0])
		}),
	}
	shrink := &cobra.Command{
		Use: "shrink ID", Short: "Take off a grant, at once, what its app has not used", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, err := node.ShrinkGrant(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(g, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s may now use %s with %s. More has to be asked for again.\n", g.App, g.Capability, params(g.Params))
				return err
			})
		}),
	}
	return noun("grants", "List grants; renew, certify, shrink or revoke one; break the glass", c.limited(cmd), show, c.renew(), c.certify(), c.revoke(), shrink, c.emergency())
}

func (c grantCommands) show(ctx context.Context, node *client.Client, id string) error {
	g, err := node.Grant(ctx, id)
	if err != nil {
		return err
	}
	return c.print(g, func(w io.Writer) error {
		rows := [][]string{
			{"grant", g.ID}, {"app", g.App}, {"allows", strings.TrimSpace(g.Capability + " " + params(g.Params))}, {"up to", string(g.Tier)},
			{"granted by", g.By + ", " + when(g.Created) + ", in " + g.Request}, {"because", orDash(g.Reason)},
			{"reviewed", fmt.Sprintf("release %d, %s", g.Reviewed.Release, g.Reviewed.Digest)}, {"reaches", g.Reaches},
		}
		rows = append(rows, endRows(g, time.Now())...)
		for _, s := range g.Serving {
			rows = append(rows, []string{"serves", fmt.Sprintf("%s: release %d (%s)", s.Tier, s.Release, s.How)})
		}
		for _, digest := range g.Except {
			rows = append(rows, []string{"except", digest + ", which was rejected"})
		}
		if !g.Revoked.IsZero() {
			rows = append(rows, []string{"revoked by", g.RevokedBy + ", " + when(g.Revoked) + ": " + g.RevokedFor})
		}
		return table(w, "", rows)
	})
}

func (c grantCommands) revoke() *cobra.Command {
	var reason string
	var all bool
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a grant at once", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			end := node.RevokeGrant
			if all {
				end = node.RevokeAll
			}
			done, err := end(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(done, func(w io.Writer) error { return showRevoked(w, done) })
		}),
	}
	revoke.Flags().StringVar(&reason, "reason", "", "why")
	_ = revoke.MarkFlagRequired("reason")
	revoke.Flags().BoolVar(&all, "all", false, "every grant of its app for the same capability")
	return revoke
}

// showRevoked says what ended, and what still allows the same.
func showRevoked(w io.Writer, done client.Revoked) error {
	var still []string
	for _, g := range done.Still {
		still = append(still, fmt.Sprintf("by %s, up to the %s tier, which reaches %s", g.ID, g.Tier, g.Reaches))
	}
	for _, tier := range done.Default {
		still = append(still, fmt.Sprintf("in the %s tier, which gives it to every app", tier))
	}
	if len(still) == 0 {
		_, err := fmt.Fprintf(w, "%s may no longer use %s.\n", done.App, done.Capability)
		return err
	}
	if _, err := fmt.Fprintf(w, "%s is revoked. %s may still use %s:\n  %s\n", done.ID, done.App, done.Capability, strings.Join(still, "\n  ")); err != nil || len(done.Still) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "To end those, too: agora grants revoke %s --all --reason …\n", done.ID)
	return err
}

// policyCommands are the commands about the rules of a node.
type policyCommands struct{ *session }

func (c policyCommands) command() *cobra.Command {
	var tier string
	without := unmanifested{dry: true}
	check := &cobra.Command{
		Use: "check FILE [MODULE]", Short: "Check an app against the policy, without an upload", Args: cobra.RangeArgs(1, 2),
		Long: `Checks a manifest, and with it a module or a script if one is named, against the policy; or
a script, as agora deploy would publish it. Exit status 3 if the policy would refuse it.`,
		Example: "  agora policy check app.ts\n  agora policy check agora.toml app.wasm --tier production",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := checked(args)
			if err != nil {
				return err
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			steps := c.progress()
			if err := without.fill(cmd.Context(), node, steps, &p); err != nil {
				return err
			}
			var module []byte
			if p.module != "" {
				if module, err = moduleOf(cmd.Context(), p, steps); err != nil {
					return err
				}
			}
			findings, err := node.CheckPolicy(cmd.Context(), p.manifest, module, tier)
			if err != nil {
				return err
			}
			return c.verdict(findings, tier)
		},
	}
	check.Flags().StringVar(&tier, "tier", "sandbox", "sandbox, pilot or production")
	without.named(check.Flags())
	show := &cobra.Command{
		Use: "show", Short: "Print the policy in force, and which releases grants reach", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			rules, err := node.Policy(ctx)
			if err != nil {
				return err
			}
			return c.print(rules, func(w io.Writer) error {
				for _, name := range slices.Sorted(maps.Keys(rules)) {
					if _, err := fmt.Fprintf(w, "# --- %s\n%s\n", name, rules[name]); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	return noun("policy", "Show the policy, or check an app against it before an upload", show, c.tiers(), check)
}

// checked is what arguments of a check name: a script, with the manifest beside it if there is one, or a manifest, and
// what is to be checked with it.
func checked(args []string) (project, error) {
	if languages.IsSource(args[0]) {
		return locate(args[0], append(args, "")[1])
	}
	manifest, err := os.ReadFile(args[0])
	return project{filepath.Dir(args[0]), manifest, append(args, "")[1]}, err
}

// tiers prints what the policy says about each tier, as data.
func (c policyCommands) tiers() *cobra.Command {
	return &cobra.Command{
		Use: "tiers", Short: "Print what each tier allows without a reviewer, and its limits", Args: cobra.NoArgs,
		Long: "Prints what each tier allows without a reviewer, its limits, what a manifest has to say, and who may\nopen an app by default. An organisation changes it in `tiers` of data.json: see docs/tiers.md.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			tiers, err := node.Tiers(ctx)
			if err != nil {
				return err
			}
			return c.print(tiers, func(w io.Writer) error {
				for _, t := range tiers {
					if err := showTier(w, t); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
}

// grantReach says which releases a tier's grants reach.
func grantReach(r client.GrantRules) string {
	switch {
	case r.Reach != "later":
		return "the reviewed release"
	case len(r.Unless) == 0:
		return "the reviewed release and later ones"
	}
	return "the reviewed release and later ones, unless they differ in " + strings.Join(r.Unless, ", ")
}

func showTier(w io.Writer, t client.Tier) error {
	rows := [][]string{
		{"instructions", humanize.Count(t.Limits.Fuel)}, {"memory", humanize.Bytes(uint64(t.Limits.Memory))},
		{"time", fmt.Sprintf("%d ms", t.Limits.TimeoutMS)}, {"at once", strconv.Itoa(t.Limits.Concurrency)},
		{"triggers", fmt.Sprintf("%d crons (every %d s), %d webhooks, %d events", t.Triggers.Crons, t.Triggers.IntervalS, t.Triggers.Webhooks, t.Triggers.Events)},
		{"manifest says", strings.Join(t.Metadata, ", ")}, {"opens to", t.Audience}, {"hours to act", clocksText(t.Clocks)}, {"a grant reaches", grantReach(t.Grants)}, {"a grant lives", lifeText(t.Grants)},
	}
	for i, says := range t.Says {
		what := ""
		if i == 0 {
			what = "no reviewer for"
		}
		rows = append(rows, []string{what, says})
	}
	if _, err := fmt.Fprintf(w, "%s\n", t.Tier); err != nil {
		return err
	}
	return table(w, "", rows)
}

// verdict prints findings and says by the exit status whether they refuse.
func (c policyCommands) verdict(findings []abi.Finding, tier string) error {
	worst := "pass"
	for _, f := range findings {
		switch {
		case f.Severity == abi.SeverityDeny:
			worst = "refuse"
		case f.Severity == abi.SeverityReview && worst == "pass":
			worst = "review"
		}
	}
	err := c.print(findings, func(w io.Writer) error {
		text := map[string]string{
			"pass": "The policy lets it into the %s tier.\n", "review": "The policy lets it into the %s tier once a reviewer has decided:\n", "refuse": "The policy refuses it in the %s tier:\n",
		}[worst]
		_, err := fmt.Fprintf(w, text, tier)
		return err
	})
	if err != nil {
		return err
	}
	if c.output != "json" {
		c.printFindings(findings)
	}
	if worst == "refuse" {
		return &exitError{exitRefused, errSilent}
	}
	return nil
}

// quoted returns an ETag in its quotation marks, which a shell takes away.
func quoted(tag string) string {
	if tag == "" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}
