package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// groupCommands are the commands about groups of people.
type groupCommands struct{ *session }

func (c groupCommands) command() *cobra.Command {
	var f client.GroupFilter
	list := &cobra.Command{
		Use: "list", Short: "List groups", Args: cobra.NoArgs,
		Example: "  agora groups list\n  agora groups list --person ada@example.com",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			groups, err := node.Groups(ctx, f)
			if err != nil {
				return err
			}
			return c.print(groups, func(w io.Writer) error {
				var rows [][]string
				for _, g := range groups {
					rows = append(rows, []string{g.Name, g.ID, fmt.Sprint(g.People), keeperOf(g), when(g.Created)})
				}
				return listed(w, "GROUP ID PEOPLE KEPT-BY SINCE", rows)
			})
		}),
	}
	list.Flags().StringVar(&f.Name, "name", "", "only those whose name has this part")
	list.Flags().StringVar(&f.Source, "source", "", "only those of this sign-in provider, or here for those made here")
	list.Flags().StringVar(&f.Person, "person", "", "only those that this person is in")
	return noun("groups", "Manage groups of people", c.limited(list), c.show(),
		c.changing("create NAME", "Make a group", "", 1, func(ctx context.Context, node *client.Client, args []string) (client.Group, string, error) {
			g, err := node.CreateGroup(ctx, args[0])
			return g, fmt.Sprintf("The group %s is %s. Put people into it with `agora groups add`.", g.Name, g.ID), err
		}),
		c.changing("rename GROUP NEW", "Give a group another name", `Gives a group another name. Apps, roles and audiences refer to its id, and stay as
they are.`, 2, func(ctx context.Context, node *client.Client, args []string) (client.Group, string, error) {
			g, err := node.RenameGroup(ctx, args[0], args[1])
			return g, fmt.Sprintf("It is %s now.", g.Name), err
		}),
		c.changing("add GROUP USER", "Put a person into a group", "", 2, func(ctx context.Context, node *client.Client, args []string) (client.Group, string, error) {
			g, err := node.AddToGroup(ctx, args[0], args[1])
			return g, inGroup(g), err
		}),
		c.changing("remove GROUP USER", "Take a person out of a group", "", 2, func(ctx context.Context, node *client.Client, args []string) (client.Group, string, error) {
			g, err := node.RemoveFromGroup(ctx, args[0], args[1])
			return g, inGroup(g), err
		}),
		c.delete())
}

func inGroup(g client.Group) string {
	if g.People == 1 {
		return "One person is in " + g.Name + " now."
	}
	return fmt.Sprintf("%d people are in %s now.", g.People, g.Name)
}

func keeperOf(g client.Group) string {
	if g.Source == "" {
		return "this node"
	}
	return g.Source
}

// changing is a command that changes one group.
func (c groupCommands) changing(use, short, long string, args int, change func(context.Context, *client.Client, []string) (client.Group, string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ExactArgs(args),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, text, err := change(ctx, node, args)
			if err != nil {
				return err
			}
			return c.print(g, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, printable(text))
				return err
			})
		}),
	}
}

// shownGroup is a group with who is in it.
type shownGroup struct {
	client.Group
	Members []client.GroupPerson `json:"members,omitempty"` // of a group that the caller may look into
}

func (c groupCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show GROUP", Short: "Show a group, and who is in it", Args: cobra.ExactArgs(1),
		Long: "Shows a group, by its name or its id. Who is in it is for those who are in it, and\nfor operators.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, err := node.Group(ctx, args[0])
			if err != nil {
				return err
			}
			shown := shownGroup{Group: g}
			shown.Members, err = node.GroupPeople(ctx, g.ID)
			p, refused := errors.AsType[*client.Problem](err)
			hidden := refused && p.Status == http.StatusForbidden
			if err != nil && !hidden {
				return err
			}
			return c.print(shown, func(w io.Writer) error { return shown.print(w, hidden) })
		}),
	}
}

func (g shownGroup) print(w io.Writer, hidden bool) error {
	rows := [][]string{{"group", g.Name}, {"id", g.ID}, {"kept by", keeperOf(g.Group)}}
	if g.External != "" {
		rows = append(rows, []string{"known there as", g.External})
	}
	rows = append(rows, []string{"since", when(g.Created)}, []string{"people", fmt.Sprint(g.People)})
	if hidden && g.People > 0 {
		rows = append(rows, []string{"", "who they are is for those who are in it, and for operators"})
	}
	for _, p := range g.Members {
		state := ""
		if p.Disabled {
			state = ", disabled"
		}
		rows = append(rows, []string{"", p.Name + state})
	}
	return table(w, "", rows)
}

func (c groupCommands) delete() *cobra.Command {
	return &cobra.Command{
		Use: "delete GROUP", Short: "Delete a group", Args: cobra.ExactArgs(1),
		Long: "Deletes a group. Whoever was in it has what it gave no more, from that moment.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteGroup(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"deleted": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Deleted. Nobody has anything by it any more.")
				return err
			})
		}),
	}
}
