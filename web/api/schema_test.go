package api

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/web/problem"
)

// TestEnumsAreWhole reads the constants of each type that has a fixed set of words out of its
// package's source: the description names all of them, and no other.
func TestEnumsAreWhole(t *testing.T) {
	for typ, described := range enums {
		dir := "../../" + strings.TrimPrefix(typ.PkgPath(), "github.com/agora-host/agora/")
		//lint:ignore SA1019 no types and no build tags are needed
		packages, err := parser.ParseDir(token.NewFileSet(), dir, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var declared []string
		for _, p := range packages {
			ast.Inspect(p, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok {
					return true
				}
				if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ.Name() && len(spec.Values) == 1 {
					if word, ok := spec.Values[0].(*ast.BasicLit); ok && word.Value != `""` {
						declared = append(declared, strings.Trim(word.Value, `"`))
					}
				}
				return true
			})
		}
		slices.Sort(declared)
		if got := slices.Sorted(slices.Values(described)); len(declared) == 0 || !slices.Equal(got, slices.Compact(declared)) {
			t.Errorf("%v is described as %q, and its constants are %q", typ, got, declared)
		}
	}
}

// sample makes a value that a schema describes.
func (d *schemas) sample(s *schema) any {
	s = d.resolve(s)
	switch {
	case s.Enum != nil:
		return s.Enum[0]
	case s.Type == "object" && s.Properties != nil:
		v := map[string]any{}
		for name, p := range s.Properties {
			v[name] = d.sample(p)
		}
		return v
	case s.Type == "object":
		return map[string]any{"a": d.sample(s.Other.(*schema))}
	case s.Type == "array":
		return []any{d.sample(s.Items)}
	case s.Type == "integer":
		return max(1, deref(s.Minimum))
	case s.Type == "boolean":
		return true
	case s.Format == "date-time":
		return "2026-12-01T06:00:00Z"
	case s.Pattern != "" && matches(s.Pattern, "/"):
		return "/"
	case s.Format == "date-time":
		return "2026-01-31T08:00:00Z"
	case s.Pattern == roleText:
		return "viewer"
	}
	return "text"
}

func deref(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// TestEveryBodyIsStrict departs from the description of every JSON body in every way, at every
// property: each is refused before the operation begins.
func TestEveryBodyIsStrict(t *testing.T) {
	d := newSchemas()
	bodies := 0
	for _, r := range routes() {
		if r.body.kind != bodyJSON {
			continue
		}
		bodies++
		is := d.of(reflect.TypeOf(r.body.doc), true)
		good := d.sample(is).(map[string]any)
		text := marshal(t, good)
		if err := d.checkDocument([]byte(text), is); err != nil {
			t.Errorf("%s: %s: %v", r.id, text, err)
		}
		if err := json.Unmarshal([]byte(text), reflect.New(reflect.TypeOf(r.body.doc)).Interface()); err != nil {
			t.Errorf("%s: %s is described and not decoded: %v", r.id, text, err)
		}
		bad := []string{"", "null", "[]", `"x"`, "1", text + "{}", text + " x", "[" + text + "]", `{"surprise":1,` + text[1:], "{", text[:len(text)-1], "\xff"}
		for name, p := range d.resolve(is).Properties {
			value := marshal(t, good[name])
			with := func(v any) string {
				changed := map[string]any{}
				for k, old := range good {
					changed[k] = old
				}
				changed[name] = v
				return marshal(t, changed)
			}
			bad = append(bad, with(nil), with([]any{nil}), with(map[string]any{"a": nil}), `{"`+name+`":`+value+`,`+text[1:], `{"`+strings.ToUpper(name)+`":`+value+`,`+text[1:])
			if d.resolve(p).Type != "string" {
				bad = append(bad, with("text"))
			} else {
				bad = append(bad, with(1), with(true))
			}
			if d.resolve(p).Format == "date-time" {
				bad = append(bad, with("yesterday"))
			}
			if d.resolve(p).Enum != nil {
				bad = append(bad, with(""), with("Text"))
			}
			if p.Minimum != nil {
				bad = append(bad, with(*p.Minimum-1))
			}
			if p.Maximum != nil {
				bad = append(bad, with(*p.Maximum+1), with(json.Number("99999999999999999999")), with(json.Number("1.5")))
			}
		}
		for _, name := range d.resolve(is).Required {
			less := map[string]any{}
			for k, old := range good {
				if k != name {
					less[k] = old
				}
			}
			bad = append(bad, marshal(t, less))
		}
		for _, text := range bad {
			if err := d.checkDocument([]byte(text), is); !errors.Is(err, problem.ErrBadRequest) {
				t.Errorf("%s takes %s: %v", r.id, text, err)
			}
		}
	}
	if bodies < 15 {
		t.Errorf("%d bodies", bodies)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestEveryParameter departs from the declaration of every parameter of every route: each is
// refused by one problem, which names it.
func TestEveryParameter(t *testing.T) {
	parse := func(r route, query string, path map[string]string) error {
		c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/?"+query, nil), httptest.NewRecorder())
		var names, values []string
		for _, p := range r.pathParams() {
			value, ok := path[p.name]
			if !ok {
				value = "1"
			}
			names, values = append(names, p.name), append(values, value)
		}
		c.SetParamNames(names...)
		c.SetParamValues(values...)
		return r.parse(c)
	}
	good := func(p param) string {
		switch {
		case p.is.Format == "date-time":
			return "2026-01-31T08:00:00Z"
		case p.is.Type == "integer":
			return "1"
		case p.is.Type == "array":
			return p.is.Items.Enum[0]
		case p.is.Enum != nil:
			return p.is.Enum[0]
		}
		return "x"
	}
	for _, r := range routes() {
		if err := parse(r, "", nil); err != nil {
			t.Errorf("%s: %v", r.id, err)
		}
		refused := func(name, query string, path map[string]string) {
			t.Helper()
			err := parse(r, query, path)
			if p := problem.For(err); err == nil || p.Status != 400 || p.Type != "/problems/bad-parameter" || p.Parameter != name {
				t.Errorf("%s takes %s %v: %v, %+v", r.id, query, path, err, p)
			}
		}
		refused("surprise", "surprise=1", nil)
		refused("query", "%zz", nil)
		for _, p := range r.queryParams() {
			if err := parse(r, p.name+"="+good(p), nil); err != nil {
				t.Errorf("%s: %v", r.id, err)
			}
			refused(p.name, p.name+"="+good(p)+"&"+p.name+"="+good(p), nil)
			refused(strings.ToUpper(p.name), strings.ToUpper(p.name)+"="+good(p), nil)
			if p.is.Type == "integer" || p.is.Enum != nil || p.is.Format != "" {
				refused(p.name, p.name+"=", nil)
			}
			if p.is.Type == "integer" {
				for _, bad := range []string{"x", "1.0", "1e2", "0x1", "%2B1", "+1", "-1", "99999999999999999999", "1,2"} {
					refused(p.name, p.name+"="+bad, nil)
				}
			}
			if p.is.Enum != nil || p.is.Format != "" || p.is.Type == "array" {
				refused(p.name, p.name+"=lost", nil)
			}
			if p.is.Type == "array" {
				refused(p.name, p.name+"="+good(p)+",", nil)
			}
		}
		for _, p := range r.pathParams() {
			if p.is.Type == "integer" {
				for _, bad := range []string{"x", "0", "-1", "+1", "1.5", "99999999999999999999"} {
					refused(p.name, "", map[string]string{p.name: bad})
				}
			}
		}
	}
}

// TestWholeNumbers: what JSON Schema takes for an integer is one, however it is written.
func TestWholeNumbers(t *testing.T) {
	d := newSchemas()
	is := d.of(reflect.TypeFor[AskAgain](), true)
	for text, want := range map[string]int{"7": 7, "7.0": 7, "70e-1": 7, "7.00E+0": 7, "7.5": 0, "1e999": 0, "0.0": 0, "1e10": 0, "\"7\"": 0, "9007199254740993.0": 0} {
		raw := []byte(`{"release": ` + text + `, "reason": "1.0"}`)
		var in AskAgain
		err := d.checkDocument(raw, is)
		if want != 0 && (err != nil || json.Unmarshal(raw, &in) != nil || in.Release != want || in.Reason != "1.0") {
			t.Errorf("%s: %v, %+v, %s", text, err, in, raw)
		}
		if want == 0 && err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// TestComplete: a response has no null where the description has none, and what it is made of stays.
func TestComplete(t *testing.T) {
	type inner struct {
		List []string       `json:"list"`
		Map  map[string]int `json:"map"`
		Left []string       `json:"left,omitempty"`
	}
	given := Items[inner]{Items: []inner{{}, {List: []string{"a"}}}}
	got := marshal(t, complete(reflect.ValueOf(given)).Interface())
	if got != `{"items":[{"list":[],"map":{}},{"list":["a"],"map":{}}]}` || given.Items[0].List != nil {
		t.Errorf("%s, %+v", got, given)
	}
}
