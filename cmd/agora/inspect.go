package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
)

func (c offlineCommands) inspect() *cobra.Command {
	return &cobra.Command{
		Use: "inspect MODULE", Short: "Say what a module is and what it wants; needs no node", Args: cobra.ExactArgs(1),
		Long: "Says what a module is and what it wants. Of a script it says that of the module which agora deploy would make of it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := alone(args[0])
			if err != nil {
				return err
			}
			module, err := moduleOf(cmd.Context(), p, c.progress())
			if err != nil {
				return err
			}
			i, err := registry.Inspect(module)
			if err != nil {
				return err
			}
			files, err := filesIn(module)
			if err != nil {
				return err
			}
			shown := struct {
				registry.Inspection
				Static *packed `json:"static,omitempty"`
			}{i, files}
			return c.print(shown, func(w io.Writer) error {
				imports := map[string]int{}
				for _, m := range i.Imports {
					imports[m.Module]++
				}
				var from []string
				for name, n := range imports {
					from = append(from, fmt.Sprintf("%s (%d)", name, n))
				}
				slices.Sort(from)
				carries := "-"
				if files != nil {
					carries = files.String()
				}
				memory := "at least " + humanize.Bytes(uint64(i.MemoryMin))
				if i.MemoryMax > 0 {
					memory += ", at most " + humanize.Bytes(uint64(i.MemoryMax))
				}
				return table(w, "", [][]string{
					{"module", args[0]}, {"digest", string(i.Digest)}, {"size", humanize.Bytes(uint64(i.Size))}, {"interface", string(i.Interface)},
					{"made with", orDash(i.Language)}, {"functions", fmt.Sprint(i.Functions)}, {"memory", memory},
					{"capabilities", orDash(strings.Join(i.Capabilities, ", "))}, {"imports from", orDash(strings.Join(from, ", "))}, {"static files", carries},
				})
			})
		},
	}
}
