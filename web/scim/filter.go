package scim

import (
	"encoding/json"
	"strings"
	"time"
)

// Bounds of a filter, so that none is more work than looking at what it selects.
const (
	maxFilter = 2000 // bytes
	maxTerms  = 50
	maxDepth  = 10
)

// filter is an expression that holds of a value, or does not.
type filter interface{ holds(v tree) bool }

type (
	every    []filter
	some     []filter
	opposite struct{ of filter }
	// compare is an attribute, an operator and a value.
	compare struct {
		at      place
		among   filter // if not nil: only those values of the attribute of which it holds
		op      string
		text    string // of the value
		null    bool
		instant time.Time // of a time
	}
)

func (f every) holds(v tree) bool {
	for _, g := range f {
		if !g.holds(v) {
			return false
		}
	}
	return true
}

func (f some) holds(v tree) bool {
	for _, g := range f {
		if g.holds(v) {
			return true
		}
	}
	return false
}

func (f opposite) holds(v tree) bool { return !f.of.holds(v) }

func (c *compare) holds(v tree) bool {
	switch {
	case c.op == "pr", c.op == "ne" && c.null:
		return len(c.values(v)) > 0
	case c.op == "eq" && c.null:
		return len(c.values(v)) == 0
	case c.op == "ne":
		return !c.any(v, "eq")
	}
	return c.any(v, c.op)
}

func (c *compare) any(v tree, op string) bool {
	for _, is := range c.values(v) {
		if c.matches(op, is) {
			return true
		}
	}
	return false
}

// leaf is the attribute whose values are compared.
func (c *compare) leaf() *attribute {
	if c.at.sub != nil {
		return c.at.sub
	}
	return c.at.attribute
}

// values are those that the path leads to.
func (c *compare) values(v tree) []any {
	if c.at.extension != "" {
		v, _ = v[c.at.extension].(tree)
	}
	var all []any
	switch is := v[c.at.attribute.name].(type) {
	case nil:
		return nil
	case []any:
		all = is
	default:
		all = []any{is}
	}
	var found []any
	for _, one := range all {
		part, isTree := one.(tree)
		if c.among != nil && (!isTree || !c.among.holds(part)) {
			continue
		}
		if c.at.sub != nil {
			one = part[c.at.sub.name]
		}
		if one != nil {
			found = append(found, one)
		}
	}
	return found
}

func (c *compare) matches(op string, v any) bool {
	is, want := textOf(v), c.text
	if a := c.leaf(); a.kind == moment {
		at, err := time.Parse(time.RFC3339Nano, is)
		return err == nil && ordered(op, at.Compare(c.instant))
	} else if !a.exact {
		is, want = strings.ToLower(is), strings.ToLower(want)
	}
	switch op {
	case "co":
		return strings.Contains(is, want)
	case "sw":
		return strings.HasPrefix(is, want)
	case "ew":
		return strings.HasSuffix(is, want)
	}
	return ordered(op, strings.Compare(is, want))
}

func ordered(op string, sign int) bool {
	switch op {
	case "eq":
		return sign == 0
	case "gt":
		return sign > 0
	case "ge":
		return sign >= 0
	case "lt":
		return sign < 0
	}
	return op == "le" && sign <= 0
}

// sought returns the attribute and the value that whatever a filter selects has, if there is one among
// those of names: it is looked up then, and the filter asked about it alone.
func sought(f filter, names ...string) (name, value string) {
	switch f := f.(type) {
	case *compare:
		path := f.at.attribute.name
		if f.at.sub != nil {
			path += "." + f.at.sub.name
		}
		for _, n := range names {
			if f.op == "eq" && !f.null && f.among == nil && f.at.extension == "" && path == n {
				return n, f.text
			}
		}
	case every:
		for _, g := range f {
			if n, v := sought(g, names...); n != "" {
				return n, v
			}
		}
	}
	return "", ""
}

// parser reads a filter.
type parser struct {
	text  string
	at    int
	terms int
	depth int
}

func badFilter(format string, args ...any) error { return invalid("invalidFilter", format, args...) }

// parse reads the filter of a list of resources.
func (t *resource) parse(text string) (filter, error) { return parseBy(text, t.locate) }

// parseBy reads a filter, whose paths locate finds.
func parseBy(text string, locate func(string) (place, bool)) (filter, error) {
	if len(text) > maxFilter {
		return nil, badFilter("the filter has %d bytes, and at most %d are taken", len(text), maxFilter)
	}
	p := &parser{text: text}
	f, err := p.any(locate)
	if err == nil && p.peek() != "" {
		err = badFilter("the filter goes on with %.40q where it should end", p.text[p.at:])
	}
	return f, err
}

// space skips blanks.
func (p *parser) space() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

// peek returns the next token without taking it: a bracket, a text with its quotes, or a word; "" at
// the end.
func (p *parser) peek() string {
	p.space()
	rest := p.text[p.at:]
	switch {
	case rest == "":
		return ""
	case strings.ContainsRune("()[]", rune(rest[0])):
		return rest[:1]
	case rest[0] == '"':
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\\' {
				i++
			} else if rest[i] == '"' {
				return rest[:i+1]
			}
		}
		return rest
	}
	if i := strings.IndexAny(rest, " ()[]\""); i >= 0 {
		return rest[:i]
	}
	return rest
}

func (p *parser) take() string {
	t := p.peek()
	p.at += len(t)
	return t
}

// takes takes the next token if it is a word.
func (p *parser) takes(word string) bool {
	if strings.EqualFold(p.peek(), word) {
		p.take()
		return true
	}
	return false
}

// any reads what "or" joins.
func (p *parser) any(locate func(string) (place, bool)) (filter, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, badFilter("the filter is nested more than %d deep", maxDepth)
	}
	var all some
	for {
		f, err := p.all(locate)
		if err != nil {
			return nil, err
		}
		if all = append(all, f); !p.takes("or") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// all reads what "and" joins.
func (p *parser) all(locate func(string) (place, bool)) (filter, error) {
	var all every
	for {
		f, err := p.term(locate)
		if err != nil {
			return nil, err
		}
		if all = append(all, f); !p.takes("and") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) term(locate func(string) (place, bool)) (filter, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, badFilter("the filter has more than %d terms", maxTerms)
	}
	not := p.takes("not")
	if not || p.peek() == "(" {
		f, err := p.bracketed("(", ")", locate)
		if not && err == nil {
			f = opposite{f}
		}
		return f, err
	}
	return p.comparison(locate)
}

func (p *parser) bracketed(open, shut string, locate func(string) (place, bool)) (filter, error) {
	if p.take() != open {
		return nil, badFilter("%s is missing in the filter", open)
	}
	f, err := p.any(locate)
	if err == nil && p.take() != shut {
		err = badFilter("%s is missing in the filter", shut)
	}
	return f, err
}

func (p *parser) comparison(locate func(string) (place, bool)) (filter, error) {
	path := p.take()
	c := &compare{}
	var found bool
	if c.at, found = locate(path); !found || c.at.attribute == nil {
		return nil, badFilter("there is no attribute %.60q here", path)
	}
	if p.peek() == "[" {
		done, err := p.among(c)
		if err != nil || done {
			return c, err
		}
	}
	if c.op = strings.ToLower(p.take()); c.op == "pr" {
		return c, nil
	}
	return c, p.operand(c, path)
}

// among reads the filter in brackets after an attribute. done: nothing is compared beside it.
func (p *parser) among(c *compare) (done bool, err error) {
	a := c.at.attribute
	if c.at.sub != nil || a.kind != complexOf {
		return false, badFilter("%s has no parts to choose by", a.name)
	}
	if c.among, err = p.bracketed("[", "]", a.locate); err != nil {
		return false, err
	}
	if p.at < len(p.text) && p.text[p.at] == '.' { // emails[type eq "work"].value
		sub := strings.TrimPrefix(p.take(), ".")
		if c.at.sub = find(a.sub, sub); c.at.sub == nil {
			return false, badFilter("there is no attribute %.60q here", sub)
		}
		return false, nil
	}
	c.op = "pr"
	return true, nil
}

// locate finds a part of an attribute that has parts.
func (a *attribute) locate(name string) (place, bool) {
	sub := find(a.sub, name)
	return place{attribute: sub}, sub != nil
}

// operand reads the value that is compared with, and judges whether it can be.
func (p *parser) operand(c *compare, path string) error {
	if !strings.Contains(" eq ne co sw ew gt ge lt le ", " "+c.op+" ") {
		return badFilter("%.20q is no operator: there are eq, ne, co, sw, ew, pr, gt, ge, lt and le", c.op)
	}
	literal := p.take()
	var v any
	dec := json.NewDecoder(strings.NewReader(literal))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil || dec.More() || literal == "" {
		switch strings.ToLower(literal) { // as some write them
		case "true", "false":
			v = strings.ToLower(literal)
		default:
			return badFilter("%.60q is no value: texts stand in quotation marks", literal)
		}
	}
	c.text, c.null = textOf(v), v == nil
	if c.leaf().kind == complexOf {
		if c.at.sub = find(c.at.attribute.sub, "value"); c.at.sub == nil {
			return badFilter("%s has parts, which are compared one by one", path)
		}
	}
	return c.judge(path)
}

func (c *compare) judge(path string) (err error) {
	if c.null {
		if c.op != "eq" && c.op != "ne" {
			return badFilter("null is compared by eq and ne alone")
		}
		return nil
	}
	switch c.leaf().kind {
	case boolean:
		word := strings.ToLower(c.text)
		if (c.op != "eq" && c.op != "ne") || (word != "true" && word != "false") {
			return badFilter("%s is compared with true or false, by eq and ne alone", path)
		}
	case moment:
		if c.op == "co" || c.op == "sw" || c.op == "ew" {
			return badFilter("%s is a time, in which nothing is looked for", path)
		}
		if c.instant, err = time.Parse(time.RFC3339Nano, c.text); err != nil {
			return badFilter("%s is compared with a time such as 2026-01-31T10:00:00Z", path)
		}
	}
	return nil
}
