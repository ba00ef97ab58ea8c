package scim

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// mostOperations is how many operations one PATCH has, at most.
const mostOperations = 1000

// operation is one of a PATCH.
type operation struct {
	op    string // "add", "replace" or "remove"
	path  string
	value any
}

// target is what an operation is about.
type target struct {
	place
	among filter // of an attribute with many values: those that are meant; nil: all
	where string // its text
}

// operations reads the body of a PATCH.
func operations(doc map[string]any) ([]operation, error) {
	var list []any
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if strings.EqualFold(key, "Operations") {
			list, _ = doc[key].([]any)
		}
	}
	if len(list) == 0 || len(list) > mostOperations {
		return nil, invalid("invalidSyntax", "a PATCH has a list Operations, of 1 to %d", mostOperations)
	}
	all := make([]operation, len(list))
	for i, v := range list {
		fields, ok := v.(map[string]any)
		if !ok {
			return nil, invalid("invalidSyntax", "operation %d is no object", i+1)
		}
		for key, v := range fields {
			switch strings.ToLower(key) {
			case "op":
				all[i].op = strings.ToLower(textOf(v))
			case "path":
				all[i].path = strings.TrimSpace(textOf(v))
			case "value":
				all[i].value = v
			}
		}
		if op := all[i].op; op != "add" && op != "replace" && op != "remove" {
			return nil, invalid("invalidSyntax", "operation %d is %.20q, and there are add, replace and remove", i+1, op)
		}
	}
	return all, nil
}

// aim finds what a path of a PATCH names. found is false for an attribute that is not kept.
func (t *resource) aim(path string) (to target, found bool, err error) {
	name, rest, filtered := strings.Cut(path, "[")
	if name == "" || strings.ContainsAny(name, " \"]()") {
		return to, false, invalid("invalidPath", "%.60q is no path of an attribute", path)
	}
	if to.place, found = t.locate(name); !filtered {
		return to, found, nil
	}
	end := strings.LastIndexByte(rest, ']')
	if end < 0 || to.sub != nil {
		return to, false, invalid("invalidPath", "%.60q is no path of an attribute", path)
	}
	if !found {
		return to, false, nil
	}
	if to.attribute == nil || !to.attribute.many || to.attribute.kind != complexOf {
		return to, false, invalid("invalidPath", "%s has no values to choose from", name)
	}
	if to.where = rest[:end]; len(to.where) > maxFilter {
		return to, false, invalid("invalidPath", "the filter in the path is too long")
	}
	if to.among, err = parseBy(to.where, to.attribute.locate); err != nil {
		return to, false, invalid("invalidPath", "in the path %.60q: %v", path, err)
	}
	if sub := rest[end+1:]; sub != "" {
		if to.sub = find(to.attribute.sub, strings.TrimPrefix(sub, ".")); to.sub == nil || sub[0] != '.' {
			return to, false, nil
		}
	}
	return to, true, nil
}

// apply does the operations to a resource.
func (t *resource) apply(v tree, all []operation, unknown func(string)) error {
	for _, o := range all {
		if err := t.do(v, o, unknown); err != nil {
			return err
		}
	}
	return nil
}

func (t *resource) do(v tree, o operation, unknown func(string)) error {
	if o.path == "" {
		return t.doAll(v, o, "", unknown)
	}
	to, found, err := t.aim(o.path)
	if err != nil {
		return err
	}
	if !found {
		unknown(o.path)
		return nil
	}
	if to.attribute == nil {
		if o.op == "remove" {
			delete(v, to.extension)
			return nil
		}
		return t.doAll(v, o, to.extension, unknown)
	}
	if to.attribute.fixed || (to.sub != nil && to.sub.fixed) {
		return invalid("mutability", "%s cannot be changed", o.path)
	}
	return to.change(v, o)
}

// doAll does an operation without a path, whose value names attributes; in an extension those of it.
// Names may be paths.
func (t *resource) doAll(v tree, o operation, extension string, unknown func(string)) error {
	doc, ok := o.value.(map[string]any)
	if o.op == "remove" {
		return invalid("noTarget", "a removal needs a path")
	}
	if !ok {
		return invalidValue("without a path the value is an object of attributes")
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		path := key
		if extension != "" {
			path = extension + ":" + key
		}
		to, found, err := t.aim(path)
		if err != nil {
			return err
		}
		switch {
		case !found:
			unknown(path)
			continue
		case to.attribute != nil && (to.attribute.fixed || (to.sub != nil && to.sub.fixed)):
			continue // an id that is sent along changes nothing
		}
		if err := t.do(v, operation{o.op, path, doc[key]}, unknown); err != nil {
			return err
		}
	}
	return nil
}

// change does an operation to the attribute that it is about.
func (to target) change(v tree, o operation) error {
	in := v
	if to.extension != "" {
		if in, _ = v[to.extension].(tree); in == nil {
			in = tree{}
		}
	}
	var err error
	a := to.attribute
	switch {
	case a.many && (to.among != nil || to.sub != nil):
		err = to.changeSome(in, o)
	case to.sub != nil:
		err = to.changeSub(in, o)
	case o.op == "remove":
		err = to.remove(in, o.value)
	default:
		err = to.set(in, o)
	}
	if to.extension != "" {
		if delete(v, to.extension); len(in) > 0 {
			v[to.extension] = in
		}
	}
	return err
}

// put assigns a value, or, for nil, takes it away.
func put(in tree, name string, v any) {
	if delete(in, name); v != nil {
		in[name] = v
	}
}

func (to target) remove(in tree, value any) error {
	a := to.attribute
	if a.required {
		return invalidValue("%s is required, and is not taken away", a.name)
	}
	list, _ := in[a.name].([]any)
	if value == nil || !a.many {
		delete(in, a.name)
		return nil
	}
	gone, err := a.value(value) // those values alone, as some send it
	if err != nil {
		return err
	}
	which, _ := gone.([]any)
	keepIf(in, a.name, list, func(v any) bool {
		return !slices.ContainsFunc(which, func(w any) bool { return sameValue(v, w) })
	})
	return nil
}

// sameValue reports whether two values of a list are one: those with a value by that, others if they
// are equal.
func sameValue(a, b any) bool {
	x, _ := a.(tree)
	y, _ := b.(tree)
	if x["value"] != nil && y["value"] != nil {
		return x["value"] == y["value"]
	}
	return reflect.DeepEqual(a, b)
}

// keepIf keeps some of the values of an attribute.
func keepIf(in tree, name string, list []any, keep func(any) bool) {
	var kept []any
	for _, v := range list {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	if delete(in, name); len(kept) > 0 {
		in[name] = kept
	}
}

func (to target) set(in tree, o operation) error {
	a := to.attribute
	v, err := a.value(o.value)
	if err != nil {
		return err
	}
	if v == nil && a.required {
		return invalidValue("%s is required", a.name)
	}
	if o.op == "replace" && (a.many || a.kind != complexOf) || v == nil && o.op == "replace" {
		put(in, a.name, v)
		return nil
	}
	switch is := v.(type) {
	case []any:
		had, _ := in[a.name].([]any)
		all := joined(had, is)
		put(in, a.name, all)
		return a.fits(len(all))
	case tree: // the other parts stay
		had, _ := in[a.name].(tree)
		all := maps.Clone(had)
		if all == nil {
			all = tree{}
		}
		maps.Copy(all, is)
		put(in, a.name, all)
	case nil:
	default:
		put(in, a.name, v)
	}
	return nil
}

// joined is a list with more values. One that is there is not there twice, and the last primary value
// is the only one.
func joined(had, more []any) []any {
	all := slices.Clone(had)
	for _, v := range more {
		if is, ok := v.(tree); ok && is["primary"] == true {
			for i := range all {
				all[i] = withoutPrimary(all[i])
			}
		}
		if !slices.ContainsFunc(all, func(h any) bool { return reflect.DeepEqual(h, v) }) {
			all = append(all, v)
		}
	}
	return all
}

func withoutPrimary(v any) any {
	is, ok := v.(tree)
	if !ok || is["primary"] != true {
		return v
	}
	is = maps.Clone(is)
	is["primary"] = false
	return is
}

func (to target) changeSub(in tree, o operation) error {
	had, _ := in[to.attribute.name].(tree)
	all := maps.Clone(had)
	if all == nil {
		all = tree{}
	}
	var v any
	if o.op != "remove" {
		var err error
		if v, err = to.sub.value(o.value); err != nil {
			return err
		}
	}
	if put(all, to.sub.name, v); len(all) == 0 {
		delete(in, to.attribute.name)
		return nil
	}
	in[to.attribute.name] = all
	return nil
}

// changeSome changes those values of a list that the path chooses.
func (to target) changeSome(in tree, o operation) error {
	list, _ := in[to.attribute.name].([]any)
	chosen := func(v any) bool {
		is, ok := v.(tree)
		return ok && (to.among == nil || to.among.holds(is))
	}
	if o.op == "remove" && to.sub == nil {
		keepIf(in, to.attribute.name, list, func(v any) bool { return !chosen(v) })
		return nil
	}
	var changed []any
	hit := false
	for _, v := range list {
		if chosen(v) {
			is, err := to.changed(v.(tree), o)
			if err != nil {
				return err
			}
			if hit = true; len(is) > 0 {
				changed = append(changed, is)
			}
			continue
		}
		changed = append(changed, v)
	}
	if !hit && o.op != "remove" {
		made, err := to.made(o)
		if err != nil {
			return err
		}
		changed = joined(changed, []any{made})
	}
	if delete(in, to.attribute.name); len(changed) > 0 {
		in[to.attribute.name] = changed
	}
	return errors.Join(to.attribute.fits(len(changed)), to.attribute.onePrimary(changed))
}

// changed is one value of a list after an operation.
func (to target) changed(is tree, o operation) (tree, error) {
	is = maps.Clone(is)
	if to.sub != nil {
		if o.op == "remove" {
			delete(is, to.sub.name)
			return is, nil
		}
		v, err := to.sub.value(o.value)
		put(is, to.sub.name, v)
		return is, err
	}
	v, err := to.attribute.one(o.value)
	more, _ := v.(tree)
	if err == nil && more == nil {
		err = invalidValue("%s is an object", to.attribute.name)
	}
	if o.op == "replace" && err == nil {
		clear(is)
	}
	maps.Copy(is, more)
	return is, err
}

// made is the value that an operation wants to change and that is not there: it has what the path says
// of it, as the work address of a person who has none.
func (to target) made(o operation) (tree, error) {
	is := tree{}
	if to.among != nil && !assign(is, to.among) {
		return nil, invalid("noTarget", "no value of %s is one with %.60s", to.attribute.name, to.where)
	}
	return to.changed(is, operation{"add", o.path, o.value})
}

// assign makes a filter hold of a value, if it says nothing but what some parts are.
func assign(is tree, f filter) bool {
	switch f := f.(type) {
	case *compare:
		if f.op != "eq" || f.null || f.at.attribute.fixed {
			return false
		}
		v, err := f.at.attribute.scalar(f.text)
		put(is, f.at.attribute.name, v)
		return err == nil
	case every:
		return !slices.ContainsFunc(f, func(g filter) bool { return !assign(is, g) })
	}
	return false
}
