package api

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
)

// param is a parameter of the query, which may be left out, or of the path, which may not.
type param struct {
	name, about string
	is          *schema
}

func text(name, about string) param {
	return param{name: name, about: about, is: &schema{Type: "string"}}
}

// choice is one of some words.
func choice[T ~string](name, about string, all ...T) param {
	return param{name: name, about: about, is: &schema{Type: "string", Enum: words(all...)}}
}

// choices are some of some words, separated by commas.
func choices(name, about string, all []string) param {
	return param{name: name, about: about, is: &schema{Type: "array", Items: &schema{Type: "string", Enum: all}}}
}

// number is a whole number; otherwise is what it is if it is left out, and is not described if it
// is 0.
func number(name, about string, least, most, otherwise int64) param {
	s := integer(least, most)
	if otherwise != 0 {
		s.Default = otherwise
	}
	return param{name: name, about: about, is: s}
}

func moment(name, about string) param {
	return param{name: name, about: about, is: &schema{Type: "string", Format: "date-time"}}
}

// numbered are the parameters of paths that are numbers; all others are texts.
var numbered = map[string]*schema{"number": integer(1, math.MaxInt32), "seq": integer(1, math.MaxInt64)}

// pathParams are the parameters that a route's path names.
func (r route) pathParams() (all []param) {
	for part := range strings.SplitSeq(r.path, "/") {
		name, ok := strings.CutPrefix(part, ":")
		if !ok {
			continue
		}
		is := numbered[name]
		if is == nil {
			is = &schema{Type: "string", MinLength: 1}
		}
		all = append(all, param{name: name, is: is})
	}
	return all
}

// queryParams are all that a route takes in its query.
func (r route) queryParams() []param {
	if !r.paged {
		return r.query
	}
	return append(slices.Clone(r.query), number("limit", "items of a page", 1, control.MaxPageLimit, control.PageLimit),
		text("cursor", "where the page before ended: its next; left out for the first page"))
}

// valuesKey is where the parameters of a request are, in the framework's context.
const valuesKey = "agora.params"

// parse reads all parameters of a request, as its route declares them: none that is not declared,
// none twice, each of its type and within its bounds.
func (r route) parse(c echo.Context) error {
	values := map[string]any{}
	for _, p := range r.pathParams() {
		v, why := p.read(c.Param(p.name))
		if why != "" {
			return &control.ParameterError{Name: p.name, Why: why}
		}
		values[p.name] = v
	}
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return &control.ParameterError{Name: "query", Why: "cannot be read: " + err.Error()}
	}
	declared := r.queryParams()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.ContainsFunc(declared, func(p param) bool { return p.name == name }) {
			return &control.ParameterError{Name: clip(name), Why: "is not known here; " + known(declared)}
		}
	}
	for _, p := range declared {
		given := query[p.name]
		switch {
		case len(given) > 1:
			return &control.ParameterError{Name: p.name, Why: fmt.Sprintf("is given %d times", len(given))}
		case len(given) == 0 && p.is.Default != nil:
			values[p.name] = p.is.Default
		case len(given) == 0:
			values[p.name] = nil
		default:
			v, why := p.read(given[0])
			if why != "" {
				return &control.ParameterError{Name: p.name, Why: why}
			}
			values[p.name] = v
		}
	}
	c.Set(valuesKey, values)
	return nil
}

func known(all []param) string {
	if len(all) == 0 {
		return "none is taken"
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.name
	}
	return "it takes " + strings.Join(names, ", ")
}

// read is a parameter's value, or why it is none.
func (p param) read(text string) (v any, why string) {
	switch {
	case p.is.Type == "integer":
		n, _ := strconv.ParseInt(text, 10, 64)
		return n, p.is.checkNumber(text)
	case p.is.Type == "array" && text == "": // none of them, as style=form writes it
		return nil, ""
	case p.is.Type == "array":
		all := strings.Split(text, ",")
		for _, word := range all {
			if why := p.is.Items.checkText(word); why != "" {
				return nil, "each of them " + why
			}
		}
		return all, ""
	case p.is.Format == "date-time":
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Sprintf("is a time such as 2026-01-31T08:00:00Z, not %q", clip(text))
		}
		return t, ""
	}
	return text, p.is.checkText(text)
}

// arg is a parameter of a request, as its route declares it; zero if it is left out.
func arg[T any](c echo.Context, name string) (v T) {
	values, _ := c.Get(valuesKey).(map[string]any)
	given, ok := values[name]
	if !ok {
		panic("BUG: the route does not declare the parameter " + name)
	}
	v, ok = given.(T)
	if !ok && given != nil {
		panic(fmt.Sprintf("BUG: the parameter %s is a %T", name, given))
	}
	return v
}
