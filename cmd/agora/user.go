package main

import (
	"context"
	"fmt"
	"io"
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

func (c *cli) setUserCommand() *cobra.Command {
	var change userChange
	cmd := &cobra.Command{
		Use: "set USER", Short: "Make a user, or change what a user may do", Args: cobra.ExactArgs(1),
		Long: `Makes a user, or changes one; what is not named stays as it is. --add-role and
--remove-role change single roles. --role names all roles that the user is to have:
if that takes some away, they are named, and --yes is needed.`,
		Example: "  agora users set ada@example.com --role developer --role reviewer\n  agora users set ada@example.com --add-role operator\n  agora users set ada@example.com --remove-role reviewer\n  agora users set ada@example.com --disable",
		RunE: func(cmd *cobra.Command, args []string) error {
			change.exactly = cmd.Flags().Changed("role")
			if err := change.check(); err != nil {
				return err
			}
			return c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
				return c.setUser(ctx, node, args[0], change)
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

// setUser changes a user, and says what the user had and has.
func (c *cli) setUser(ctx context.Context, node *client.Client, name string, change userChange) error {
	all, err := node.First(0).Users(ctx)
	if err != nil {
		return err
	}
	name = strings.ToLower(strings.TrimSpace(name)) // the one form of users' names
	i := slices.IndexFunc(all, func(u client.User) bool { return u.Name == name })
	var was client.User
	if i >= 0 {
		was = all[i]
	}
	wanted := change.of(was.Roles)
	lost := without(was.Roles, wanted)
	if change.exactly && len(lost) > 0 && !change.yes {
		return usageError("%s would lose %s: say --yes if you mean it, or use --add-role to leave the other roles as they are", name, strings.Join(lost, ", "))
	}
	u, err := node.PutUser(ctx, name, wanted, (was.Disabled || change.disable) && !change.enable)
	if err != nil {
		return err
	}
	done := changedUser{u, append([]string{}, was.Roles...), i < 0}
	return c.print(done, func(w io.Writer) error { return done.show(w) })
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
