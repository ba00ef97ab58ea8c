package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/script/languages"
)

// withFiles puts the files that a manifest names, in a directory beside it, into
// the module, and returns which files there it left out. A manifest that cannot be read is left to
// the node to judge.
func withFiles(module, manifest []byte, dir string) (with []byte, left leftOut, err error) {
	m, err := registry.ParseManifest(manifest)
	if err != nil || m.Static == nil {
		return module, nil, nil
	}
	from := filepath.Join(dir, filepath.FromSlash(m.Static.Dir))
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return nil, nil, usageError("the manifest names %s for static files, and there is no such directory", from)
	}
	packed, left, err := static.Pack(os.DirFS(from))
	if err != nil {
		return nil, nil, fmt.Errorf("pack %s: %w", from, err)
	}
	if module, err = wasm.WithCustomSection(module, static.Section, packed); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	return module, left, nil
}

// leftOut are the files and directories beside static files that are not packed.
type leftOut []string

func (l leftOut) String() string {
	return "left out, since names that begin with a dot are not for the public: " + printable(strings.Join(l, ", "))
}

// packed tells what files a module carries.
type packed struct {
	Files int `json:"files"`
	Bytes int `json:"bytes"` // of the archive, compressed
	// Left is what was not packed.
	Left leftOut `json:"left_out,omitempty"`
}

func (p packed) String() string {
	return fmt.Sprintf("%d, %s compressed", p.Files, humanize.Bytes(uint64(p.Bytes)))
}

// filesIn reads what withFiles put in; nil if the module carries none.
func filesIn(module []byte) (*packed, error) {
	section, ok, err := wasm.CustomSection(module, static.Section)
	if err != nil || !ok {
		return nil, err
	}
	archive, err := static.Open(section)
	if err != nil {
		return nil, err
	}
	return &packed{Files: archive.Len(), Bytes: len(section)}, nil
}

// offlineCommands are those that need no node: what they print they find on this machine.
type offlineCommands struct{ *terminal }

func (c offlineCommands) pack() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "pack MANIFEST MODULE", Short: "Put the manifest's static files into a module, to sign it and upload it by hand",
		Long: `Puts the files of the directory that the manifest names under [static] into the
module. What is packed is part of what is signed, so pack before you sign. Of a script it
makes the module first. agora deploy does all that by itself.`,
		Example: "  agora pack agora.toml app.wasm\n  agora sign app.wasm\n  agora pack agora.toml app.ts   # writes app.wasm",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				out = args[1]
				if languages.IsSource(out) {
					out = strings.TrimSuffix(out, filepath.Ext(out)) + ".wasm"
				}
			}
			return c.packInto(cmd.Context(), args[0], args[1], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "where the packed module goes (default: in place; of a script, beside it)")
	return cmd
}

func (c offlineCommands) packInto(ctx context.Context, manifestPath, modulePath, out string) error {
	manifest, err := os.ReadFile(manifestPath)
	if err != nil {
		return err
	}
	m, err := registry.ParseManifest(manifest)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", manifestPath, err)
	case m.Static == nil && !languages.IsSource(modulePath):
		return usageError("%s names no static files, so there is nothing to pack: add a table [static] with dir = \"…\", see docs/manifest.md", manifestPath)
	}
	p := project{filepath.Dir(manifestPath), manifest, modulePath}
	module, err := moduleOf(ctx, p, c.progress())
	if err != nil {
		return err
	}
	module, left, err := withFiles(module, manifest, p.dir)
	if errors.Is(err, registry.ErrBadModule) {
		return fmt.Errorf("%s: %w", modulePath, err)
	} else if err != nil {
		return err
	}
	files, err := filesIn(module)
	if err != nil {
		return err
	}
	if files == nil {
		files = &packed{}
	}
	files.Left = left
	if err := os.WriteFile(out, module, 0o644); err != nil {
		return err
	}
	return c.print(map[string]any{"module": out, "digest": registry.DigestOf(module), "static": files}, func(w io.Writer) error {
		if len(left) > 0 {
			fmt.Fprintf(w, "%s\n", left)
		}
		_, err := fmt.Fprintf(w, "Packed into %s: files %s\n%s\nSign it now: agora sign %s\n", out, files, registry.DigestOf(module), out)
		return err
	})
}
