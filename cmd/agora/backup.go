package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/node"
)

// backupCommands copy, check and restore all that a node keeps, be it a running one or a directory.
type backupCommands struct{ *session }

func (c backupCommands) backup() *cobra.Command {
	var to, data string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Copy everything a node keeps into one file (for operators)",
		Long: `Copies the state, the apps' data, modules, signatures, journals and keys of a
running node into one file, while it goes on serving; with --data, those of a node
that does not run. The file is tar within gzip, and is verified once it is written.

It holds the node's signing key: whoever has it can sign as anybody. Keep it as you
keep that key. Logs, compiled code and snapshots are left out.`,
		Example: "  agora backup --to agora.tar.gz\n  agora backup --to - | ssh vault 'cat > agora.tar.gz'\n  agora backup verify agora.tar.gz",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := func(w io.Writer) error { return c.fromNode(cmd.Context(), w) }
			if data != "" {
				write = func(w io.Writer) error {
					return node.BackupDir(cmd.Context(), node.Options{DataDir: data, Version: version}, w)
				}
			}
			if to == "-" {
				return write(c.out)
			}
			return c.toFile(cmd.Context(), to, write)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "file to write, or - for standard output")
	cmd.Flags().StringVar(&data, "data", "", "data directory of a node that does not run")
	_ = cmd.MarkFlagRequired("to")
	cmd.AddCommand(c.verify())
	return cmd
}

func (c backupCommands) fromNode(ctx context.Context, w io.Writer) error {
	node, err := c.node()
	if err != nil {
		return err
	}
	stream, err := node.Backup(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	if _, err := io.Copy(w, stream); err != nil {
		return fmt.Errorf("the backup broke off, and what was written is none: %w", err)
	}
	return nil
}

// toFile gives the file its name only once it is complete and verified.
func (c backupCommands) toFile(ctx context.Context, to string, write func(io.Writer) error) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists, and a backup replaces nothing: choose another name", to)
	}
	part, err := os.CreateTemp(filepath.Dir(to), ".agora-backup-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	steps := c.progress()
	defer steps.stop()
	steps.to("copy")
	if err := errors.Join(write(part), part.Sync(), part.Close()); err != nil {
		return err
	}
	steps.to("verify")
	contents, err := node.VerifyBackup(ctx, part.Name())
	if err != nil {
		return err
	}
	if err := os.Link(part.Name(), to); err != nil {
		return err
	}
	steps.done()
	return c.printContents(to, contents, "Backed up and verified")
}

func (c backupCommands) verify() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE", Short: "Check that a backup is complete and can be restored", Args: cobra.ExactArgs(1),
		Long: "Restores the backup into a temporary directory, reads everything there, and deletes it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			contents, err := node.VerifyBackup(cmd.Context(), args[0])
			if err != nil {
				return &exitError{exitDamaged, err}
			}
			return c.printContents(args[0], contents, "Complete, and can be restored")
		},
	}
}

func (c backupCommands) printContents(file string, contents node.Contents, what string) error {
	return c.print(contents, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n  made %s by agora %s: %d files, %s\n",
			what, file, when(contents.Made), printable(contents.Version), contents.Files, humanize.Bytes(uint64(contents.Bytes)))
		return err
	})
}

func (c backupCommands) restore() *cobra.Command {
	var data, snapshot string
	cmd := &cobra.Command{
		Use:   "restore [FILE]",
		Short: "Make a data directory of a backup, or go back to a snapshot",
		Long: `With a file: checks the backup, then makes the data directory of it, which must not
exist or be empty. It is there entirely or not at all.

With --snapshot: puts the stores of a snapshot in place of those of a stopped node,
and keeps the replaced ones beside them. Snapshots are made each hour.

Either way the node is as it was then: what was published, approved, signed up or
revoked since is not in it. A token, a key or a grant that was revoked since holds
again; revoke it again.`,
		Example: "  agora restore agora.tar.gz --data /var/lib/agora\n  agora restore --snapshot latest --data /var/lib/agora",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (snapshot != "") {
				return usageError("name a backup or --snapshot, one of them")
			}
			if snapshot != "" {
				return c.restoreSnapshot(cmd.Context(), data, snapshot)
			}
			contents, err := node.Restore(cmd.Context(), args[0], data)
			if err != nil {
				return err
			}
			return c.printContents(data, contents, "Restored. Start it with `agora serve --data`")
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory")
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "latest, or the name of one")
	_ = cmd.MarkFlagRequired("data")
	return cmd
}

func (c backupCommands) restoreSnapshot(ctx context.Context, data, snapshot string) error {
	name, kept, err := node.RestoreSnapshot(ctx, data, snapshot)
	if err != nil {
		return err
	}
	done := map[string]any{"snapshot": name, "replaced": kept}
	return c.print(done, func(w io.Writer) error {
		fmt.Fprintf(w, "Restored the snapshot of %s.\n", name)
		for _, path := range kept {
			fmt.Fprintf(w, "  kept %s\n", path)
		}
		return nil
	})
}
