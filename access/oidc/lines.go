package oidc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// FileError lists all that is wrong with a File.
type FileError struct {
	Path     string
	Problems []Problem // by line
}

// Problem is one thing that is wrong.
type Problem struct {
	Line int // from 1
	Err  error
}

func (e *FileError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s cannot be used", e.Path)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n%s:%d: %v", e.Path, p.Line, p.Err)
	}
	return b.String()
}

// Unwrap has errors.Is find the kinds of what is wrong.
func (e *FileError) Unwrap() []error {
	all := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p.Err
	}
	return all
}

// checker collects what is wrong with a text, and where each of its values stands.
type checker struct {
	text     []byte
	at       map[string]int // line of a value, by its path, such as providers[0].issuer
	problems []Problem
}

// wrong notes a problem of the value at a path, or of what it would stand in.
func (c *checker) wrong(path string, err error) {
	for path != "" && c.at[path] == 0 {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	c.problems = append(c.problems, Problem{max(1, c.at[path]), err})
}

func (c *checker) line(offset int64) int {
	return 1 + bytes.Count(c.text[:min(int(offset), len(c.text))], []byte("\n"))
}

// read decodes the text, and notes keys that are not known, or that stand twice.
func (c *checker) read(into *File) {
	var any any
	if err := json.Unmarshal(c.text, &any); err != nil {
		c.unread(err)
		return
	}
	// It is JSON: the decoder finds nothing to object to.
	_ = c.walk(json.NewDecoder(bytes.NewReader(c.text)), "", reflect.TypeFor[File]())
	if err := json.Unmarshal(c.text, into); err != nil {
		c.unread(err)
	}
}

// unread notes why the text cannot be decoded.
func (c *checker) unread(err error) {
	offset := int64(len(c.text))
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		if offset = bad.Offset; int(offset) >= len(c.text) {
			err = errors.New("the file ends within its JSON")
		}
	}
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset, err = bad.Offset, fmt.Errorf("%s is a JSON %s, and should be %s", cmp.Or(bad.Field, "the file"), bad.Value, kind(bad.Type))
	}
	c.problems = append(c.problems, Problem{c.line(offset), fmt.Errorf("%w: %w", ErrConfig, err)})
}

func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// walk reads one value, whose Go type is t as far as that is known.
func (c *checker) walk(d *json.Decoder, path string, t reflect.Type) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if c.at[path] == 0 {
		c.at[path] = c.line(d.InputOffset())
	}
	switch token {
	case json.Delim('{'):
		return c.object(d, path, t)
	case json.Delim('['):
		var elem reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		for i := 0; d.More(); i++ {
			if err := c.walk(d, fmt.Sprintf("%s[%d]", path, i), elem); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

// object reads the rest of an object.
func (c *checker) object(d *json.Decoder, path string, t reflect.Type) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		inner := strings.TrimPrefix(path+"."+name, ".")
		c.at[inner] = c.line(d.InputOffset())
		if seen[name] {
			c.wrong(inner, fmt.Errorf("%w: the key %q stands twice", ErrConfig, name))
		}
		seen[name] = true
		field, known := fields(t)[name]
		if t != nil && t.Kind() == reflect.Map {
			field, known = t.Elem(), true
		}
		if t != nil && !known {
			c.wrong(inner, fmt.Errorf("%w: there is no key %.60q here; the keys are %s", ErrConfig, name, strings.Join(names(t), ", ")))
		}
		if err := c.walk(d, inner, field); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// fields are the types of a struct's fields, by their names in JSON.
func fields(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	if t != nil && t.Kind() == reflect.Struct {
		for f := range t.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
				all[name] = f.Type
			}
		}
	}
	return all
}

func names(t reflect.Type) (all []string) {
	for name := range fields(t) {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
