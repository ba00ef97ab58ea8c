package scim

import (
	"slices"
	"strings"
)

// The URNs of RFC 7643 and RFC 7644.
const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	messageURN    = "urn:ietf:params:scim:api:messages:2.0:"
	configURN     = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	typeURN       = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	schemaURN     = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

type kind string

const (
	text      kind = "string"
	boolean   kind = "boolean"
	moment    kind = "dateTime"
	reference kind = "reference"
	complexOf kind = "complex"
)

// attribute is what a schema says of one.
type attribute struct {
	name     string
	about    string
	kind     kind
	many     bool
	most     int // values; 0: mostValues
	required bool
	exact    bool // letter case counts
	unique   bool
	fixed    bool // read-only
	returned string
	words    []string // those that are usual
	refs     []string // what a reference leads to
	sub      []attribute
}

// schema is a set of attributes.
type schema struct {
	urn, name, about string
	attributes       []attribute
}

// resource is a type of things with an address.
type resource struct {
	name, endpoint string
	core           schema
	extension      *schema
}

// common are the attributes that every resource has.
var common = []attribute{
	{name: "schemas", kind: reference, many: true, exact: true, fixed: true, returned: "always"},
	{name: "id", kind: text, exact: true, fixed: true, returned: "always"},
	{name: "externalId", kind: text, exact: true},
	{name: "meta", kind: complexOf, fixed: true, sub: []attribute{
		{name: "resourceType", kind: text, exact: true, fixed: true}, {name: "created", kind: moment, fixed: true},
		{name: "lastModified", kind: moment, fixed: true}, {name: "location", kind: reference, exact: true, fixed: true}, {name: "version", kind: text, exact: true, fixed: true},
	}},
}

var users = &resource{name: "User", endpoint: "Users",
	core: schema{urn: userURN, name: "User", about: "A person. What Agora does not use is not kept.", attributes: []attribute{
		{name: "userName", about: "How the person signs in at the provider; a mail address, as a rule. Agora names the person by it.", kind: text, required: true, unique: true},
		{name: "name", about: "The parts of the person's name.", kind: complexOf, sub: []attribute{
			{name: "formatted", about: "The whole name.", kind: text}, {name: "familyName", about: "The family name.", kind: text}, {name: "givenName", about: "The given name.", kind: text},
		}},
		{name: "displayName", about: "The name that people read.", kind: text},
		{name: "title", about: "What the person does.", kind: text},
		{name: "active", about: "Whether the person may come in. Who is not active loses all sessions and tokens at once. Where it is left out it stays as it was; who is new is active.", kind: boolean, required: true},
		{name: "emails", about: "Mail addresses: labels, by which no person is found.", kind: complexOf, many: true, sub: []attribute{
			{name: "value", about: "The address.", kind: text}, {name: "display", about: "The address as people read it.", kind: text},
			{name: "type", about: "What it is for.", kind: text, words: []string{"work", "home", "other"}}, {name: "primary", about: "Whether it is the one to use.", kind: boolean},
		}},
	}},
	extension: &schema{urn: enterpriseURN, name: "EnterpriseUser", about: "Where the person belongs in the company.", attributes: []attribute{
		{name: "costCenter", about: "The cost center.", kind: text},
		{name: "department", about: "The department.", kind: text},
		{name: "manager", about: "Whom the person reports to.", kind: complexOf, sub: []attribute{{name: "value", about: "The id of that person.", kind: text, exact: true}}},
	}},
}

var groups = &resource{name: "Group", endpoint: "Groups",
	core: schema{urn: groupURN, name: "Group", about: "A set of people. Groups in groups are not taken: send the people.", attributes: []attribute{
		{name: "displayName", about: "The name that people read: no two groups of a provider have the same.", kind: text, required: true, unique: true},
		{name: "members", about: "The people in it.", kind: complexOf, many: true, most: mostMembers, sub: []attribute{
			{name: "value", about: "The person's id.", kind: text, exact: true}, {name: "$ref", about: "The person's address.", kind: reference, exact: true, refs: []string{"User"}},
			{name: "type", about: "What the member is.", kind: text, words: []string{"User"}},
		}},
	}},
}

var resources = []*resource{users, groups}

// find returns the attribute of a name, letter case aside; nil if there is none.
func find(attributes []attribute, name string) *attribute {
	i := slices.IndexFunc(attributes, func(a attribute) bool { return strings.EqualFold(a.name, name) })
	if i < 0 {
		return nil
	}
	return &attributes[i]
}

// place is where a path leads in a resource.
type place struct {
	extension string     // the URN of the extension it is in; "" for none
	attribute *attribute // nil: the whole of the extension, or of the resource
	sub       *attribute // nil: the attribute itself
}

// locate finds what a path without a filter names: "userName", "name.familyName", with or without the
// URN before it. found is false if the resource has no such attribute.
func (t *resource) locate(path string) (p place, found bool) {
	rest, in := path, t.core.attributes
	if len(path) > 4 && strings.EqualFold(path[:4], "urn:") {
		switch {
		case within(path, t.core.urn, &rest):
		case t.extension != nil && within(path, t.extension.urn, &rest):
			p.extension, in = t.extension.urn, t.extension.attributes
		default:
			return p, false
		}
		if rest == "" {
			return p, true
		}
	}
	name, sub, dotted := strings.Cut(rest, ".")
	if p.attribute = find(in, name); p.attribute == nil && p.extension == "" {
		p.attribute = find(common, name)
	}
	if p.attribute == nil {
		return p, false
	}
	if dotted {
		p.sub = find(p.attribute.sub, sub)
		return p, p.sub != nil
	}
	return p, true
}

// within reports whether a path is a URN, or names something in it, which is rest then.
func within(path, urn string, rest *string) bool {
	if len(path) < len(urn) || !strings.EqualFold(path[:len(urn)], urn) {
		return false
	}
	*rest = strings.TrimPrefix(path[len(urn):], ":")
	return len(path) == len(urn) || path[len(urn)] == ':'
}

// describe writes a schema as /Schemas does.
func (s *schema) describe(base string) map[string]any {
	return map[string]any{
		"schemas": []string{schemaURN}, "id": s.urn, "name": s.name, "description": s.about, "attributes": describeAll(s.attributes),
		"meta": map[string]any{"resourceType": "Schema", "location": base + "/Schemas/" + s.urn},
	}
}

func describeAll(attributes []attribute) []map[string]any {
	all := make([]map[string]any, len(attributes))
	for i, a := range attributes {
		all[i] = a.describe()
	}
	return all
}

func (a attribute) describe() map[string]any {
	d := map[string]any{
		"name": a.name, "type": string(a.kind), "multiValued": a.many, "description": a.about, "required": a.required,
		"mutability": "readWrite", "returned": "default", "uniqueness": "none",
	}
	if a.fixed {
		d["mutability"] = "readOnly"
	}
	if a.returned != "" {
		d["returned"] = a.returned
	}
	if a.unique {
		d["uniqueness"] = "server"
	}
	switch a.kind {
	case text, reference:
		d["caseExact"] = a.exact
	case complexOf:
		d["subAttributes"] = describeAll(a.sub)
	}
	if a.words != nil {
		d["canonicalValues"] = a.words
	}
	if a.kind == reference {
		d["referenceTypes"] = append([]string{}, a.refs...)
	}
	return d
}
