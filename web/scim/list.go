package scim

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/control"
)

const (
	usualPage = 100
	mostPage  = 1000
)

// listCall is a request for a list.
type listCall struct{ *call }

// query is what a list is asked for.
type query struct {
	filter string
	view   view
	start  int // from 1
	count  int
	sorted bool
}

// queryOf reads the parameters of a list.
func (c listCall) queryOf() (q query, err error) {
	v := c.r.URL.Query()
	q = query{filter: v.Get("filter"), view: c.view(), start: 1, count: usualPage, sorted: v.Has("sortBy")}
	return q, q.page(v.Get("startIndex"), v.Get("count"))
}

// page reads which part is wanted. A number out of bounds is brought into them, as the RFC has it.
func (q *query) page(start, count string) error {
	for _, n := range []struct {
		text, name string
		into       *int
		least      int
	}{{start, "startIndex", &q.start, 1}, {count, "count", &q.count, 0}} {
		if n.text == "" {
			continue
		}
		v, err := strconv.ParseFloat(n.text, 64)
		if err != nil && !math.IsInf(v, 0) || v != math.Trunc(v) {
			return invalidValue("%s is a number, not %.40q", n.name, n.text)
		}
		*n.into = int(max(float64(n.least), min(v, math.MaxInt32)))
	}
	q.count = min(q.count, mostPage)
	return nil
}

// searched reads the body of a search.
func (c listCall) searched() (q query, err error) {
	doc, err := c.body()
	if err != nil {
		return q, err
	}
	q = query{start: 1, count: usualPage}
	var start, count string
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		switch v := doc[key]; strings.ToLower(key) {
		case "filter":
			q.filter = textOf(v)
		case "attributes":
			q.view.only = fields(texts(v))
		case "excludedattributes":
			q.view.without = fields(texts(v))
		case "sortby":
			q.sorted = textOf(v) != ""
		case "startindex":
			start = textOf(v)
		case "count":
			count = textOf(v)
		}
	}
	return q, q.page(start, count)
}

func texts(v any) (all []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		all = append(all, textOf(one))
	}
	return all
}

// found is a part of a list.
type found struct {
	docs  []tree
	total int
}

// lister reads a part of the resources of a type for which a filter (nil: all) holds.
type lister func(q query, f filter) (found, error)

func (c listCall) list(t *resource, read lister, q query, err error) error {
	if err != nil {
		return err
	}
	if q.sorted {
		return invalidValue("sorting is not supported, as ServiceProviderConfig says: leave sortBy out")
	}
	var f filter
	if q.filter != "" {
		if f, err = t.parse(q.filter); err != nil {
			return err
		}
	}
	all, err := read(q, f)
	if err != nil {
		return err
	}
	return c.respond(q, all)
}

func (c listCall) respond(q query, all found) error {
	for i, doc := range all.docs {
		all.docs[i] = q.view.project(c.typeOf(doc), doc)
	}
	if all.docs == nil {
		all.docs = []tree{}
	}
	c.write(200, map[string]any{
		"schemas": []string{messageURN + "ListResponse"}, "totalResults": all.total, "startIndex": q.start,
		"itemsPerPage": len(all.docs), "Resources": all.docs,
	})
	return nil
}

func (c listCall) typeOf(doc tree) *resource {
	if meta, _ := doc["meta"].(tree); meta["resourceType"] == groups.name {
		return groups
	}
	return users
}

func (c listCall) listUsers() error    { return c.listing(users, c.people) }
func (c listCall) listGroups() error   { return c.listing(groups, c.groupsOf) }
func (c listCall) searchUsers() error  { return c.searching(users, c.people) }
func (c listCall) searchGroups() error { return c.searching(groups, c.groupsOf) }

func (c listCall) listing(t *resource, read lister) error {
	q, err := c.queryOf()
	return c.list(t, read, q, err)
}

func (c listCall) searching(t *resource, read lister) error {
	q, err := c.searched()
	return c.list(t, read, q, err)
}

func (c listCall) listAll() error {
	q, err := c.queryOf()
	return c.everything(q, err)
}

func (c listCall) searchAll() error {
	q, err := c.searched()
	return c.everything(q, err)
}

// everything lists resources of all types, people first. A filter that speaks of what a type has not
// selects none of that type.
func (c listCall) everything(q query, err error) error {
	if err != nil {
		return err
	}
	if q.sorted {
		return invalidValue("sorting is not supported, as ServiceProviderConfig says: leave sortBy out")
	}
	var all found
	var failed []error
	for _, t := range resources {
		var f filter
		if q.filter != "" {
			if f, err = t.parse(q.filter); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		rest := q
		rest.start = max(1, q.start-all.total)
		rest.count = q.count - len(all.docs)
		read := c.people
		if t == groups {
			read = c.groupsOf
		}
		part, err := read(rest, f)
		if err != nil {
			return err
		}
		all.docs, all.total = append(all.docs, part.docs...), all.total+part.total
	}
	if len(failed) == len(resources) {
		return failed[0]
	}
	return c.respond(q, all)
}

func (c listCall) people(q query, f filter) (all found, err error) {
	ask := control.ProvisionedQuery{Skip: q.start - 1, Limit: q.count}
	var keep func(control.ProvisionedPerson) bool
	if f != nil {
		keep = func(p control.ProvisionedPerson) bool { return f.holds(userCall{c.call}.personDoc(p)) }
		name, value := sought(f, "id", "userName", "externalId")
		ask.Key, ask.Value = map[string]string{"": "", "id": control.ByID, "userName": control.ByName, "externalId": control.ByExternal}[name], value
	}
	people, total, err := c.People.People(c.ctx(), ask, keep)
	for _, p := range people {
		all.docs = append(all.docs, userCall{c.call}.personDoc(p))
	}
	all.total = total
	return all, err
}

func (c listCall) groupsOf(q query, f filter) (all found, err error) {
	ask := control.ProvisionedQuery{Skip: q.start - 1, Limit: q.count}
	members := q.view.wants(groups, "members") || strings.Contains(strings.ToLower(q.filter), "members")
	var keep func(control.ProvisionedGroup) bool
	if f != nil {
		keep = func(g control.ProvisionedGroup) bool { return f.holds(groupCall{c.call}.groupDoc(g, members)) }
		name, value := sought(f, "id", "displayName", "externalId", "members.value")
		ask.Key, ask.Value = map[string]string{"": "", "id": control.ByID, "displayName": control.ByName, "externalId": control.ByExternal, "members.value": control.ByMember}[name], value
	}
	found, total, err := c.Groups.Groups(c.ctx(), ask, members, keep)
	n := 0
	for _, g := range found {
		if n += len(g.Members); n > mostMembers {
			return all, invalid("tooMany", "the groups have more than %d members: ask with excludedAttributes=members, or for fewer", mostMembers)
		}
		all.docs = append(all.docs, groupCall{c.call}.groupDoc(g, members))
	}
	all.total = total
	return all, err
}
