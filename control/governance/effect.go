package governance

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// ladders are values of the manifest that have an order, from the least that an app may do or know to the most.
var ladders = map[string][]string{
	"data_classification": {"public", "internal", "confidential", "restricted"},
	"access.identity":     {"", "pseudonym", "person"},
	"keep_state":          {"", "true"},
}

// amounts begin the paths of numbers, of which more lets an app do more.
var amounts = []string{"capabilities.", "limits."}

// sets begin the paths of what an app has or has not, and of which each entry lets it do more.
var sets = []string{"capabilities.", "triggers.", "access.open", "access.service_workers", "imports"}

// effectOf says what a difference between two releases lets the later one do: was and now are its value, and
// before and after all values of both by path.
func effectOf(path, was, now string, before, after map[string]string) approvals.Effect {
	if ladder, ok := ladders[path]; ok {
		return compared(slices.Index(ladder, was), slices.Index(ladder, now))
	}
	if path == "imports" {
		return grown(strings.Fields(strings.Trim(was, "[]")), strings.Fields(strings.Trim(now, "[]")))
	}
	begins := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
	list, name := cutLast(path)
	if _, err := strconv.Atoi(name); err == nil && slices.ContainsFunc(sets, begins) {
		return grown(besides(was, listed(list, after)), besides(now, listed(list, before)))
	}
	if a, b, ok := numbers(was, now); ok && slices.ContainsFunc(amounts, begins) {
		return compared(a, b)
	}
	if slices.ContainsFunc(sets, begins) && (was == "" || now == "") {
		return grown(besides(was, nil), besides(now, nil))
	}
	return approvals.EffectOther
}

func compared[T int | int64](was, now T) approvals.Effect {
	switch {
	case now > was:
		return approvals.EffectWider
	case now < was:
		return approvals.EffectNarrower
	}
	return approvals.EffectOther
}

// grown compares sets. One that has lost entries and has others instead is wider: what is new was not reviewed.
func grown(was, now []string) approvals.Effect {
	lacks := func(in []string) func(string) bool {
		return func(entry string) bool { return !slices.Contains(in, entry) }
	}
	switch {
	case slices.ContainsFunc(now, lacks(was)):
		return approvals.EffectWider
	case slices.ContainsFunc(was, lacks(now)):
		return approvals.EffectNarrower
	}
	return approvals.EffectOther
}

// besides is a value as a set, less what the other release lists as well, at whichever place.
func besides(value string, others []string) []string {
	if value == "" || slices.Contains(others, value) {
		return nil
	}
	return []string{value}
}

// listed are the values of a list, of which facts has each under a path of its own.
func listed(list string, facts map[string]string) (all []string) {
	for i := 1; ; i++ {
		value, ok := facts[list+"."+strconv.Itoa(i)]
		if !ok {
			return all
		}
		all = append(all, value)
	}
}

// cutLast returns a path without its last name, and that name.
func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)], path[i+1:]
}

// numbers reads two amounts: a number, a size, or a time. One of both can be missing, and is 0 then.
func numbers(was, now string) (a, b int64, ok bool) {
	a, aok := amount(was)
	b, bok := amount(now)
	return a, b, aok && bok
}

func amount(text string) (int64, bool) {
	if text == "" {
		return 0, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	var size registry.Size
	if size.UnmarshalText([]byte(text)) == nil {
		return int64(size), true
	}
	d, err := time.ParseDuration(text)
	return int64(d), err == nil
}
