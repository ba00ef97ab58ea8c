package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/sdk/client"
)

// accessCommands are the commands about who may do what.
type accessCommands struct{ *session }

func (c accessCommands) command() *cobra.Command {
	return noun("access", "Say who may do what, and why", c.why(), c.test())
}

// triedSignIn is what a sign-in would come to.
type triedSignIn struct {
	User        string         `json:"user,omitempty"` // of a user who is new
	Refused     string         `json:"refused,omitempty"`
	Account     string         `json:"account"`
	Subject     string         `json:"subject"`
	Email       string         `json:"email,omitempty"`
	Vouched     bool           `json:"vouched"`
	Groups      []string       `json:"groups"`
	GroupsKnown bool           `json:"groups_known"`
	LeftOut     bool           `json:"groups_left_out,omitempty"`
	Roles       []access.Given `json:"roles"`
	Contact     string         `json:"contact,omitempty"`
}

func (c accessCommands) test() *cobra.Command {
	var file, provider, claims string
	var workload bool
	cmd := &cobra.Command{
		Use: "test", Short: "Try what a sign-in at a provider, or a CI's token, would give", Args: cobra.NoArgs,
		Long: `Reads claims as if a sign-in provider had just sent them, and says who would be
signed in, in which groups, and which roles the rules give and why. It asks
neither a node nor the provider. The claims are a JSON object, such as the body of
an ID token; - reads them from standard input.

With --workload they are those of a CI's token, and it says which rule gives the job a
token of which service account, and what of the others is not met.`,
		Example: "  agora access test --sign-in sign-in.json --provider entra --claims claims.json\n  agora access test --sign-in sign-in.json --workload --claims job.json",
		RunE: func(*cobra.Command, []string) error {
			if workload {
				tried, err := c.tryWorkload(file, claims)
				if err != nil {
					return err
				}
				return c.print(tried, func(w io.Writer) error { return showTriedRules(w, tried) })
			}
			tried, err := c.try(file, provider, claims)
			if err != nil {
				return err
			}
			return c.print(tried, func(w io.Writer) error { return table(w, "", tried.rows()) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "sign-in", "", "file that says at which providers people sign in (docs/sign-in.md)")
	f.StringVar(&provider, "provider", "", "id of the provider that sends the claims (default the only one)")
	f.StringVar(&claims, "claims", "", "file with the claims, or - for standard input")
	f.BoolVar(&workload, "workload", false, "the claims are those of a CI's token")
	_ = cmd.MarkFlagRequired("sign-in")
	_ = cmd.MarkFlagRequired("claims")
	return cmd
}

func (c accessCommands) try(path, provider, claims string) (triedSignIn, error) {
	f, err := oidc.Load(path)
	if err != nil {
		return triedSignIn{}, err
	}
	var ids []string
	for _, p := range f.Providers {
		ids = append(ids, p.ID)
	}
	if provider == "" && len(ids) == 1 {
		provider = ids[0]
	}
	i := slices.Index(ids, provider)
	if i < 0 {
		return triedSignIn{}, usageError("say with --provider which one sends the claims: %s", strings.Join(ids, ", "))
	}
	raw, err := c.readAll(claims)
	if err != nil {
		return triedSignIn{}, err
	}
	who, err := f.Providers[i].Try(raw)
	if err != nil {
		return triedSignIn{}, err
	}
	tried := triedSignIn{
		Account: who.Key(), Subject: who.Subject, Email: who.Email, Vouched: who.Verified, Groups: who.Groups, GroupsKnown: who.GroupsKnown, LeftOut: who.GroupsLeftOut,
		Roles: access.RoleRules{Providers: ids, Rules: f.Rules}.Give(provider, who.Groups), Contact: f.Contact,
	}
	if name, err := who.UserName(); err == nil {
		tried.User = name
	} else {
		tried.Refused = err.Error()
	}
	return tried, nil
}

// readAll reads a file, or standard input for -.
func (c accessCommands) readAll(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(c.in, maxClaims))
	}
	return os.ReadFile(path)
}

// maxClaims is more than a token's claims have, in bytes.
const maxClaims = 1 << 20

func (t triedSignIn) rows() [][]string {
	rows := [][]string{{"account", t.Account}, {"subject", t.Subject}}
	if t.Refused != "" {
		rows = append(rows, []string{"refused", t.Refused + " (unless the account is connected to a user)"})
	} else {
		rows = append(rows, []string{"user", t.User + ", made at the first sign-in if no user has or had that name"})
	}
	switch {
	case t.LeftOut:
		rows = append(rows, []string{"groups", "left out: none, for a person of whom the provider has said groups before and whom it does not provision; otherwise memberships stay as they are"})
	case !t.GroupsKnown:
		rows = append(rows, []string{"groups", "unknown: the claim is no list of texts, names too many, or is elsewhere; memberships stay as they are"})
	case len(t.Groups) == 0:
		rows = append(rows, []string{"groups", "none"})
	}
	for _, g := range t.Groups {
		rows = append(rows, []string{"group", g})
	}
	for _, g := range t.Roles {
		rows = append(rows, []string{"role", string(g.Role) + ", by " + ruleOf(g.Provider, g.Rule, g.Group)})
	}
	if len(t.Roles) == 0 {
		rows = append(rows, []string{"roles", "none by rules: the person sees what serves, and is told to ask " + cmp.Or(t.Contact, "the operators")})
	}
	return rows
}

func (c accessCommands) why() *cobra.Command {
	return &cobra.Command{
		Use: "why USER ACT [ON]", Short: "Say whether a person may do something, and why", Args: cobra.RangeArgs(2, 3),
		Long: `Says whether a person may do something now when they are signed in, by which role
and as what, or what is missing, and who could change that. ON is the app, the id of
the request, the person or the group that the act is about; acts about the node have
none. docs/access.md lists the acts. Whoever is neither auditor nor operator asks
about themselves.`,
		Example: "  agora access why ada@example.com publish shop\n  agora access why rex@example.com decide req-7\n  agora access why ada@example.com operate",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			e, err := node.Why(ctx, args[0], args[1], append(args, "")[2])
			if err != nil {
				return err
			}
			return c.print(e, func(w io.Writer) error { return showWhy(w, e) })
		}),
	}
}

func showWhy(w io.Writer, e client.Explanation) error {
	may := "may not"
	if e.Allowed {
		may = "may"
	}
	rows := [][]string{{"answer", strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Person, may, e.Act, e.On))}, {"why", e.Reason}}
	for i, way := range e.Ways {
		rows = append(rows, []string{onlyFirst(i, "who may"), way})
	}
	for i, change := range e.Change {
		rows = append(rows, []string{onlyFirst(i, "who can change it"), change})
	}
	return table(w, "", append(rows, []string{"operators", orDash(strings.Join(e.Operators, ", "))}))
}

func onlyFirst(i int, text string) string {
	if i == 0 {
		return text
	}
	return ""
}
