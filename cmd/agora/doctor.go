package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

func (c backupCommands) doctor() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything a node stores (for operators)", Args: cobra.NoArgs,
		Long: `Reads all that a running node stores, down to the last byte, and names what is
damaged and what to do about it. With --data, it reads the data directory of a node
that does not run, or cannot start, and changes nothing. Exit status 8 if something
is damaged.`,
		Example: "  agora doctor\n  agora doctor --data /var/lib/agora",
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := c.examine(cmd.Context(), data)
			if err != nil {
				return err
			}
			if err := c.print(checks, func(w io.Writer) error { return showChecks(w, checks) }); err != nil {
				return err
			}
			for _, k := range checks {
				if !k.OK {
					return &exitError{exitDamaged, errSilent}
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory of a node that does not run")
	return cmd
}

// examine asks the node, or reads a directory, with the same result.
func (c backupCommands) examine(ctx context.Context, data string) ([]client.Check, error) {
	if data == "" {
		node, err := c.node()
		if err != nil {
			return nil, err
		}
		return node.Doctor(ctx)
	}
	found, err := node.Examine(ctx, node.Options{DataDir: data})
	checks := make([]client.Check, len(found))
	for i, k := range found {
		checks[i] = client.Check{Name: k.Name, OK: k.OK, Detail: k.Detail, Remedy: k.Remedy}
		for _, d := range k.Damage {
			checks[i].Damage = append(checks[i].Damage, client.Damage(d))
		}
	}
	return checks, err
}

// shownDamage is how many lines of damage a person reads; -o json has all.
const shownDamage = 20

func showChecks(w io.Writer, checks []client.Check) error {
	for _, k := range checks {
		mark := "ok  "
		if !k.OK {
			mark = "BAD "
		}
		fmt.Fprintf(w, "%s %s: %s\n", mark, k.Name, printable(k.Detail))
		for _, d := range k.Damage[:min(len(k.Damage), shownDamage)] {
			item := strings.Join(slices.DeleteFunc([]string{d.File, d.Item, d.Detail}, func(s string) bool { return s == "" }), ": ")
			fmt.Fprintf(w, "     - %s\n", printable(item))
		}
		if more := len(k.Damage) - shownDamage; more > 0 {
			fmt.Fprintf(w, "     - and %d more: see -o json\n", more)
		}
		if k.OK {
			continue
		}
		fmt.Fprintf(w, "     → %s\n", printable(k.Remedy.Summary))
		for _, line := range k.Remedy.Commands {
			fmt.Fprintf(w, "         %s\n", printable(line))
		}
	}
	return nil
}

func (c offlineCommands) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]any{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "interfaces": []abi.Interface{abi.InterfaceV1, abi.InterfaceWASI}}
			return c.print(v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "agora %s (%s, %s/%s; runs %s and %s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, abi.InterfaceV1, abi.InterfaceWASI)
				return err
			})
		},
	}
}
