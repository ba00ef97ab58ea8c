package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/javascript"
)

// typesMark is how the file begins that the command may replace.
var typesMark, _, _ = strings.Cut(javascript.Types, ".")

func (c offlineCommands) types() *cobra.Command {
	return &cobra.Command{
		Use: "types [FILE]", Short: "Write agora.d.ts: for editors, what apps in TypeScript and JavaScript are given; needs no node",
		Long: `Writes agora.d.ts, or FILE, or to standard output for "-". An editor that knows TypeScript then completes and
checks what Agora gives to apps; so does tsc. docs/javascript.md has a tsconfig.json for it.`,
		Example: "  agora types\n  agora types src/agora.d.ts",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := "agora.d.ts"
			if len(args) > 0 {
				file = args[0]
			}
			if file == "-" {
				_, err := io.WriteString(c.out, javascript.Types)
				return err
			}
			if err := writeTypes(file); err != nil {
				return err
			}
			return c.print(map[string]string{"file": file}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Wrote %s. In your app: /// <reference path=\"./agora.d.ts\" />\n", file)
				return err
			})
		},
	}
}

// writeTypes replaces only what an earlier version of the command wrote.
func writeTypes(file string) error {
	old, err := os.ReadFile(file)
	if err == nil && !strings.HasPrefix(string(old), typesMark) {
		return usageError("%s is there, and is another file than this command writes: name another one, or move it away", file)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(javascript.Types), 0o644)
}
