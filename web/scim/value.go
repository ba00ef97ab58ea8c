package scim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/web/problem"
)

// tree is a resource: values by the names of their attributes as the schemas write them, those of an
// extension below its URN. What is unassigned is not in it.
type tree = map[string]any

// mostValues is how many values an attribute has, at most, if its schema does not say.
const mostValues = 20

// decode reads one JSON object and nothing after it.
func decode(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc map[string]any
	err := dec.Decode(&doc)
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = problem.ErrBadRequest
		}
	}
	if err != nil || doc == nil {
		return nil, invalid("invalidSyntax", "the body is no JSON object")
	}
	return doc, nil
}

// read reads a whole resource. What it has beside the schema's attributes is given to unknown.
func (t *resource) read(doc map[string]any, unknown func(name string)) (tree, error) {
	out := tree{}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if strings.EqualFold(key, "schemas") {
			continue
		}
		at, found := t.locate(key)
		if !found || strings.Contains(key, ".") && at.sub != nil {
			unknown(key)
			continue
		}
		if at.attribute == nil { // an extension
			inner, ok := doc[key].(map[string]any)
			if !ok && doc[key] != nil {
				return nil, invalid("invalidSyntax", "%s is no object", key)
			}
			v, err := readAll(t.extension.attributes, inner, unknown)
			if err != nil {
				return nil, err
			}
			if len(v) > 0 {
				out[at.extension] = v
			}
			continue
		}
		if err := readInto(out, at.attribute, key, doc[key]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readAll(attributes []attribute, doc map[string]any, unknown func(string)) (tree, error) {
	out := tree{}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		a := find(attributes, key)
		if a == nil {
			unknown(key)
			continue
		}
		if err := readInto(out, a, key, doc[key]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readInto puts one value into a tree; a read-only one is left out.
func readInto(out tree, a *attribute, key string, v any) error {
	if a.fixed {
		return nil
	}
	if _, twice := out[a.name]; twice {
		return invalid("invalidSyntax", "%s stands twice, in other letter case", key)
	}
	is, err := a.value(v)
	if err == nil && is != nil {
		out[a.name] = is
	}
	return err
}

// value reads a value of an attribute; nil: it is unassigned.
func (a *attribute) value(v any) (any, error) {
	if !a.many {
		return a.one(v)
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	if err := a.fits(len(list)); err != nil {
		return nil, err
	}
	var all []any
	for _, v := range list {
		is, err := a.one(v)
		if err != nil {
			return nil, err
		}
		if is != nil {
			all = append(all, is)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, a.onePrimary(all)
}

// fits returns an error if an attribute has too many values.
func (a *attribute) fits(n int) error {
	if most := cmp.Or(a.most, mostValues); n > most {
		return invalidValue("%s has %d values, and at most %d are taken", a.name, n, most)
	}
	return nil
}

func (a *attribute) onePrimary(all []any) error {
	n := 0
	for _, v := range all {
		if is, ok := v.(tree); ok && is["primary"] == true {
			n++
		}
	}
	if n > 1 {
		return invalidValue("%s has %d primary values, and there is one at most", a.name, n)
	}
	return nil
}

// one reads a single value.
func (a *attribute) one(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if a.kind != complexOf {
			return nil, invalidValue("%s is a %s, and no object", a.name, a.kind)
		}
		is, err := readAll(a.sub, v, func(string) {})
		if err != nil || len(is) == 0 {
			return nil, err
		}
		return is, nil
	case []any:
		return nil, invalidValue("%s has one value, and no list", a.name)
	}
	if a.kind == complexOf { // a bare text is the value of an object, as some send managers and members
		sub := find(a.sub, "value")
		if sub == nil {
			return nil, invalidValue("%s is an object with the parts %s", a.name, strings.Join(names(a.sub), ", "))
		}
		is, err := sub.one(v)
		if err != nil || is == nil {
			return nil, err
		}
		return tree{sub.name: is}, nil
	}
	return a.scalar(v)
}

func names(attributes []attribute) (all []string) {
	for _, a := range attributes {
		all = append(all, a.name)
	}
	return all
}

func (a *attribute) scalar(v any) (any, error) {
	t := textOf(v)
	if a.kind == boolean {
		switch strings.ToLower(t) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, invalidValue("%s is true or false, not %.40q", a.name, t)
	}
	if a.kind == moment {
		if _, err := time.Parse(time.RFC3339Nano, t); err != nil {
			return nil, invalidValue("%s is a time such as 2026-01-31T10:00:00Z, not %.40q", a.name, t)
		}
	}
	if t == "" {
		return nil, nil
	}
	return t, nil
}

// textOf writes a scalar of JSON.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}
