package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// noun is a command that holds the commands about one kind of thing, and does nothing by itself:
// after a noun there is always a verb, so that no name of an app can be taken for one.
func noun(name, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		text := fmt.Sprintf("say what to do with %s", cmd.Name())
		if list := child(cmd, "list"); list != nil {
			text += ": " + strings.TrimSuffix(list.UseLine(), " [flags]") + " lists them"
		}
		return usageError("%s\n%s --help lists its commands.", text, cmd.CommandPath())
	}}
	cmd.AddCommand(verbs...)
	return cmd
}

// moved are the commands that have another name than before. They are not accepted under the old
// one: whoever calls one is given the new name.
var moved = map[string]string{
	"agora apps certificates":        "agora certificates list",
	"agora apps certificates show":   "agora certificates show",
	"agora apps certificates verify": "agora certificates verify",
	"agora context":                  "agora contexts",
	"agora hosts":                    "agora domains",
	"agora hosts add":                "agora domains create",
	"agora hosts remove":             "agora domains delete",
	"agora keys add":                 "agora keys create",
	"agora keys remove":              "agora keys delete",
	"agora policy rules":             "agora policy show",
	"agora triggers dead":            "agora dead-letters list",
	"agora triggers show":            "agora dead-letters show",
	"agora triggers redeliver":       "agora dead-letters redeliver",
	"agora triggers drop":            "agora dead-letters delete",
	"agora users link":               "agora users invite",
}

// nowCalled returns the old name of a command that words after a command begin with, and its new
// name; "" if they begin with none.
func nowCalled(cmd *cobra.Command, words []string) (was, now string) {
	for n := min(len(words), 2); n > 0 && now == ""; n-- {
		was = cmd.CommandPath() + " " + strings.Join(words[:n], " ")
		now = moved[was]
	}
	if now == "" {
		return "", ""
	}
	rest := words[strings.Count(was, " ")-strings.Count(cmd.CommandPath(), " "):]
	at, _ := find(cmd.Root(), strings.Fields(now)[1:])
	if len(rest) > 0 && child(at, rest[0]) != nil { // a verb that is as it was
		return was + " " + rest[0], now + " " + rest[0]
	}
	if child(at, "list") != nil { // a noun alone was a list
		now += " list"
	}
	return was, now
}

// movedError is the error for a command that has another name now; nil if words name none.
func movedError(cmd *cobra.Command, words []string) error {
	was, now := nowCalled(cmd, words)
	if now == "" {
		return nil
	}
	return usageError("%s is %s now", was, now)
}

// wordsAfter are the words of a command line after those that name a command, without flags. A
// value that a flag has of its own may be among them.
func wordsAfter(cmd *cobra.Command, args []string) []string {
	words := slices.DeleteFunc(slices.Clone(args), func(s string) bool { return strings.HasPrefix(s, "-") })
	for _, name := range strings.Fields(cmd.CommandPath())[1:] {
		i := slices.Index(words, name)
		if i < 0 {
			return nil
		}
		words = words[i+1:]
	}
	return words
}
