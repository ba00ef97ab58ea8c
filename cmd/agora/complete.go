package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/script/languages"
	"github.com/agora-host/agora/sdk/client"
)

// completeWithin is how long a shell waits for the names that a node has. Without a response there
// are none, and no message: it would stand in the middle of a command line.
const completeWithin = 1500 * time.Millisecond

// completeMost is how many names of a kind are offered.
const completeMost = 500

type (
	// completion is how an argument or a flag is completed: one of its fields is set, or none if it
	// is free text.
	completion struct {
		names func(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) // what a node has
		words []string                                                                                  // what there is
		local func() []string                                                                           // what this machine has
		files []string                                                                                  // endings of files; "" for every file
		list  bool                                                                                      // several, with commas between them
	}
)

var (
	anyFile     = completion{files: []string{""}}
	moduleFiles = completion{files: moduleEndings()}
	freeText    = completion{}
	appNames    = completion{names: completeApps}
	tiers       = completion{words: tierNames()}
	roles       = completion{words: roleNames(), list: true}
)

// arguments say how the words in capitals of a command's usage are completed; those that mean
// something else for the commands of one parent stand with its name.
var arguments = map[string]completion{
	"QUOTA": {words: quotaWords("")}, "LIMIT": freeText, "CAPABILITY": {words: capabilityNames()}, "APP": appNames, "NUMBER": {names: completeReleases}, "USER": {names: completeUsers}, "PROVIDER": {names: completeProviders}, "provisioning USER-NAME": {names: completeConflicts}, "tokens PROVIDER": {names: completeProviders}, "GROUP": {names: completeGroups}, "SERVICE": {names: completeServiceAccounts}, "NOTICE": {names: completeNotices}, "DELEGATION": {names: completeDelegations}, "ACT": {words: actNames()}, "ON": appNames, "TOKEN": {names: completeTokens}, "SESSION": {names: completeSessions},
	"KEY": {names: completeKeys}, "DOMAIN": {names: completeDomains}, "CONTEXT": {local: contextNames},
	"CERTIFICATE": {names: completeCertificates}, "TITLE": freeText, "users STATE": {words: []string{"on", "off"}}, "ACCOUNT": {names: completeAccounts},
	"audience KIND": {words: audienceWords()},
	"requests ID":   {names: completeRequests}, "grants ID": {names: completeGrants}, "exemptions ID": {names: completeExemptions},
	"triggers KIND": {words: []string{string(abi.TriggerCron), string(abi.TriggerWebhook), string(abi.TriggerEvent)}},
	"triggers NAME": {names: completeTriggers}, "dead-letters LETTER": {names: completeDeadLetters}, "secrets NAME": {names: completeSecrets},
	"policy FILE": {files: append([]string{"toml"}, moduleEndings()[1:]...)}, "MODULE": moduleFiles, "MANIFEST": {files: []string{"toml"}}, "DIRECTORY": anyFile, "FILE": anyFile,
	"requests TEXT": freeText, "LABEL": freeText, "PATH": freeText, "LINK": freeText, "URL": freeText, "NEW": freeText, "NAME": freeText, "COMMAND": freeText,
}

// flagValues say how the values of flags are completed; those that mean something else for one
// command stand with its name.
var flagValues = map[string]completion{
	"output": {words: []string{"text", "json"}}, "context": {local: contextNames},
	"tier": tiers, "audience": {words: audienceWords()}, "promote to": {words: tierNames()[1:]}, "role": roles, "add-role": roles, "remove-role": roles,
	"list by": {names: completeUsers}, "provider": {names: completeProviders}, "external": freeText, "revision": freeText, "label": freeText, "person": {names: completeUsers}, "sponsor": {names: completeUsers}, "purpose": freeText, "code": freeText, "control": freeText, "successor": appNames, "source": {words: []string{"here"}}, "state": {words: []string{"active", "maintenance", "suspended", "quarantined", "deleting", "removing"}},
	"status": {words: []string{"open", "scheduled", "approved", "rejected", "withdrawn", "all"}},
	"by":     {words: groupings, list: true}, "app": appNames, "user": {names: completeUsers}, "team": {names: completeTeams}, "cost-center": {names: completeCostCenters},
	"release": {names: completeReleases}, "request": {names: completeRequests, list: true}, "method": {words: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}},
	"module": moduleFiles, "name": freeText, "bundle": {files: []string{"json"}}, "key": anyFile, "out": anyFile, "trust-root": {files: []string{"json"}},
	"challenge": anyFile, "proof": anyFile, "data": anyFile, "examples": anyFile, "llm": anyFile, "sign-in": anyFile, "notices": anyFile, "test provider": freeText, "claims": anyFile, "policy": anyFile, "backup to": anyFile,
	"quota": {words: quotaWords("=")}, "until": freeText, "at": {words: []string{"12h", "2d"}}, "snapshot": {words: []string{"latest"}}, "since": {words: []string{"24h", "7d", "30d"}},
	"scope": {words: access.ScopeWords()}, "concern": {words: approvals.Concerns()}, "owner": {names: completeUsers}, "co-owner": {names: completeUsers}, "group": {names: completeGroups}, "capability": {words: capabilityNames()}, "transfer to": {names: completeUsers},
	"list to": freeText, "kind": {words: eventWords(), list: true}, "actor": {names: completeUsers}, "after": freeText,
	"call": freeText, "save": anyFile, "search": freeText, "url": freeText, "token": freeText, "reason": freeText, "for": freeText, "remedy": freeText, "turn": {words: []string{"reviewers", "requester"}}, "comment": freeText, "identity": freeText, "digest": freeText, "if-match": freeText, "header": freeText, "from": freeText, "usage to": freeText,
	"mail": {words: []string{"at-once", "daily", "off"}}, "zone": freeText, "daily": freeText, "quiet-from": freeText, "quiet-to": freeText,
	"listen": freeText, "console-url": freeText, "apps-domain": freeText, "admin": freeText, "environment": freeText, "egress-allow": freeText,
	"trusted-proxy": freeText, "tls-cert": {files: []string{"pem", "crt"}}, "tls-key": {files: []string{"pem", "key"}}, "acme-directory": freeText, "acme-email": freeText,
	"listen-http": freeText, "hsts": {words: []string{"off"}}, "memory": freeText, "disk-reserve": freeText,
}

// groupings are what usage can be grouped by.
var groupings = []string{"hour", "day", "month", "app", "release", "tier", "cost_center", "team", "owner", "environment", "trigger"}

// moduleEndings are those of modules, and of the scripts that become one.
func moduleEndings() []string {
	all := []string{"wasm"}
	for _, ext := range languages.Extensions {
		all = append(all, ext[1:])
	}
	return all
}

func tierNames() (all []string) {
	for _, t := range abi.Tiers() {
		all = append(all, string(t))
	}
	return all
}

func audienceWords() (all []string) {
	for _, k := range access.AudienceKinds() {
		all = append(all, string(k))
	}
	return all
}

func roleNames() (all []string) {
	for _, r := range access.Roles() {
		all = append(all, string(r))
	}
	return all
}

func actNames() (all []string) {
	for _, r := range access.Rules() {
		all = append(all, string(r.Act))
	}
	return all
}

func capabilityNames() (all []string) {
	for _, c := range abi.Capabilities() {
		all = append(all, c.Name)
	}
	return all
}

func eventWords() (all []string) {
	for _, k := range abi.EventKinds() {
		all = append(all, k.Kind)
	}
	return all
}

// quotaWords are the names of the quotas, with what follows them.
func quotaWords(then string) (all []string) {
	for _, text := range control.QuotaNames() {
		name, _, _ := strings.Cut(text, "=")
		all = append(all, name+then)
	}
	return all
}

func contextNames() []string {
	f, _ := readContexts()
	return f.Names()
}

// completer completes command lines in a shell, with names that a node has.
type completer struct{ *session }

// register gives each command what completes its arguments and flags.
func (c completer) register(cmd *cobra.Command) {
	parent := ""
	if cmd.HasParent() {
		parent = cmd.Parent().Name()
	}
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = c.arguments(parent, placeholders(cmd.Use))
	}
	register := func(f *pflag.Flag) {
		if how, ok := lookUp(flagValues, cmd.Name(), f.Name); ok && f.Value.Type() != "bool" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return c.complete(cmd.Context(), how, args, start)
			})
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(register)
	cmd.PersistentFlags().VisitAll(register)
	for _, sub := range cmd.Commands() {
		c.register(sub)
	}
}

// lookUp finds what is said for one command, or else for all.
func lookUp(table map[string]completion, command, name string) (completion, bool) {
	if how, ok := table[command+" "+name]; ok {
		return how, true
	}
	how, ok := table[name]
	return how, ok
}

// placeholders are the words in capitals of a usage line, in order; of alternatives, the first.
func placeholders(use string) (words []string) {
	alternative := false
	for _, word := range strings.Fields(use)[1:] {
		name := strings.Trim(word, "[]…")
		switch {
		case name == "|":
			alternative = true
		case alternative || name == "":
			alternative = false
		case name == strings.ToUpper(name):
			words = append(words, name)
		}
	}
	return words
}

func (c completer) arguments(parent string, names []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(names) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		how, _ := lookUp(arguments, parent, names[len(args)])
		return c.complete(cmd.Context(), how, args, start)
	}
}

// complete returns what begins like a word that is being written.
func (c completer) complete(ctx context.Context, how completion, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(how.files) > 0 {
		if how.files[0] == "" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return how.files, cobra.ShellCompDirectiveFilterFileExt
	}
	all := how.words
	switch {
	case how.local != nil:
		all = how.local()
	case how.names != nil:
		all = c.ask(ctx, how, args)
	}
	before := ""
	if i := strings.LastIndexByte(start, ','); how.list && i >= 0 {
		before, start = start[:i+1], start[i+1:]
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	var found []cobra.Completion
	for _, one := range all {
		if strings.HasPrefix(one, start) && !slices.Contains(strings.Split(before, ","), one) {
			found = append(found, before+one)
			if strings.HasSuffix(one, "=") {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		}
	}
	return found, directive
}

// ask asks the node, within bounds. Whatever goes wrong, there are no names.
func (c completer) ask(ctx context.Context, how completion, args []string) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	node, err := c.node()
	if err != nil {
		return nil
	}
	names, err := how.names(ctx, node.First(completeMost), args)
	if err != nil {
		return nil
	}
	return names
}

// offer makes completions of a list.
func offer[T any](all []T, err error, name func(T) string, about func(T) string) ([]cobra.Completion, error) {
	var found []cobra.Completion
	for _, one := range all {
		if name := printable(name(one)); name != "" {
			found = append(found, cobra.CompletionWithDesc(name, printable(about(one))))
		}
	}
	return found, err
}

func completeApps(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Apps(ctx)
	return offer(all, err, func(a client.App) string { return a.Name }, func(a client.App) string { return a.Title })
}

func completeReleases(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	if len(args) == 0 {
		return nil, nil
	}
	all, err := node.Releases(ctx, args[0])
	return offer(all, err, func(r client.Release) string { return strconv.Itoa(r.Number) }, func(r client.Release) string { return r.Version + " " + tierWords(r.ActiveIn) })
}

func completeUsers(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Users(ctx)
	return offer(all, err, func(u client.User) string { return u.Name }, func(u client.User) string { return strings.Join(u.Roles, ", ") })
}

func completeAccounts(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	if len(args) == 0 {
		return nil, nil
	}
	all, err := node.Accounts(ctx, args[0])
	return offer(all, err, func(a client.Account) string { return a.ID }, func(a client.Account) string { return a.Email + " " + a.Provider })
}

func completeGroups(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Groups(ctx, client.GroupFilter{})
	reference := func(g client.Group) string { // a provider's are found by their ids alone
		if g.Source != "" {
			return g.ID
		}
		return g.Name
	}
	return offer(all, err, reference, func(g client.Group) string { return g.Name })
}

func completeNotices(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Notices(ctx, false)
	return offer(all, err, func(n client.Notice) string { return n.ID }, func(n client.Notice) string { return n.Text })
}

func completeTokens(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	all, err := node.Tokens(ctx)
	if len(args) == 1 { // those of a provider
		all, err = node.ProvisioningTokens(ctx, args[0])
	}
	return offer(all, err, func(t client.Credential) string { return t.ID }, func(t client.Credential) string { return t.Label })
}

func completeSessions(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Sessions(ctx, "")
	return offer(all, err, func(s client.SignedIn) string { return s.ID }, func(s client.SignedIn) string { return s.Device })
}

func completeKeys(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Keys(ctx)
	return offer(all, err, func(k client.Key) string { return k.Hint }, func(k client.Key) string { return k.Identity })
}

func completeDomains(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Domains(ctx)
	return offer(all, err, func(h client.Domain) string { return h.Host }, func(h client.Domain) string { return h.App })
}

func completeRequests(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Requests(ctx, "", "")
	return offer(all, err, func(q client.Request) string { return q.ID }, func(q client.Request) string { return q.Status + ": " + q.App + " " + what(q) })
}

func completeExemptions(ctx context.Context, node *client.Client, _ []string) ([]string, error) {
	all, err := node.Exemptions(ctx, "")
	return offer(all, err, func(q client.Request) string { return q.ID }, func(q client.Request) string { return q.App + " " + q.Exemption.Code })
}

func completeGrants(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Grants(ctx, "")
	return offer(all, err, func(g client.Grant) string { return g.ID }, func(g client.Grant) string { return g.App + " " + g.Capability })
}

func completeCertificates(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	all, err := node.Certificates(ctx, "")
	return offer(all, err, func(c client.Certificate) string { return c.ID }, func(c client.Certificate) string { return c.App + " " + c.What })
}

// completeTriggers are an app's triggers of the kind that was named; run names none, and runs cron.
func completeTriggers(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	kind := abi.TriggerCron
	if len(args) > 1 {
		kind = abi.TriggerKind(args[1])
	}
	all, err := node.Triggers(ctx, args[0])
	all = slices.DeleteFunc(all, func(t client.Trigger) bool { return t.Kind != kind })
	return offer(all, err, func(t client.Trigger) string { return t.Name }, triggerState)
}

func completeDeadLetters(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	all, err := node.DeadLetters(ctx, args[0])
	return offer(all, err, func(d client.Delivery) string { return strconv.FormatUint(d.Seq, 10) }, func(d client.Delivery) string { return d.Name + ": " + d.Error })
}

func completeSecrets(ctx context.Context, node *client.Client, args []string) ([]cobra.Completion, error) {
	all, err := node.Secrets(ctx, args[0])
	return offer(all, err, func(s client.Secret) string { return s.Name }, func(s client.Secret) string { return "set by " + s.By })
}

func completeTeams(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	return ofApps(ctx, node, func(a client.App) string { return a.Team })
}

func completeCostCenters(ctx context.Context, node *client.Client, _ []string) ([]cobra.Completion, error) {
	return ofApps(ctx, node, func(a client.App) string { return a.CostCenter })
}

// ofApps are the values that apps have, once each.
func ofApps(ctx context.Context, node *client.Client, value func(client.App) string) ([]cobra.Completion, error) {
	all, err := node.Apps(ctx)
	seen := map[string]bool{}
	for _, a := range all {
		seen[printable(value(a))] = true
	}
	return slices.Sorted(maps.Keys(seen)), err
}
