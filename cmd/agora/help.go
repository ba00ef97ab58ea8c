package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// likeness is within how many edits a word is suggested.
const likeness = 2

// helpCommand prints help about commands, and about nothing else: a word that names none is wrong
// usage, like everywhere.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND …]", Short: "Print help about a command",
		RunE: func(_ *cobra.Command, words []string) error {
			cmd, err := find(root, words)
			if err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, words []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
			cmd, err := find(root, words)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return subcommands(cmd, start), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// find returns the command that words name, all of them.
func find(root *cobra.Command, words []string) (*cobra.Command, error) {
	at := root
	for _, word := range words {
		next := child(at, word)
		if next == nil {
			return at, unknownCommand(at, word)
		}
		at = next
	}
	return at, nil
}

func child(cmd *cobra.Command, word string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == word || sub.HasAlias(word) {
			return sub
		}
	}
	return nil
}

func subcommands(cmd *cobra.Command, start string) []cobra.Completion {
	var all []cobra.Completion
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), start) {
			all = append(all, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return all
}

// unknownCommand says which command is near to a word, and which there are.
func unknownCommand(cmd *cobra.Command, word string) error {
	if err := movedError(cmd, []string{word}); err != nil {
		return err
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), word)
	switch near := suggestions(cmd, word); {
	case len(near) > 0:
		text += "\nDid you mean " + strings.Join(near, " or ") + "?"
	case !cmd.HasAvailableSubCommands():
		text += ": it has none"
	}
	if list := child(cmd, "list"); list != nil && slices.Contains(placeholders(list.Use), "APP") {
		text += fmt.Sprintf("\nThose of an app are listed by: %s %s", list.CommandPath(), printable(word))
	}
	if cmd.HasAvailableSubCommands() {
		text += fmt.Sprintf("\n%s --help lists its commands.", cmd.CommandPath())
	}
	return usageError("%s", text)
}

// suggestions are commands that a word may have been meant to be.
func suggestions(cmd *cobra.Command, word string) (near []string) {
	cmd.SuggestionsMinimumDistance = likeness
	for _, name := range cmd.SuggestionsFor(word) {
		near = append(near, cmd.CommandPath()+" "+name)
	}
	if word == "help" {
		near = append(near, strings.Replace(cmd.CommandPath(), cmd.Root().Name(), cmd.Root().Name()+" help", 1))
	}
	return near
}

// takesArguments reports whether a command's own arguments are other than commands.
func takesArguments(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " ") }

// checkHelp is what is wrong with a command line that asks for help: a word that names no command,
// where nothing but a command can stand.
func checkHelp(cmd *cobra.Command) error {
	words := cmd.Flags().Args()
	if len(words) == 0 || takesArguments(cmd) || !cmd.HasSubCommands() {
		return nil
	}
	return unknownCommand(cmd, words[0])
}

// explain turns an error of the command library about the command line into one that says what
// would be right. It has no types for them.
func explain(cmd *cobra.Command, args []string, err error) error {
	if !isCobraUsage(err) {
		return err
	}
	words := wordsAfter(cmd, args)
	for i := range words { // before them may be the value of a flag
		if err := movedError(cmd, words[i:]); err != nil {
			return err
		}
	}
	words = cmd.Flags().Args()
	switch {
	case strings.HasPrefix(err.Error(), "unknown command") && cmd == cmd.Root():
		_, word, _ := strings.Cut(err.Error(), `"`)
		word, _, _ = strings.Cut(word, `"`)
		return unknownCommand(cmd, word)
	case strings.HasPrefix(err.Error(), "unknown command") && len(words) > 0 && cmd.HasSubCommands():
		return unknownCommand(cmd, words[0])
	case strings.HasPrefix(err.Error(), "unknown command") && len(words) > 0:
		return usageError("%s takes no arguments, and was given %q\nUsage: %s", cmd.CommandPath(), words[0], cmd.UseLine())
	case len(words) == 0 && cmd.HasSubCommands() && child(cmd, "list") != nil:
		return usageError("%w\nDid you mean %s?", err, child(cmd, "list").CommandPath())
	case len(words) > 0:
		if near := suggestions(cmd, words[0]); len(near) > 0 {
			return usageError("%w\nDid you mean %s?\nUsage: %s", err, strings.Join(near, " or "), cmd.UseLine())
		}
	}
	return usageError("%w\nUsage: %s", err, cmd.UseLine())
}

// isCobraUsage recognises the errors that the command library makes by itself.
func isCobraUsage(err error) bool {
	if err == nil {
		return false
	}
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "accepts ", "requires ", "required flag", "invalid argument"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}
