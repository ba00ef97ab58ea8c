package scim

import (
	"maps"
	"strings"
)

// view is which attributes of resources are asked for.
type view struct {
	only    []string // none: those that are returned by default
	without []string
}

func viewOf(only, without []string) view {
	return view{fields(only), fields(without)}
}

// fields are the paths of lists that are separated by commas.
func fields(texts []string) (all []string) {
	for _, t := range texts {
		for path := range strings.SplitSeq(t, ",") {
			if path = strings.TrimSpace(path); path != "" {
				all = append(all, path)
			}
		}
	}
	return all
}

// wants reports whether an attribute is in a view.
func (v view) wants(t *resource, name string) bool {
	if len(v.only) > 0 {
		return mentions(t, v.only, name, true)
	}
	return !mentions(t, v.without, name, false)
}

// mentions reports whether paths name an attribute, as a whole or, if parts count, one of its parts.
func mentions(t *resource, paths []string, name string, parts bool) bool {
	for _, path := range paths {
		if p, ok := t.locate(path); ok && p.attribute != nil && p.extension == "" && p.attribute.name == name && (parts || p.sub == nil) {
			return true
		}
	}
	return false
}

// project returns as much of a resource as is asked for. What is always returned stays.
func (v view) project(t *resource, doc tree) tree {
	if len(v.only) == 0 {
		return v.leaveOut(t, doc)
	}
	out := tree{"schemas": doc["schemas"], "id": doc["id"]}
	for _, path := range v.only {
		p, ok := t.locate(path)
		if !ok {
			continue
		}
		from, to := doc, out
		if p.extension != "" {
			from, _ = doc[p.extension].(tree)
			if to, _ = out[p.extension].(tree); to == nil {
				to = tree{}
			}
		}
		switch {
		case p.attribute == nil && p.extension == "":
			maps.Copy(out, doc)
		case p.attribute == nil:
			maps.Copy(to, from)
		case from[p.attribute.name] == nil:
		case p.sub == nil:
			to[p.attribute.name] = from[p.attribute.name]
		default:
			to[p.attribute.name] = merged(to[p.attribute.name], from[p.attribute.name], p.sub.name)
		}
		if p.extension != "" && len(to) > 0 {
			out[p.extension] = to
		}
	}
	return out
}

// merged adds one part of a value, or of each of a list, to those that are there.
func merged(had, from any, part string) any {
	switch from := from.(type) {
	case tree:
		out, _ := had.(tree)
		if out == nil {
			out = tree{}
		}
		if from[part] != nil {
			out[part] = from[part]
		}
		return out
	case []any:
		before, _ := had.([]any)
		all := make([]any, len(from))
		for i := range from {
			var was any
			if i < len(before) {
				was = before[i]
			}
			all[i] = merged(was, from[i], part)
		}
		return all
	}
	return from
}

func (v view) leaveOut(t *resource, doc tree) tree {
	out := maps.Clone(doc)
	for _, path := range v.without {
		p, ok := t.locate(path)
		if !ok || (p.attribute != nil && p.attribute.returned == "always") {
			continue
		}
		in := out
		if p.extension != "" {
			inner, _ := out[p.extension].(tree)
			if in = maps.Clone(inner); in == nil {
				continue
			}
		}
		switch {
		case p.attribute == nil && p.extension != "":
			clear(in)
		case p.attribute == nil:
			continue
		case p.sub == nil:
			delete(in, p.attribute.name)
		default:
			put(in, p.attribute.name, without(in[p.attribute.name], p.sub.name))
		}
		if p.extension != "" {
			if delete(out, p.extension); len(in) > 0 {
				out[p.extension] = in
			}
		}
	}
	return out
}

func without(v any, part string) any {
	switch v := v.(type) {
	case tree:
		v = maps.Clone(v)
		delete(v, part)
		return v
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = without(v[i], part)
		}
		return all
	}
	return v
}
