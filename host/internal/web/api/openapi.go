package api

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/web"
)

type object = map[string]any

// describe makes the OpenAPI 3.1 document out of the table that the routes are
// made of: neither can have what the other lacks.
func describe(all []route) []byte {
	d := &describer{schemas: object{}, types: map[string]reflect.Type{}}
	paths := object{}
	for _, r := range all {
		path := openapiPath(r.path)
		operations, ok := paths[prefix+path].(object)
		if !ok {
			operations = object{}
			paths[prefix+path] = operations
		}
		operations[strings.ToLower(r.method)] = d.operation(r, path)
	}
	doc := object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Agora", "version": "1", "description": "Publish, run, govern and bill WebAssembly micro-apps. Every error is a problem document (RFC 9457) with a remedy."},
		"paths":      paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
		"security":   []any{object{"token": []string{}}},
	}
	raw, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("BUG: the API's description cannot be written: " + err.Error())
	}
	return raw
}

// needs says whom an operation is for.
func (r route) needs() string {
	role := "whoever is signed in"
	if !slices.Contains(r.roles, access.SignedIn) {
		role = "the role " + strings.Join(roleWords(r.anyOf()), " or ")
	}
	return "For " + role + needsScope(r.scopes()) + "."
}

func roleWords(roles []access.Role) (words []string) {
	for _, r := range roles {
		words = append(words, string(r))
	}
	return words
}

func needsScope(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return ", and of a token the scope " + scopes[0]
}

// openapiPath writes ":name" as "{name}".
func openapiPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

type describer struct {
	schemas object
	types   map[string]reflect.Type // by component name: no two may share one
}

func (d *describer) operation(r route, path string) object {
	params := []any{}
	for p := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(p, "{") {
			params = append(params, object{"name": strings.Trim(p, "{}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	query := r.query
	if r.paged {
		query = append(slices.Clone(query), param{"limit", fmt.Sprintf("items of a page: 1 to %d; default %d", web.MaxPageLimit, web.PageLimit)},
			param{"cursor", "where the page before ended: its next; left out for the first page"})
	}
	for _, q := range query {
		params = append(params, object{"name": q.name, "in": "query", "description": q.about, "schema": object{"type": "string"}})
	}
	op := object{
		"operationId": r.id, "summary": r.about, "parameters": params,
		"responses": object{"default": object{
			"description": "What went wrong, and what to do.",
			"content":     object{"application/problem+json": object{"schema": d.schema(reflect.TypeFor[abi.Problem]())}},
		}},
	}
	d.success(r, op["responses"].(object))
	op["security"] = []any{}
	if !r.public {
		op["security"] = []any{object{"token": r.scopes()}} // OpenAPI 3.1 allows names for any scheme
		op["description"] = r.needs()
	}
	if !r.public && !slices.Contains(r.roles, access.SignedIn) {
		op["x-agora-roles"] = r.anyOf()
	}
	if content := d.body(r.body); content != nil {
		op["requestBody"] = object{"required": true, "content": content}
	}
	return op
}

func (d *describer) success(r route, responses object) {
	if r.answer == nil {
		responses[strconv.Itoa(http.StatusNoContent)] = object{"description": "Done."}
		return
	}
	media, schema := "application/json", any(nil)
	if r.media != "" {
		media, schema = r.media, object{}
	} else {
		schema = d.schema(reflect.TypeOf(r.answer))
	}
	content := object{media: object{"schema": schema}}
	if r.id == "publish" {
		content["application/x-ndjson"] = object{"schema": d.schema(reflect.TypeFor[Step]())}
	}
	responses[strconv.Itoa(r.success())] = object{"description": r.about, "content": content}
}

func (d *describer) body(b body) object {
	switch b.kind {
	case bodyJSON:
		return object{"application/json": object{"schema": d.schema(reflect.TypeOf(b.doc))}}
	case bodyModule:
		return object{"application/wasm": object{"schema": object{}}}
	case bodyBinary:
		return object{b.media: object{"schema": object{}}}
	case bodyMultipart:
		parts := object{}
		for _, p := range b.parts {
			parts[p] = object{"type": "string", "contentMediaType": "application/octet-stream"}
		}
		return object{"multipart/form-data": object{"schema": object{"type": "object", "properties": parts, "required": []string{"manifest"}}}}
	}
	return nil
}

// schema describes a Go type as its JSON form; named structs become components.
func (d *describer) schema(t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.component(t)
	}
	return object{}
}

// component describes a struct once, under its name.
func (d *describer) component(t reflect.Type) any {
	name := componentName(t)
	ref := object{"$ref": "#/components/schemas/" + name}
	if known, ok := d.types[name]; ok {
		if known != t {
			panic("BUG: " + known.String() + " and " + t.String() + " would be one component")
		}
		return ref
	}
	d.types[name] = t
	properties, required := object{}, []string{}
	d.fields(t, properties, &required)
	d.schemas[name] = object{"type": "object", "properties": properties, "required": required}
	return ref
}

func (d *describer) fields(t reflect.Type, properties object, required *[]string) {
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			d.fields(f.Type, properties, required)
			continue
		}
		if tag == "-" || !f.IsExported() {
			continue
		}
		properties[tag] = d.schema(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, tag)
		}
	}
}

// componentName is the type's name; a list is named for what it lists.
func componentName(t reflect.Type) string {
	name := t.Name()
	if inner, ok := strings.CutPrefix(name, "Items["); ok {
		inner = strings.TrimSuffix(inner, "]")
		name = "ListOf" + inner[strings.LastIndexByte(inner, '.')+1:]
	}
	return name
}
