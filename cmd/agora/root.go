package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/script/isolate"
	"github.com/spf13/cobra"
)

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// cli is the whole program: a command line becomes one of its commands, and its outcome an exit status.
type cli struct {
	*session       // of the one command that runs
	badHelp  error // what was wrong with a command line that asked for help
}

func newCLI(s streams) *cli {
	return &cli{session: &session{terminal: &terminal{streams: s}}}
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "agora",
		Short: "Publish, run, govern and bill WebAssembly micro-apps",
		Long: `Agora runs small WebAssembly apps with guardrails: every app is signed, limited,
reviewed and metered.

Start a node to try with        agora up
Or speak to one that runs:      agora login URL, then agora apps list

Exit status: 0 done, 1 something went wrong, 2 wrong usage, 3 refused by the
policy or not valid, 4 not signed in or not allowed, 5 not found, 6 the node
does not answer, 7 in conflict with what is there, 8 something stored is damaged.`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			c.path = cmd.CommandPath()
			if c.output != "text" && c.output != "json" {
				return usageError("--output %q: use text or json", c.output)
			}
			return nil
		},
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&c.output, "output", "o", "text", "text or json")
	flags.StringVar(&c.context, "context", "", "node to speak to, of those that agora contexts list prints (default: AGORA_CONTEXT, or the current one)")
	flags.StringVar(&c.url, "url", "", "address of the node's console (default: AGORA_URL, or that of the context)")
	flags.StringVar(&c.token, "token", "", "API token (default: AGORA_TOKEN, or that of the context)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError("%w", err) })

	root.AddGroup(
		&cobra.Group{ID: "node", Title: "Run a node:"},
		&cobra.Group{ID: "apps", Title: "Publish and use apps:"},
		&cobra.Group{ID: "govern", Title: "Decide and look after:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	s, t := c.session, c.terminal
	deploy, signature, offline, call, backup := deployCommands{s}, signatureCommands{s}, offlineCommands{t}, callCommands{s}, backupCommands{s}
	add("node", demo{s}.command(), serveCommand{t}.command(), backup.doctor(), backup.backup(), backup.restore())
	add("apps", loginCommand{session: s}.command(), contextCommands{s}.command(), appCommands{s}.command(), releaseCommands{s}.command(), deploy.command(), deploy.dev(),
		offline.pack(), signature.sign(), signature.verify(), offline.inspect(), offline.types(), call.invoke(), call.logs(),
		triggerCommands{s}.command(), deadLetterCommands{s}.command(), call.usage())
	add("govern", requestCommands{s}.command(), capabilityCommands{s}.command(), grantCommands{s}.command(), policyCommands{s}.command(), keyCommands{s}.command(), domainCommands{s}.command(), audienceCommands{s}.command(), exemptionCommands{s}.command(),
		userCommands{s}.command(), peopleCommands{s}.command(), provisioningCommands{s}.command(), accessCommands{s}.command(), groupCommands{s}.command(), noticeCommands{s}.command(), delegateCommands{s}.command(), tokenCommands{s}.command(), sessionCommands{s}.command(), serviceAccountCommands{s}.command(), workloadCommands{s}.command(), quotaCommands{s}.command(), secretCommands{s}.command(), certificateCommands{s}.command(), eventCommands{s}.command())
	root.AddCommand(offline.version(), workerCommand(c.streams, "compile-worker", engine.CompileWorker), workerCommand(c.streams, "build-worker", isolate.Worker))
	root.SetHelpCommand(helpCommand(root))
	plainHelp := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if c.badHelp = checkHelp(cmd); c.badHelp == nil {
			plainHelp(cmd, args)
		}
	})
	completer{s}.register(root)
	return root
}

// exitError is an error with the exit status that belongs to it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// The exit statuses are part of the interface: scripts branch on them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotAllowed  = 4
	exitNotFound    = 5
	exitUnreachable = 6
	exitConflict    = 7
	exitDamaged     = 8
)

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exit prints an error as its reader needs it and returns the exit status.
func (c *session) exit(err error) int {
	if err == nil {
		return exitOK
	}
	code := c.printError(err)
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return code
}
