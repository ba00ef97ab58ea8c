package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/contexts"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/sdk/client"
)

// The people of a demo node. The examples belong to another person, so that you
// may decide about them.
const (
	demoUser     = "you@agora.local"
	demoExamples = "examples@agora.local"
	demoToken    = "agora up"
	demoPromoted = "guestbook" // which asks to enter the pilot, so that there is something to decide
)

// demo runs a node to try, and has the command line speak to it.
type demo struct{ *session }

func (c demo) command() *cobra.Command {
	o := node.Options{DataDir: "data", Demo: true}
	var examples string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a node to try, with the example apps",
		Long: `Starts a node on this machine, for one person to try: it keeps everything in one
directory, builds the example apps with the Go toolchain, signs and uploads them
through the API as anybody would, and prints where to look. Run it again and it
finds everything as it was. For production, use ` + "`agora serve`." + `

It keeps a context for the node, so that agora --context NAME, or agora contexts use
NAME, speaks to it; it chooses that context only if there is no other yet.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Version, o.Logger = version, c.nodeLogger(slog.LevelWarn)
			n, err := openNode(cmd.Context(), o)
			if err != nil {
				return err
			}
			n.Start()
			err = c.welcome(cmd.Context(), n, o, examples)
			if err == nil {
				<-cmd.Context().Done()
				fmt.Fprintln(c.err, "\nStopping …")
			}
			grace, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 10*time.Second)
			defer cancel()
			if cmd.Context().Err() != nil {
				err = nil // interrupted while it started: that is what was asked for
			}
			return errors.Join(err, n.Stop(grace))
		},
	}
	nodeFlags(cmd, &o)
	cmd.Flags().StringVar(&examples, "examples", "examples", "directory of example apps to build and publish; \"\" for none")
	return cmd
}

// welcome makes the demo's people and apps, and prints the one screen.
func (c demo) welcome(ctx context.Context, n *node.Node, o node.Options, examples string) error {
	link, err := n.People.Welcome(ctx, demoUser, access.Roles()...)
	if err != nil {
		return err
	}
	api, token, err := loginDemo(ctx, n)
	if err != nil {
		return err
	}
	var notes []string
	name, err := keepDemo(n, o, token)
	if err != nil {
		notes = append(notes, "Your command line could not be signed in: "+err.Error())
	}
	if note := c.publishExamples(ctx, n, o, examples); note != "" {
		notes = append(notes, note)
	}
	if o.PauseTriggers {
		notes = append(notes, "Triggers are paused: nothing is delivered until the node is started without --pause-triggers.")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.printScreen(ctx, api, o, name, link, notes)
}

// demoTokenLife is how long the token of the command line lives: until the next start, mostly.
const demoTokenLife = 30 * 24 * time.Hour

// loginDemo returns a client that acts as the demo's user, and its token.
func loginDemo(ctx context.Context, n *node.Node) (*client.Client, string, error) {
	// The first steps of the README end with a backup, so this token names that scope.
	reach := access.Reach{Scopes: []access.Scope{access.ScopeAll, access.ScopeBackupRead}}
	token, err := n.People.TokenOf(ctx, demoUser, demoToken, demoTokenLife, reach)
	if err != nil {
		return nil, "", err
	}
	api, err := client.New(n.ConsoleURL(), token)
	if err != nil {
		return nil, "", err
	}
	// The tokens of earlier starts have no use any more.
	old, err := api.Tokens(ctx)
	if err != nil {
		return nil, "", err
	}
	newest := slices.MaxFunc(old, func(a, b client.Credential) int { return a.Created.Compare(b.Created) })
	for _, t := range old {
		if t.Label == demoToken && t.ID != newest.ID {
			if err := api.RevokeToken(ctx, t.ID); err != nil {
				return nil, "", err
			}
		}
	}
	return api, token, nil
}

// keepDemo makes a context of a demo node and returns its name. A node whose context cannot be kept
// runs nevertheless.
func keepDemo(n *node.Node, o node.Options, token string) (name string, err error) {
	data, err := filepath.Abs(o.DataDir)
	if err != nil {
		return "", err
	}
	err = updateContexts(func(f *contexts.File) error {
		name, err = f.PutDemo(contexts.Context{URL: n.ConsoleURL(), User: demoUser, Token: token, Expires: time.Now().Add(demoTokenLife).UTC().Truncate(time.Second), Data: data})
		return err
	})
	return name, err
}

// publishExamples builds and uploads the examples as their owner, who is not
// you. It returns what to tell about it; a demo without examples is still one.
func (c demo) publishExamples(ctx context.Context, n *node.Node, o node.Options, dir string) (note string) {
	if dir == "" {
		return ""
	}
	manifests, _ := filepath.Glob(filepath.Join(dir, "*", manifestFile))
	if o.LLM == "" { // what no model could serve is not shown
		manifests = slices.DeleteFunc(manifests, asksModels)
	}
	if len(manifests) == 0 {
		return fmt.Sprintf("There are no example apps in %q: run this in a checkout of Agora, or publish an app of your own.", dir)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "The example apps were not built: there is no Go toolchain on this machine."
	}
	token, err := n.People.TokenFor(ctx, demoExamples, demoToken, time.Hour, access.RoleDeveloper)
	if err != nil {
		return "The example apps were not published: " + err.Error()
	}
	api, err := client.New(n.ConsoleURL(), token)
	if err != nil {
		return "The example apps were not published: " + err.Error()
	}
	// hello first: it is the first address that people are shown.
	if i := slices.IndexFunc(manifests, isHello); i > 0 {
		manifests[0], manifests[i] = manifests[i], manifests[0]
	}
	var failed []string
	defer func() {
		if err := openHello(ctx, n); err != nil && ctx.Err() == nil {
			note = strings.TrimSpace(note + "\nhello could not be opened to everybody: " + err.Error())
		}
	}()
	for _, manifest := range manifests {
		if err := c.publishExample(ctx, api, manifest, o.DataDir); err != nil {
			if ctx.Err() != nil {
				return ""
			}
			failed = append(failed, fmt.Sprintf("%s: %v", filepath.Base(filepath.Dir(manifest)), err))
		}
	}
	if len(failed) > 0 {
		return "Some examples were not published:\n  " + strings.Join(failed, "\n  ")
	}
	return ""
}

// openHello has the first example be open to everybody, unless it was said otherwise before: it is the
// address that people try first, with any program.
func openHello(ctx context.Context, n *node.Node) error {
	operator := access.WithActor(ctx, access.Actor{User: demoUser, Roles: access.Roles()})
	a, err := n.Audiences.Audience(operator, "hello", abi.TierSandbox)
	if errors.Is(err, registry.ErrNotFound) || err == nil && a.Set {
		return nil
	}
	if err != nil {
		return err
	}
	return n.Audiences.OpenByNode(ctx, "hello", abi.TierSandbox)
}

func isHello(manifest string) bool { return filepath.Base(filepath.Dir(manifest)) == "hello" }

// asksModels reports whether an example needs a node with language models.
func asksModels(manifest string) bool {
	text, err := os.ReadFile(manifest)
	if err != nil {
		return false
	}
	m, err := registry.ParseManifest(text)
	_, asks := m.Capabilities["llm"]
	return err == nil && asks
}

// publishExample takes the way of every developer: build, sign, upload.
func (c demo) publishExample(ctx context.Context, api *client.Client, manifestPath, dataDir string) error {
	dir := filepath.Dir(manifestPath)
	name := filepath.Base(dir)
	steps := c.progress()
	steps.to("building " + name)
	module, err := buildGuest(ctx, dir, filepath.Join(dataDir, "examples", name+".wasm"))
	if err != nil {
		steps.stop()
		return err
	}
	steps.to("publishing " + name)
	manifest, err := os.ReadFile(manifestPath)
	if err != nil {
		steps.stop()
		return err
	}
	quiet := &progress{quiet: true, w: io.Discard}
	published, err := publish(ctx, api, quiet, project{dir, manifest, module}, "", "")
	if err == nil && name == demoPromoted && published.Active && !published.Unchanged {
		_, err = api.Promote(ctx, published.Release.App, published.Release.Number, abi.TierPilot, "People at the door want to write in it.")
	}
	if err != nil {
		steps.stop()
		return err
	}
	steps.done()
	return nil
}

// buildGuest builds a Go program for WASI: one that exports Agora's interface
// as a reactor, any other as a command.
func buildGuest(ctx context.Context, dir, out string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return "", err
	}
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", out}
	if usesGuestSDK(dir) {
		args = append(args, "-buildmode=c-shared")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, output)
	}
	return out, nil
}

// usesGuestSDK reports whether a program speaks the native interface.
func usesGuestSDK(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	return slices.ContainsFunc(files, func(path string) bool {
		source, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(source), `"github.com/agora-host/agora/sdk/guest"`)
	})
}

func place(a client.App) int {
	switch {
	case a.Name == "hello":
		return 0
	case a.Tier != "":
		return 1
	}
	return 2
}

// me is how this program is called so that it speaks to the demo node of a context, and what to say
// where it would speak to another by itself.
func (c demo) me(name string) (command, elsewhere string) {
	command = filepath.Base(os.Args[0])
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		command = os.Args[0]
	}
	at, err := c.target()
	if name == "" || (err == nil && at.Name == name) {
		return command, ""
	}
	use := fmt.Sprintf("to choose this one, run %s contexts use %s", command, name)
	if err != nil {
		return command + " --context " + name, "No context is current: " + use
	}
	return command + " --context " + name, fmt.Sprintf("Your command line goes on speaking to %s%s; %s", at.URL, inContext(at), use)
}

// printScreen is all that a person who has just started a node needs to know.
func (c demo) printScreen(ctx context.Context, api *client.Client, o node.Options, name, link string, notes []string) error {
	apps, err := api.Apps(ctx)
	if err != nil {
		return err
	}
	me, elsewhere := c.me(name)
	var b strings.Builder
	fmt.Fprintf(&b, "\nAgora is running.\n\n  Console  %s\n           (this link signs you in once, as %s)\n\n", link, demoUser)
	// hello first, and then what serves before what waits.
	slices.SortStableFunc(apps, func(a, b client.App) int { return cmp.Compare(place(a), place(b)) })
	open, err := api.FindRequests(ctx, client.RequestFilter{Status: "open"})
	if err != nil {
		return err
	}
	for i, a := range apps {
		label := "  Apps   "
		if i > 0 {
			label = "         "
		}
		state := a.Title
		if a.Tier == "" {
			state += " · waits for your review"
		}
		fmt.Fprintf(&b, "%s  %-36s %s\n", label, a.URL, printable(state))
	}
	if len(apps) > 0 && localhostNote(apps[0].URL) != "" {
		fmt.Fprintf(&b, "\n  %s\n", strings.ReplaceAll(localhostNote(apps[0].URL), "\n", "\n  "))
	}
	fmt.Fprintf(&b, "\n  hello is open to everybody who reaches its address. The others open for those\n  who are signed in to the console and may: %s audience show APP\n", me)
	fmt.Fprintf(&b, "\n  Try next\n")
	if len(open) > 0 {
		fmt.Fprintf(&b, "    Decide in the console, under Requests: %s, %s.\n", printable(open[0].App), what(open[0]))
	}
	if len(apps) > 0 {
		fmt.Fprintf(&b, "    %s invoke %-10s  call an app and see what it cost\n", me, apps[0].Name)
	}
	fmt.Fprintf(&b, "    %s usage --by app     what everything cost\n", me)
	if elsewhere != "" {
		fmt.Fprintf(&b, "\n  %s\n", elsewhere)
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "\n  %s\n", printableLines(n))
	}
	fmt.Fprintf(&b, "\n  Everything is kept in %s. Ctrl-C stops the node.\n", o.DataDir)
	screen := struct {
		Console string       `json:"console"` // signs in once
		Context string       `json:"context,omitempty"`
		User    string       `json:"user"`
		Apps    []client.App `json:"apps"`
		Notes   []string     `json:"notes,omitempty"`
		Data    string       `json:"data"`
	}{link, name, demoUser, apps, notes, o.DataDir}
	return c.print(screen, func(w io.Writer) error {
		_, err := io.WriteString(w, b.String())
		return err
	})
}
