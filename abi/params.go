package abi

import (
	"slices"
	"strconv"
	"strings"
)

// Params are the parameters of a capability as manifests, requests and grants
// carry them, by name: a number in digits, or words that are sorted and joined
// by spaces, each once.
type Params map[string]string

// Number reads a number; what is missing or none is the default.
func (p Params) Number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(p[name], 10, 64); err == nil {
		return n
	}
	return otherwise
}

// List reads a list, which is empty if it is missing.
func (p Params) List(name string) []string { return strings.Fields(p[name]) }

// NarrowParams is what two sides agree on: of each parameter that both have, the
// smaller number, or the words that are in both lists.
func NarrowParams(a, b Params) Params {
	both := Params{}
	for name, text := range a {
		other, ok := b[name]
		if ok {
			both[name] = narrow(text, other)
		}
	}
	return both
}

func narrow(a, b string) string {
	n, err1 := strconv.ParseUint(a, 10, 64)
	m, err2 := strconv.ParseUint(b, 10, 64)
	if err1 == nil && err2 == nil {
		return strconv.FormatUint(min(n, m), 10)
	}
	others := strings.Fields(b)
	return strings.Join(slices.DeleteFunc(strings.Fields(a), func(word string) bool { return !slices.Contains(others, word) }), " ")
}

// Filter keeps of each list what keep wants, and numbers as they are. A list of
// which nothing is left is empty, not gone.
func (p Params) Filter(keep func(name, element string) bool) Params {
	kept := Params{}
	for name, text := range p {
		if _, err := strconv.ParseUint(text, 10, 64); err == nil {
			kept[name] = text
			continue
		}
		kept[name] = strings.Join(slices.DeleteFunc(strings.Fields(text), func(e string) bool { return !keep(name, e) }), " ")
	}
	return kept
}

// NumberParam reports whether a parameter of a capability is a number; the others are lists.
func NumberParam(name string) bool {
	switch name {
	case "allow", "credentials", "models", "names", "topics":
		return false
	}
	return true
}
