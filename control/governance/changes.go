package governance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// What a request tells of changes is bounded: the rest is on the releases' pages.
const (
	maxChanges    = 100
	maxChangeText = 200
)

// changes are the differences between two releases, for the reviewer of the later
// one: the module, what it imports, and every value of the manifest.
func changes(was, now registry.Release) []approvals.Change {
	a, b := facts(was), facts(now)
	paths := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(paths)
	var all []approvals.Change
	for _, path := range slices.Compact(paths) {
		if a[path] == b[path] {
			continue
		}
		if len(all) == maxChanges {
			return append(all, approvals.Change{Path: "…", Now: "there are more changes"})
		}
		all = append(all, approvals.Change{Path: path, Was: clipped(a[path]), Now: clipped(b[path]), Effect: effectOf(path, a[path], b[path], a, b)})
	}
	return all
}

func clipped(s string) string {
	if runes := []rune(s); len(runes) > maxChangeText {
		return string(runes[:maxChangeText]) + "…"
	}
	return s
}

// facts are all values that describe a release, by path.
func facts(r registry.Release) map[string]string {
	all := map[string]string{
		"module": string(r.Digest), "interface": string(r.Interface), "signer": r.Signer.Identity + " (" + r.Signer.Method + ")",
		"imports": fmt.Sprint(r.Capabilities),
	}
	raw, err := json.Marshal(r.Manifest)
	var manifest any
	if err == nil {
		err = json.Unmarshal(raw, &manifest)
	}
	if err != nil {
		all["manifest"] = err.Error() // it was stored as JSON before
		return all
	}
	flatten("", manifest, all)
	return all
}

func flatten(path string, value any, into map[string]string) {
	below := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(below(name), inner, into)
		}
	case []any:
		for i, inner := range v {
			flatten(below(strconv.Itoa(i+1)), inner, into)
		}
	case string:
		into[path] = v
	case float64:
		into[path] = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		into[path] = fmt.Sprint(v)
	}
}
