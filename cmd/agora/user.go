package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// userChange is what `agora users set` is asked for. What is not named stays as it is.
type userChange struct {
	roles, add, remove []string
	exactly            bool // roles are all that the user is to have
	disable, enable    bool
	yes                bool
}

// changedUser is a user after a change, with the roles from before.
type changedUser struct {
	client.User
	Had []string `json:"had"`
	New bool     `json:"new,omitempty"`
}

func (c userCommands) set() *cobra.Command {
	var change userChange
	cmd := &cobra.Command{
		Use: "set USER", Short: "Make a user, or change what a user may do", Args: cobra.ExactArgs(1),
		Long: `Makes a user, or changes one; what is not named stays as it is. --add-role and
--remove-role change single roles. --role names all roles that the user is to have:
if that takes some away, they are named, and --yes is needed. If another operator
changes the user meanwhile, nothing of theirs is lost: single roles are added and
removed again in what they made, and with --role the command ends and says so.`,
		Example: "  agora users set ada@example.com --role developer --role reviewer\n  agora users set ada@example.com --add-role operator\n  agora users set ada@example.com --remove-role reviewer\n  agora users set ada@example.com --disable",
		RunE: func(cmd *cobra.Command, args []string) error {
			change.exactly = cmd.Flags().Changed("role")
			if err := change.check(); err != nil {
				return err
			}
			return c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
				return c.put(ctx, node, args[0], change)
			})(cmd, args)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&change.roles, "role", nil, "all roles that the user is to have: viewer, developer, reviewer or operator (repeat for more)")
	f.StringSliceVar(&change.add, "add-role", nil, "a role more (repeat for more)")
	f.StringSliceVar(&change.remove, "remove-role", nil, "a role less (repeat for more)")
	f.BoolVar(&change.disable, "disable", false, "refuse this user everywhere")
	f.BoolVar(&change.enable, "enable", false, "let a disabled user in again")
	f.BoolVar(&change.yes, "yes", false, "take the roles away that --role leaves out")
	return cmd
}

func (u userChange) check() error {
	for _, role := range u.add {
		if slices.Contains(u.remove, role) {
			return usageError("--add-role and --remove-role both name %s", role)
		}
	}
	switch {
	case u.exactly && len(u.add)+len(u.remove) > 0:
		return usageError("--role names all roles, so --add-role and --remove-role have nothing to change: use one or the other")
	case u.disable && u.enable:
		return usageError("--disable and --enable: use one of them")
	}
	return nil
}

// maxTries bounds how often a change of a user begins again because others change the same user.
const maxTries = 5

// put changes a user, and says what the user had and has. It writes only over what it has read:
// if another operator was faster, what is added and removed is applied to what they have made of it.
func (c userCommands) put(ctx context.Context, node *client.Client, name string, change userChange) error {
	name = strings.ToLower(strings.TrimSpace(name)) // the one form of users' names
	for n := 1; ; n++ {
		was, known, err := readUser(ctx, node, name)
		if err != nil {
			return err
		}
		wanted := change.of(was.Roles)
		lost := without(was.Roles, wanted)
		if change.exactly && len(lost) > 0 && !change.yes {
			return usageError("%s would lose %s: say --yes if you mean it, or use --add-role to leave the other roles as they are", name, strings.Join(lost, ", "))
		}
		held := node.IfMatch(was.ETag)
		if !known {
			held = node.IfAbsent()
		}
		u, err := held.PutUser(ctx, name, wanted, (was.Disabled || change.disable) && !change.enable)
		if client.Changed(err) && !change.exactly && n < maxTries {
			continue // a set of roles is meant for the user as they were; a difference for whatever they have
		}
		if err != nil {
			return err
		}
		done := changedUser{u, append([]string{}, was.Roles...), !known}
		return c.print(done, func(w io.Writer) error { return done.show(w) })
	}
}

// readUser reads a user, and reports whether there is one.
func readUser(ctx context.Context, node *client.Client, name string) (u client.User, known bool, err error) {
	u, err = node.User(ctx, name)
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
		return client.User{}, false, nil
	}
	return u, err == nil, err
}

func (c userCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show USER", Short: "Show one user, with the names that they had", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			u, err := node.User(ctx, args[0])
			if err != nil {
				return err
			}
			accounts, err := node.Accounts(ctx, u.Name)
			if err != nil {
				return err
			}
			shown := shownUser{u, accounts}
			return c.print(shown, func(w io.Writer) error { return table(w, "", shown.rows()) })
		}),
	}
}

// shownUser is a user with the accounts at sign-in providers.
type shownUser struct {
	client.User
	Accounts []client.Account `json:"accounts"`
}

func (u shownUser) rows() [][]string {
	rows := [][]string{{"user", u.Name}, {"id", orDash(u.ID)}, {"roles", orDash(strings.Join(u.Roles, ", "))}, {"state", stateOf(u.User)}, {"since", when(u.Created)}}
	for _, f := range u.Former {
		rows = append(rows, []string{"was", f.Name + ", until " + when(f.Until)})
	}
	for _, g := range u.Given {
		rows = append(rows, []string{"given", fmt.Sprintf("%s by %s, until %s", g.Role, ruleOf(g.Provider, g.Rule, g.Group), when(g.Until))})
	}
	for _, a := range u.Accounts {
		rows = append(rows, []string{"account", fmt.Sprintf("%s at %s, %s, signed in %s", cmp.Or(a.Email, a.Name, a.Subject), a.Provider, a.ID, when(a.SignedIn))})
	}
	return rows
}

// ruleOf says which rule gives a role.
func ruleOf(provider string, rule int, group string) string {
	if group == "" {
		return fmt.Sprintf("rule %d, for everyone at %s", rule, provider)
	}
	return fmt.Sprintf("rule %d, for the group %s at %s", rule, group, provider)
}

func (c userCommands) links() *cobra.Command {
	return &cobra.Command{
		Use: "links [STATE]", Short: "Show whether one-time sign-in links are taken, or switch them on or off", Args: cobra.MaximumNArgs(1),
		Long: `Shows whether one-time sign-in links are taken, or, with "off" or "on", changes it.
Links can be switched off once an operator has signed in at a provider. Whoever
holds the data directory comes in still: ` + "`agora serve --admin USER --admin-link`" + ` makes
a link for a session of fifteen minutes.`,
		Example: "  agora users links\n  agora users links off",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) (err error) {
			var l client.Links
			switch {
			case len(args) == 0:
				l, err = node.Links(ctx)
			case args[0] != "on" && args[0] != "off":
				return usageError("say on or off, not %q", args[0])
			default:
				l, err = node.SwitchLinks(ctx, args[0] == "off")
			}
			if err != nil {
				return err
			}
			return c.print(l, func(w io.Writer) error {
				state := "on"
				if l.Off {
					state = "off, by " + l.By + " since " + when(l.At)
				}
				_, err := fmt.Fprintln(w, printable("One-time sign-in links are "+state+"."))
				return err
			})
		}),
	}
}

func (c userCommands) disconnect() *cobra.Command {
	return &cobra.Command{
		Use: "disconnect USER ACCOUNT", Short: "Take an account at a sign-in provider from a user", Args: cobra.ExactArgs(2),
		Long: `Takes an account at a sign-in provider from a user, with the roles that it gave
and the sessions that began with it. ` + "`agora users show USER`" + ` lists accounts. Nobody
takes away their own last way in.`,
		Example: "  agora users disconnect ada@example.com a_2vx5kq3mpz6y7rtlhn4dwcjbs6eof2ga",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DisconnectAccount(ctx, args[0], args[1]); err != nil {
				return err
			}
			return c.print(map[string]string{"user": args[0], "disconnected": args[1]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s cannot sign in with that account any more.\n", args[0])
				return err
			})
		}),
	}
}

// allRoles are the roles that operators and rules gave to a user.
func allRoles(u client.User) []string {
	all := slices.Clone(u.Roles)
	for _, g := range u.Given {
		if !slices.Contains(all, g.Role) {
			all = append(all, g.Role)
		}
	}
	return all
}

func stateOf(u client.User) string {
	if u.Disabled {
		return "disabled"
	}
	return "active"
}

// of returns the roles that a user is to have who had others.
func (u userChange) of(had []string) []string {
	if u.exactly {
		return u.roles
	}
	return append(without(had, u.remove), without(u.add, had)...)
}

// without returns what of a list is not in another.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

func (u changedUser) show(w io.Writer) error {
	has := rolesOf(u.Roles)
	var text string
	switch {
	case u.New:
		text = fmt.Sprintf("%s is new, and has %s. Invite them with `agora users invite %s`.", u.Name, has, u.Name)
	case slices.Equal(slices.Sorted(slices.Values(u.Roles)), slices.Sorted(slices.Values(u.Had))):
		text = fmt.Sprintf("%s has %s, as before.", u.Name, has)
	default:
		text = fmt.Sprintf("%s had %s, and now has %s.", u.Name, rolesOf(u.Had), has)
	}
	if u.Disabled {
		text += " The user is disabled: no sign-in and no token works."
	}
	_, err := fmt.Fprintln(w, printable(text))
	return err
}

func rolesOf(roles []string) string {
	if len(roles) == 0 {
		return "no role"
	}
	return strings.Join(roles, ", ")
}
