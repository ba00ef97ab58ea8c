package main

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check everything a node stores (for operators)", Args: cobra.NoArgs,
		Long: "Reads all that a running node stores, and says what is damaged and what to do. Exit status 1 if something is.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			checks, err := node.Doctor(ctx)
			if err != nil {
				return err
			}
			well := true
			err = c.print(checks, func(w io.Writer) error {
				for _, k := range checks {
					mark := "ok  "
					if !k.OK {
						mark = "BAD "
					}
					fmt.Fprintf(w, "%s %s: %s\n", mark, k.Name, printable(k.Detail))
					if !k.OK {
						fmt.Fprintf(w, "     → %s\n", printable(k.Remedy.Summary))
					}
				}
				return nil
			})
			for _, k := range checks {
				well = well && k.OK
			}
			if err == nil && !well {
				return &exitError{exitFailure, errSilent}
			}
			return err
		}),
	}
}

func (c *cli) versionCommand() *cobra.Command {
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
