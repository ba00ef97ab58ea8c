package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/sdk/client"
)

func (c deployCommands) dev() *cobra.Command {
	var module string
	var without unmanifested
	cmd := &cobra.Command{
		Use:   "dev [DIRECTORY | SCRIPT | MANIFEST]",
		Short: "Publish an app again whenever its files change, and show its log",
		Long: `Publishes as agora deploy does, and again whenever a file beside the app changes, until it is
interrupted. Lines of the app's log are shown as they come. Each change that makes another
module makes a release, so it is for a node of your own (agora up) or the sandbox. A script with
errors is not published: the errors are shown, and the release before goes on serving.`,
		Example: "  agora dev shortcuts.ts",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := c.node()
			if err != nil {
				return err
			}
			d := developing{deployCommands: c, node: node, arg: append(args, "")[0], module: module, without: without, steps: c.progress()}
			err = d.run(cmd.Context())
			if cmd.Context().Err() != nil {
				return nil // interrupted: that is how it ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "the .wasm file or the script (default: the one beside the manifest)")
	without.flags(cmd.Flags())
	return cmd
}

// developing is one run of agora dev.
type developing struct {
	deployCommands
	node        *client.Client
	arg, module string
	without     unmanifested
	steps       *progress // quiet after the first time

	log *tail // once the app is published
}

// How often files and the log are looked at. Looking takes at most a tenth of the time, however many files there are.
const (
	lookAtFiles = 300 * time.Millisecond
	lookAtLog   = time.Second
)

func (d *developing) run(ctx context.Context) error {
	p, err := locate(d.arg, d.module)
	if err != nil {
		return err
	}
	if err := d.deployingTo(ctx, d.node); err != nil {
		return err
	}
	files := stamp(p.dir)
	if err := d.publish(ctx, p); err != nil && !d.told(err) {
		return err
	}
	d.steps = &progress{quiet: true, w: d.err}
	for pause, looked := lookAtFiles, time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		began := time.Now()
		now := stamp(p.dir)
		pause = max(lookAtFiles, 10*time.Since(began))
		if now != files {
			files = now
			if err := d.again(ctx); err != nil && ctx.Err() == nil {
				d.printError(err)
			}
		}
		if time.Since(looked) >= lookAtLog && d.log != nil {
			looked = time.Now()
			if err := d.log.more(ctx); err != nil && ctx.Err() == nil {
				d.printError(err)
			}
		}
	}
}

// told shows what is wrong with the script, if that is what is wrong.
func (d *developing) told(err error) bool {
	_, script := errors.AsType[*script.Error](err)
	if script {
		d.printError(err)
	}
	return script
}

// again publishes what the files are now.
func (d *developing) again(ctx context.Context) error {
	p, err := locate(d.arg, d.module)
	if err != nil {
		return err
	}
	return d.publish(ctx, p)
}

func (d *developing) publish(ctx context.Context, p project) error {
	began := time.Now()
	if err := d.without.fill(ctx, d.node, d.steps, &p); err != nil {
		return err
	}
	d.without.write = false // it is written
	published, err := publish(ctx, d.node, d.steps, p, "", "")
	if err != nil {
		d.steps.stop()
		return err
	}
	d.steps.done()
	// These files are the newest release already, and another was chosen to serve.
	if published.Unchanged && !published.Active && len(published.Requests) == 0 {
		if _, err := d.node.Activate(ctx, published.Release.App, published.Release.Number, abi.TierSandbox, "agora dev"); err != nil {
			return err
		}
		published.Active = true
	}
	if err := d.startLog(ctx, published.Release.App); err != nil {
		return err
	}
	return d.print(published, func(w io.Writer) error {
		if !published.Active {
			return d.showPublished(w, published)
		}
		d.printFindings(published.Findings)
		_, err := fmt.Fprintf(w, "%s release %d serves after %s: %s\n", published.Release.App, published.Release.Number, time.Since(began).Round(10*time.Millisecond), published.URL)
		return err
	})
}

// startLog has the log shown from now on.
func (d *developing) startLog(ctx context.Context, app string) error {
	if d.log != nil && d.log.app == app {
		return nil
	}
	lines, err := d.node.Logs(ctx, app, 1)
	if err != nil {
		return err
	}
	d.log = &tail{out: d.out, node: d.node, app: app}
	d.log.after(lines)
	return nil
}

// stamp changes with the files of a directory: their names, sizes and times. Packages and hidden
// directories are left out.
func stamp(dir string) uint64 {
	h := fnv.New64a()
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		if e.IsDir() {
			if path != dir && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" || e.Name() == "__pycache__") {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := e.Info(); err == nil {
			fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return h.Sum64()
}
