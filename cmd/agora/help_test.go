package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all commands there are, with those that the library adds.
func commands() (all []*cobra.Command) {
	root := newCLI(streams{}).rootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		all = append(all, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return all
}

func runCLI(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{in: strings.NewReader(""), out: &o, err: &e})
	return code, o.String(), e.String()
}

// TestUnknownCommands: a word that names no command is wrong usage in every spelling, and is
// answered with what is near, or where to look.
func TestUnknownCommands(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"help foo", `agora has no command "foo"`},
		{"help deplyo", "Did you mean agora deploy?"},
		{"help apps foo", `agora apps has no command "foo"`},
		{"help apps shwo", "Did you mean agora apps show?"},
		{"help deploy foo", `agora deploy has no command "foo": it has none`},
		{"help releases foo", `agora releases has no command "foo"`},
		{"help apps show foo", `agora apps show has no command "foo"`},
		{"help -o text foo", `agora has no command "foo"`},
		{"foo", `agora has no command "foo"`},
		{"foo --help", `agora has no command "foo"`},
		{"--help foo", `agora has no command "foo"`},
		{"-h foo", `agora has no command "foo"`},
		{"foo bar --help", `agora has no command "foo"`},
		{"foo help", `agora has no command "foo"`},
		{"deplyo", "Did you mean agora deploy?"},
		{"apps foo", `agora apps has no command "foo"`},
		{"apps shwo hello", "Did you mean agora apps show?"},
		{"apps foo --help", `agora apps has no command "foo"`},
		{"apps --help foo", `agora apps has no command "foo"`},
		{"apps foo -h", `agora apps has no command "foo"`},
		{"apps help", "Did you mean agora help apps?"},
		{"policy foo", `agora policy has no command "foo"`},
		{"policy foo --help", `agora policy has no command "foo"`},
		{"secrets foo", `agora secrets has no command "foo"`},
		{"contexts foo", `agora contexts has no command "foo"`},
		{"completion foo", `agora completion has no command "foo"`},
		{"completion foo --help", `agora completion has no command "foo"`},
		{"releases shwo hello 1", "Did you mean agora releases show?"},
		{"triggers paus shop cron nightly", "Did you mean agora triggers pause?"},
		{"version foo", `agora version takes no arguments`},
		{"deploy a b", "accepts at most 1 arg"},
		{"apps --nonsense", "unknown flag: --nonsense"},
		{"apps", "say what to do with apps: agora apps list lists them"},
		{"releases", "agora releases list APP lists them"},
		{"apps --tier pilot", "Did you mean agora apps list?"},
		{"releases shop", "Those of an app are listed by: agora releases list shop"},
		{"triggers run", "accepts 2 arg"},
		{"triggers dead shop", "agora triggers dead is agora dead-letters list now"},
		{"triggers drop shop 1 --yes", "agora triggers drop is agora dead-letters delete now"},
		{"hosts add expenses.example.com expenses", "agora hosts add is agora domains create now"},
		{"--context prod hosts add expenses.example.com expenses", "agora hosts add is agora domains create now"},
		{"hosts", "agora hosts is agora domains list now"},
		{"hosts -o json", "agora hosts is agora domains list now"},
		{"help hosts", "agora hosts is agora domains list now"},
		{"hosts --help", "agora hosts is agora domains list now"},
		{"context use demo", "agora context use is agora contexts use now"},
		{"users link ada@example.com", "agora users link is agora users invite now"},
		{"keys add --key me.key", "agora keys add is agora keys create now"},
		{"policy rules", "agora policy rules is agora policy show now"},
		{"apps certificates verify paper.json", "agora apps certificates verify is agora certificates verify now"},
		{"apps certificates --app shop", "agora apps certificates is agora certificates list now"},
	} {
		t.Run(c.line, func(t *testing.T) {
			code, out, errs := runCLI(t, strings.Fields(c.line)...)
			if code != exitUsage || !strings.Contains(errs, c.want) || out != "" {
				t.Errorf("exit status %d, want %d with %q:\n%s%s", code, exitUsage, c.want, out, errs)
			}
			if strings.Count(errs, "Usage") > 1 || strings.Count(errs, "no command") > 1 {
				t.Errorf("said twice:\n%s", errs)
			}
		})
	}
}

// TestHelp: every command has help, in three spellings that print the same.
func TestHelp(t *testing.T) {
	for _, cmd := range commands() {
		words := strings.Fields(cmd.CommandPath())[1:]
		if cmd.Hidden {
			continue
		}
		code, want, errs := runCLI(t, append(slices.Clone(words), "--help")...)
		if code != 0 || errs != "" || !strings.Contains(want, "Usage:") {
			t.Errorf("%s --help: %d %s", cmd.CommandPath(), code, errs)
		}
		for _, line := range [][]string{append([]string{"help"}, words...), append(slices.Clone(words), "-h")} {
			if code, out, errs := runCLI(t, line...); code != 0 || errs != "" || out != want {
				t.Errorf("agora %q: %d\n%s%s\nis not\n%s", line, code, out, errs, want)
			}
		}
	}
	if _, out, _ := runCLI(t, "--help"); !strings.Contains(out, "  completion ") {
		t.Errorf("the help does not show the completion:\n%s", out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := runCLI(t, "completion", shell); code != 0 || !strings.Contains(out, "__complete") {
			t.Errorf("completion for %s: %d", shell, code)
		}
	}
}

// TestFlagsInHelp: the library takes what a description has in backticks for the name of the
// value, so that one must be a plain word.
func TestFlagsInHelp(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z]+([-=][A-Za-z]+)*$|^$`)
	for _, cmd := range commands() {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			name, usage := pflag.UnquoteUsage(f)
			if !plain.MatchString(name) || strings.Contains(usage, "`") || strings.Contains(f.Usage, "`") {
				t.Errorf("%s: --%s %s: %s", cmd.CommandPath(), f.Name, name, usage)
			}
			if f.Usage == "" {
				t.Errorf("%s: --%s is not described", cmd.CommandPath(), f.Name)
			}
		})
	}
}

// TestCompletions: every argument and every flag that takes a value is completed, or is known to
// be free text.
func TestCompletions(t *testing.T) {
	for _, cmd := range commands() {
		if strings.Contains(cmd.CommandPath(), " completion") || cmd.Hidden {
			continue
		}
		parent := ""
		if cmd.HasParent() {
			parent = cmd.Parent().Name()
		}
		for _, word := range placeholders(cmd.Use) {
			if _, ok := lookUp(arguments, parent, word); !ok {
				t.Errorf("%s: nothing is known of the argument %s", cmd.CommandPath(), word)
			}
			if _, ok := lookUp(arguments, cmd.Name(), word); !ok && cmd.HasSubCommands() {
				t.Errorf("%s: nothing is known of the argument %s", cmd.CommandPath(), word)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if slices.Contains([]string{"bool", "int", "int64", "duration", "count"}, f.Value.Type()) {
				return
			}
			if _, ok := lookUp(flagValues, cmd.Name(), f.Name); !ok {
				t.Errorf("%s: nothing is known of the values of --%s", cmd.CommandPath(), f.Name)
			}
		})
	}
	for path := range changing {
		if !slices.ContainsFunc(commands(), func(cmd *cobra.Command) bool { return cmd.CommandPath() == path }) {
			t.Errorf("%s is no command", path)
		}
	}
}

// TestCompleteWords: the values that are fixed, without a node.
func TestCompleteWords(t *testing.T) {
	t.Setenv("AGORA_CONFIG", t.TempDir()+"/none.json")
	for _, c := range []struct {
		line string
		want []string
	}{
		{"apps list -o ", []string{"text", "json"}},
		{"users set ada@example.com --role ", []string{"viewer", "developer", "reviewer", "finance", "auditor", "operator"}},
		{"users set ada@example.com --add-role d", []string{"developer"}},
		{"users set ada@example.com --role viewer,r", []string{"viewer,reviewer"}},
		{"releases promote shop 1 --to ", []string{"pilot", "production"}},
		{"policy check agora.toml --tier s", []string{"sandbox"}},
		{"usage --by app,te", []string{"app,team"}},
		{"usage --by app,a", nil},
		{"requests list --status re", []string{"rejected"}},
		{"triggers pause shop ", []string{"cron", "webhook", "event"}},
		{"contexts use ", nil},
		{"apps show ", nil}, // no node: silent
		{"--context ", nil},
	} {
		t.Run(c.line, func(t *testing.T) {
			words := strings.Split(c.line, " ")
			code, out, errs := runCLI(t, append([]string{"__completeNoDesc"}, words...)...)
			lines := strings.Split(out, "\n")
			got := lines[:max(0, slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, ":") }))]
			if code != 0 || !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("%d: %q, want %q\n%s", code, got, c.want, errs)
			}
		})
	}
}

// TestGrammar: a noun is followed by a verb, and does nothing without one; what is listed can be
// listed whatever its name is; help begins with a verb; commands that change a node say which.
func TestGrammar(t *testing.T) {
	verbs := strings.Fields("Accept Activate Approve Ask Call Check Choose Copy Delete Deliver Exchange Forget Generate Give Go Hand Import Inspect Invite Keep Let List Make Manage Mark Offer Print Promote " +
		"Publish Put Read Refuse Register Reject Rename Restore Resume Revoke Roll Run Say Seal Set Show Shrink Sign Start Stop Suspend Take Try Undo Verify Withdraw Write")
	for _, cmd := range commands() {
		path := cmd.CommandPath()
		if cmd.Hidden || strings.HasPrefix(path, "agora completion") {
			continue
		}
		if first, _, _ := strings.Cut(cmd.Short, " "); !slices.Contains(verbs, strings.TrimSuffix(first, ",")) {
			t.Errorf("%s: its help begins with %q, which is no verb", path, first)
		}
		if cmd.HasSubCommands() && cmd != cmd.Root() && cmd.Name() != "backup" {
			if takesArguments(cmd) {
				t.Errorf("%s takes arguments of its own, which could be commands", path)
			}
			if code, out, errs := runCLI(t, strings.Fields(path)[1:]...); code != exitUsage || out != "" || !strings.Contains(errs, "say what to do") {
				t.Errorf("%s: %d %s%s", path, code, out, errs)
			}
		}
		if strings.Contains("remove drop forget", cmd.Name()) && path != "agora groups remove" { // who is taken out of a group is not deleted
			t.Errorf("%s: things are deleted, and rights revoked", path)
		}
	}
	all := commands()
	for was, now := range moved {
		named := func(path string) bool {
			return slices.ContainsFunc(all, func(cmd *cobra.Command) bool { return cmd.CommandPath() == path })
		}
		if named(was) || !named(now) {
			t.Errorf("%s is said to be %s now", was, now)
		}
	}
}
