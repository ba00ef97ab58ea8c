package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/web/problem"
)

type object = map[string]any

// describe makes the OpenAPI 3.1 document out of the table that the routes are
// made of: neither can have what the other lacks.
func describe(all []route, types *schemas) []byte {
	d := &describer{schemas: types, answers: object{}}
	paths := object{}
	for _, r := range all {
		path := openapiPath(r.path)
		operations, ok := paths[prefix+path].(object)
		if !ok {
			operations = object{}
			paths[prefix+path] = operations
		}
		operations[strings.ToLower(r.method)] = d.operation(r)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "Agora", "version": "1", "description": "Publish, run, govern and bill WebAssembly micro-apps. " +
			"Every error is a problem document (RFC 9457) with a remedy: 400 for what is not as this description says, 422 for what no description can say."},
		"paths": paths,
		"components": object{
			"schemas": types.components, "responses": d.answers,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{object{"token": []string{}}},
	}
	raw, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("BUG: the API's description cannot be written: " + err.Error())
	}
	return raw
}

func roleWords(roles []access.Role) (words []string) {
	for _, r := range roles {
		words = append(words, r.Word())
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
	*schemas
	answers object // by name
}

func (d *describer) operation(r route) object {
	params := []any{}
	for _, p := range r.pathParams() {
		params = append(params, object{"name": p.name, "in": "path", "required": true, "schema": p.is})
	}
	for _, p := range r.queryParams() {
		q := object{"name": p.name, "in": "query", "description": p.about, "schema": p.is, "required": false}
		if p.is.Type == "array" {
			q["style"], q["explode"] = "form", false
		}
		params = append(params, q)
	}
	if r.writes() {
		params = append(params, object{"name": keyHeader, "in": "header", "required": false, "description": keyWords(r), "schema": object{"type": "string", "pattern": keyPattern}})
	}
	params = append(params, r.conditions()...)
	responses := object{}
	d.success(r, responses)
	for _, status := range r.problems() {
		responses[strconv.Itoa(status)] = object{"$ref": "#/components/responses/" + d.problem(status)}
	}
	op := object{"operationId": r.id, "summary": r.about, "parameters": params, "responses": responses}
	if r.public {
		op["security"] = []any{}
	} else if slices.Contains(r.anyOf(), access.SignedIn) {
		op["security"] = []any{object{"token": r.scopes()}}
		op["description"] = "For everyone who is signed in" + needsScope(r.scopes()) + "."
	} else {
		op["security"] = []any{object{"token": r.scopes()}} // OpenAPI 3.1 allows names for any scheme
		op["x-agora-roles"] = roleWords(r.anyOf())
		op["description"] = "Needs the role " + strings.Join(roleWords(r.anyOf()), " or ") + needsScope(r.scopes()) + "."
	}
	if content := d.body(r.body); content != nil {
		op["requestBody"] = object{"required": !r.body.maybe, "content": content}
	}
	return op
}

// keyWords say what a key is good for.
func keyWords(r route) string {
	if r.repeatable {
		return "Taken, and without effect: this operation can be repeated as it is."
	}
	text := "A random text, new for each request. A request with the same key, by the same person, within a day is not served again, and gets the response of the first; with another address or body it is refused (409), and while the first is served (409)."
	if r.secret {
		text += " The secret in the response is not kept: a repeat is told that it was done (409)."
	}
	return text
}

// conditions describe the headers that name versions of the document.
func (r route) conditions() (all []any) {
	add := func(name, about string) {
		all = append(all, object{"name": name, "in": "header", "required": false, "description": about, "schema": object{"type": "string", "pattern": tagsPattern, "minLength": 1}})
	}
	if r.match() {
		add(matchHeader, "ETags that the document was read with, or *: the change is made only if it still has one of them (412 otherwise), in the transaction of the change. Weak ETags never match.")
	}
	switch {
	case r.creates:
		add(noneMatchHeader, "*: the change is made only if there is no such document (412 otherwise). ETags: only if it has none of them.")
	case r.noMatch():
		add(noneMatchHeader, "ETags that the caller has: if one of them is that of now, the document is not sent again (304).")
	}
	return all
}

// problems are the statuses of all that can go wrong with an operation.
func (r route) problems() []int {
	all := []int{http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable}
	add := func(when bool, statuses ...int) {
		if when {
			all = append(all, statuses...)
		}
	}
	asks := func(names ...string) bool {
		return slices.ContainsFunc(r.query, func(p param) bool { return slices.Contains(names, p.name) })
	}
	app := strings.Contains(r.path, ":app") || asks("app")
	add(!r.public || r.body.kind != bodyNone, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	// A body that was not asked for is judged by its size and its encoding, too.
	add(true, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	add(app || asks("person", "on") || len(r.pathParams()) > 0 || r.method != http.MethodGet, http.StatusNotFound)
	add(app || r.method != http.MethodGet, http.StatusGone)
	add(r.method != http.MethodGet, http.StatusConflict, http.StatusInsufficientStorage)
	add(r.match() || r.id == "importPeople", http.StatusPreconditionFailed) // an import names the revision of its preview
	add(r.method != http.MethodGet || len(r.queryParams()) > 0, http.StatusUnprocessableEntity)
	add(r.id == "invoke", http.StatusBadGateway, http.StatusGatewayTimeout)
	slices.Sort(all)
	return all
}

// problem describes, once, the problems that have a status, and returns their name.
func (d *describer) problem(status int) string {
	name := "Problem" + strconv.Itoa(status)
	if d.answers[name] != nil {
		return name
	}
	about := []string{}
	types := []string{}
	for _, e := range problem.Catalogue() {
		if e.Status == status {
			about = append(about, e.Title+".")
			types = append(types, "/problems/"+e.Slug)
		}
	}
	is := object{"allOf": []any{d.of(reflect.TypeFor[abi.Problem](), false), object{"properties": object{
		"type": object{"enum": types}, "status": object{"const": status},
	}}}}
	answer := object{"description": strings.Join(about, " "), "content": object{"application/problem+json": object{"schema": is}}}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		answer["headers"] = object{"Retry-After": object{"required": true, "schema": object{"type": "string"}}}
	}
	if status == http.StatusUnauthorized {
		answer["headers"] = object{"WWW-Authenticate": object{"required": true, "schema": object{"type": "string"}}}
	}
	d.answers[name] = answer
	return name
}

func (d *describer) success(r route, responses object) {
	if r.answer == nil {
		responses[strconv.Itoa(http.StatusNoContent)] = object{"description": "Done."}
		return
	}
	answer := func(media string, is any) object {
		return object{"description": r.about, "content": object{media: object{"schema": is}}}
	}
	is := d.of(reflect.TypeOf(r.answer), false)
	if r.media != "" {
		responses[strconv.Itoa(r.success())] = answer(r.media, object{})
		return
	}
	done := answer("application/json", is)
	if r.of != nil && r.method == http.MethodGet {
		tag := object{tagHeader: object{"required": true, "description": "The strong ETag of this document as the caller sees it, for If-Match and If-None-Match.", "schema": object{"type": "string"}}}
		done["headers"] = tag
		responses[strconv.Itoa(http.StatusNotModified)] = object{"description": "The caller has the document as it is now.", "headers": tag}
	}
	responses[strconv.Itoa(r.success())] = done
	if r.also != "" {
		done["content"].(object)[r.also] = object{"schema": object{}}
	}
	if r.lines != nil {
		responses[strconv.Itoa(http.StatusOK)] = answer("application/x-ndjson", d.of(reflect.TypeOf(r.lines), false))
	}
}

// partMedia are the media types of parts, which nothing depends on.
var partMedia = map[string]string{"manifest": "application/toml", "module": wasm, "bundle": "application/json"}

func (d *describer) body(b body) object {
	bytes := object{"type": "string", "format": "binary"}
	switch b.kind {
	case bodyJSON:
		content := object{"application/json": object{"schema": d.of(reflect.TypeOf(b.doc), true)}}
		if b.form {
			content[formMedia] = content["application/json"]
		}
		return content
	case bodyBinary:
		return object{b.media: object{"schema": bytes}}
	case bodyMultipart:
		parts, encoding := object{}, object{}
		for _, p := range slices.Concat(b.parts, b.mayHave) {
			parts[p], encoding[p] = bytes, object{"contentType": partMedia[p]}
		}
		return object{"multipart/form-data": object{"schema": object{"type": "object", "properties": parts, "required": b.parts, "additionalProperties": false}, "encoding": encoding}}
	}
	return nil
}
