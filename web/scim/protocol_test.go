package scim_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestFilters: each filter selects what it says, those that are looked up as well as those that are
// searched.
func TestFilters(t *testing.T) {
	w := newWorld(t)
	names := map[string]string{}
	for i, p := range []string{
		`{"userName":"Ada@example.com","externalId":"k1","title":"Countess","emails":[{"value":"ada@work.example","type":"work"},{"value":"ada@home.example","type":"home"}],"` + enterprise + `":{"department":"Engines"}}`,
		`{"userName":"bob@example.com","externalId":"K1","active":false,"emails":[{"value":"bob@work.example","type":"work","primary":true}]}`,
		`{"userName":"cy@example.com","name":{"familyName":"O\"Neil (x) and [y]"}}`,
	} {
		a := w.do("POST", "/Users", p)
		if a.status != 201 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		names[a.doc["id"].(string)] = string("abc"[i])
	}
	var ada string
	for id, n := range names {
		if n == "a" {
			ada = id
		}
	}
	for filter, want := range map[string]string{
		`userName eq "ADA@EXAMPLE.COM"`:                                     "a",
		`username Eq "bob@example.com" and active eq true`:                  "",
		`externalId eq "k1"`:                                                "a", // letter case counts
		`externalId eq "K1"`:                                                "b",
		`id eq "` + ada + `"`:                                               "a",
		`id eq "` + strings.ToUpper(ada) + `"`:                              "",
		`active eq "False"`:                                                 "b", // as some write it
		`active eq False`:                                                   "b",
		`active ne false`:                                                   "ac",
		`emails.value eq "ADA@home.example"`:                                "a",
		`emails eq "ada@home.example"`:                                      "a",
		`emails[type eq "work"].value eq "ada@home.example"`:                "",
		`emails[type eq "home"].value ew "home.example"`:                    "a",
		`emails[type eq "work" and value sw "bob"]`:                         "b",
		`emails.primary eq true`:                                            "b",
		`emails pr`:                                                         "ab",
		`not (emails pr)`:                                                   "c",
		`title eq null`:                                                     "bc",
		`title ne null`:                                                     "a",
		`userName sw "a" or userName sw "b" and active eq true`:             "a",
		`(userName sw "a" or userName sw "b") and active eq true`:           "a",
		`(userName sw "a" or userName sw "c") and not (title co "ount")`:    "c",
		`name.familyName eq "O\"Neil (x) and [y]"`:                          "c",
		`urn:ietf:params:scim:schemas:core:2.0:User:userName co "@example"`: "abc",
		enterprise + `:department eq "engines"`:                             "a",
		`meta.created gt "2020-01-01T00:00:00Z"`:                            "abc",
		`meta.lastModified lt "2020-01-01T00:00:00Z"`:                       "",
		`meta.resourceType eq "User"`:                                       "abc",
		`userName gt "b" and userName le "cy@example.com"`:                  "bc",
		`userName eq "x\" or userName pr or userName eq \""`:                "", // stays a text
		strings.Repeat("(", 9) + `userName sw "a"` + strings.Repeat(")", 9): "a",
	} {
		a := w.do("GET", "/Users?filter="+url.QueryEscape(filter), "")
		got := selected(a, names)
		if a.status != 200 || got != want || a.doc["totalResults"] != float64(len(want)) {
			t.Errorf("%s: %d %q, want %q: %.200s", filter, a.status, got, want, a.raw)
		}
		posted := w.do("POST", "/Users/.search", fmt.Sprintf(`{"filter":%q,"count":50}`, filter))
		if got := selected(posted, names); got != want {
			t.Errorf("%s, posted: %q", filter, got)
		}
	}
}

// selected are the letters of the people in a list, in order.
func selected(a answer, names map[string]string) string {
	var found []string
	all, _ := a.doc["Resources"].([]any)
	for _, one := range all {
		found = append(found, names[at(one, "id").(string)])
	}
	slices.Sort(found)
	return strings.Join(found, "")
}

// TestBadFilters: a filter that cannot be meant, or that would be much work, is refused.
func TestBadFilters(t *testing.T) {
	w := newWorld(t)
	w.add("ada@example.com", "k")
	for _, filter := range []string{
		`userName`, `userName eq`, `userName eq ada`, `userName is "x"`, `userName eq "x`, `userName eq "x" and`, `userName eq "x" "y"`,
		`eq "x"`, `(userName eq "x"`, `userName eq "x")`, `not userName eq "x"`, `nosuch eq "x"`, `emails.nosuch eq "x"`, `emails[nosuch eq "x"]`,
		`emails[type eq "x"`, `userName[x eq "y"]`, `active gt true`, `active eq "maybe"`, `meta.created gt "yesterday"`, `meta.created co "2020"`,
		`userName gt null`, `name eq "x"`, `userName eq {"a":1}`, `userName eq ["a"]`, `[]`, `()`, `"x"`, `and`, `emails[].value eq "x"`,
		strings.Repeat("(", 11) + `userName pr` + strings.Repeat(")", 11),
		strings.Repeat("not (", 400) + `userName pr` + strings.Repeat(")", 400),
		strings.TrimSuffix(strings.Repeat(`title pr or `, 60), " or "),
		`userName eq "` + strings.Repeat("x", 2001) + `"`,
	} {
		a := w.do("GET", "/Users?filter="+url.QueryEscape(filter), "")
		if a.status != 400 || a.doc["scimType"] != "invalidFilter" {
			t.Errorf("%.60s: %d %.200s", filter, a.status, a.raw)
		}
	}
}

// TestPages: parts of a list make the whole, in one order, and numbers out of bounds are brought into
// them.
func TestPages(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range 23 {
		all = append(all, w.add(fmt.Sprintf("p%d@example.com", i), ""))
	}
	slices.Sort(all)
	for _, filter := range []string{"", "&filter=" + url.QueryEscape(`userName sw "p"`)} {
		var read []string
		for start := 1; start <= 23; start += 5 {
			a := w.do("GET", fmt.Sprintf("/Users?startIndex=%d&count=5%s", start, filter), "")
			for _, one := range a.doc["Resources"].([]any) {
				read = append(read, at(one, "id").(string))
			}
			if a.doc["totalResults"] != 23.0 || a.doc["startIndex"] != float64(start) || a.doc["itemsPerPage"] != float64(min(5, 24-start)) {
				t.Errorf("%.200s", a.raw)
			}
		}
		if slices.Sort(read); !slices.Equal(read, all) {
			t.Errorf("read %v, want %v", read, all)
		}
	}
	for query, want := range map[string]int{"count=1000000000": 23, "count=1e9": 23, "count=0": 0, "count=-5": 0, "startIndex=0&count=2": 2, "startIndex=-9": 23, "startIndex=24": 0, "startIndex=99999999999999999999": 0} {
		if a := w.do("GET", "/Users?"+query, ""); a.status != 200 || len(a.doc["Resources"].([]any)) != want {
			t.Errorf("%s: %d %.100s", query, a.status, a.raw)
		}
	}
}

// TestTags: a change names what it is about, or happens whatever there is; what was read is not sent
// again.
func TestTags(t *testing.T) {
	w := newWorld(t)
	person := "/Users/" + w.add("ada@example.com", "k")
	made := w.do("POST", "/Groups", `{"displayName":"Ops"}`)
	group := "/Groups/" + made.doc["id"].(string)
	for path, change := range map[string]string{person: `{"op":"add","path":"title","value":"%s"}`, group: `{"op":"replace","path":"displayName","value":"%s"}`} {
		read := w.do("GET", path, "")
		tag := read.header.Get("ETag")
		if !strings.HasPrefix(tag, `W/"`) || at(read.doc, "meta", "version") != tag {
			t.Fatalf("%s: %v %s", path, read.header, read.raw)
		}
		if a := w.do("GET", path, "", "If-None-Match", `"x", `+tag); a.status != 304 || a.raw != "" {
			t.Errorf("%s: %d", path, a.status)
		}
		body := func(v string) string { return `{"Operations":[` + fmt.Sprintf(change, v) + `]}` }
		if a := w.do("PATCH", path, body("one"), "If-Match", tag); a.status >= 300 {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
		now := w.do("GET", path, "").header.Get("ETag")
		if now == tag {
			t.Errorf("%s: the tag stays", path)
		}
		for _, method := range []string{"PATCH", "PUT", "DELETE"} {
			sent := body("two")
			if method == "PUT" {
				sent = `{"userName":"z@example.com","displayName":"Z"}`
			}
			if a := w.do(method, path, sent, "If-Match", tag); a.status != 412 {
				t.Errorf("%s %s with a stale tag: %d", method, path, a.status)
			}
			if a := w.do(method, path, sent, "If-None-Match", "*"); a.status != 412 {
				t.Errorf("%s %s if there is none: %d", method, path, a.status)
			}
		}
		if a := w.do("GET", path, ""); a.header.Get("ETag") != now {
			t.Errorf("%s: a refused change changed %s", path, a.raw)
		}
		if a := w.do("DELETE", path, "", "If-Match", "*"); a.status != 204 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestViews: what is asked for is sent, and what is left out is not; the id and the schemas always are.
func TestViews(t *testing.T) {
	w := newWorld(t)
	id := w.do("POST", "/Users", `{"userName":"ada@example.com","title":"x","name":{"givenName":"A","familyName":"L"},"emails":[{"value":"a","type":"work"}],"`+enterprise+`":{"department":"d","costCenter":"c"}}`).doc["id"].(string)
	for query, c := range map[string]struct{ has, not []string }{
		"attributes=userName":                              {[]string{"id", "schemas", "userName"}, []string{"title", "name", "meta", enterprise}},
		"attributes=name.givenName,emails.type":            {[]string{"name.givenName", "emails.0.type"}, []string{"name.familyName", "emails.0.value"}},
		"attributes=" + enterprise + ":department":         {[]string{enterprise + "|department"}, []string{enterprise + "|costCenter", "userName"}},
		"attributes=nosuch":                                {[]string{"id"}, []string{"userName"}},
		"excludedAttributes=userName,id,name.familyName":   {[]string{"id", "name.givenName", "title"}, []string{"userName", "name.familyName"}},
		"excludedAttributes=" + enterprise:                 {[]string{"userName"}, []string{enterprise}},
		"excludedAttributes=" + enterprise + ":department": {[]string{enterprise + "|costCenter"}, []string{enterprise + "|department"}},
	} {
		a := w.do("GET", "/Users/"+id+"?"+query, "")
		listed := w.do("GET", "/Users?"+query, "")
		path := func(text string) []string {
			if before, after, ok := strings.Cut(text, "|"); ok {
				return []string{before, after}
			}
			if text == enterprise {
				return []string{text}
			}
			return strings.Split(text, ".")
		}
		for _, doc := range []any{a.doc, at(listed.doc, "Resources", "0")} {
			for _, p := range c.has {
				if at(doc, path(p)...) == nil {
					t.Errorf("%s: no %s in %v", query, p, doc)
				}
			}
			for _, p := range c.not {
				if at(doc, path(p)...) != nil {
					t.Errorf("%s: %s in %v", query, p, doc)
				}
			}
		}
	}
}

// group makes a group with people and returns its path.
func (w *world) group(name string, members ...string) string {
	w.t.Helper()
	list := make([]string, len(members))
	for i, id := range members {
		list[i] = fmt.Sprintf(`{"value":%q}`, id)
	}
	a := w.do("POST", "/Groups", fmt.Sprintf(`{"displayName":%q,"externalId":%q,"members":[%s]}`, name, "ext "+name, strings.Join(list, ",")))
	if a.status != 201 {
		w.t.Fatalf("%d %s", a.status, a.raw)
	}
	return "/Groups/" + a.doc["id"].(string)
}

func (w *world) members(path string) (ids []string) {
	w.t.Helper()
	all, _ := w.do("GET", path, "").doc["members"].([]any)
	for _, m := range all {
		ids = append(ids, at(m, "value").(string))
	}
	return ids
}

// TestMembers: every form in which providers change who is in a group.
func TestMembers(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.add("a@example.com", ""), w.add("b@example.com", ""), w.add("c@example.com", "")
	path := w.group("Ops", a)
	for _, step := range []struct {
		name, operations string
		want             []string
	}{
		{"Entra: members in a list", `{"op":"Add","path":"members","value":[{"value":"` + b + `"},{"value":"` + a + `"}]}`, []string{a, b}},
		{"Entra: without a path", `{"op":"add","value":{"members":[{"value":"` + c + `"}]}}`, []string{a, b, c}},
		{"one by a filter", `{"op":"remove","path":"members[value eq \"` + b + `\"]"}`, []string{a, c}},
		{"Entra: one by a value", `{"op":"Remove","path":"members","value":[{"value":"` + c + `"}]}`, []string{a}},
		{"who is not there", `{"op":"remove","path":"members","value":[{"value":"u_gone"}]}`, []string{a}},
		{"Okta: the whole list", `{"op":"replace","path":"members","value":[{"value":"` + b + `","display":"B"},{"value":"` + c + `"}]}`, []string{b, c}},
		{"by another filter", `{"op":"remove","path":"members[value ne \"` + b + `\"]"}`, []string{b}},
		{"a bare text", `{"op":"add","path":"members","value":"` + a + `"}`, []string{a, b}},
		{"Okta: a name, with the id", `{"op":"replace","value":{"id":"x","displayName":"Operations"}}`, []string{a, b}},
		{"one after the other", `{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"` + c + `"}]}`, []string{c}},
		{"an empty list of those who go", `{"op":"remove","path":"members","value":[]}`, []string{c}},
		{"all of them", `{"op":"remove","path":"members"}`, nil},
	} {
		if got := w.patch(path, step.operations); got.status != 204 {
			t.Errorf("%s: %d %s", step.name, got.status, got.raw)
		}
		got := w.members(path)
		slices.Sort(got)
		slices.Sort(step.want)
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
	if got := w.do("PATCH", path+"?attributes=displayName", `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+a+`"}]}]}`); got.status != 200 || got.doc["displayName"] != "Operations" {
		t.Errorf("what is asked for is not sent: %d %s", got.status, got.raw)
	}
	if w.do("PUT", path, `{"displayName":"Operations","externalId":"e"}`); len(w.members(path)) != 1 {
		t.Error("PUT without members takes them away")
	}
	if w.do("PUT", path, `{"displayName":"Operations","members":[]}`); len(w.members(path)) != 0 {
		t.Error("PUT with no members leaves them")
	}
	w.patch(path, `{"op":"add","path":"members","value":[{"value":"`+a+`"},{"value":"`+b+`"}]}`)
	w.do("DELETE", "/Users/"+a, "")
	w.patch("/Users/"+b, `{"op":"replace","path":"active","value":false}`)
	if got := w.members(path); !slices.Equal(got, []string{b}) {
		t.Errorf("who was deleted is in it, or who is not active is not: %v", got)
	}
}

// TestGroupsRefused: what a group cannot be, or have.
func TestGroupsRefused(t *testing.T) {
	w := newWorld(t)
	path := w.group("Ops")
	w.group("Sales")
	entra := w.token
	w.token = w.newToken("okta")
	if a := w.do("GET", path, ""); a.status != 403 {
		t.Errorf("another provider's token: %d", a.status)
	}
	w.token = entra
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		kind                     any
	}{
		{"no name", "POST", "/Groups", `{"members":[]}`, 400, "invalidValue"},
		{"a name that is there, in other letters", "POST", "/Groups", `{"displayName":"OPS"}`, 409, "uniqueness"},
		{"a key that is there", "POST", "/Groups", `{"displayName":"X","externalId":"ext Ops"}`, 409, "uniqueness"},
		{"a name that becomes another's", "PATCH", path, `{"op":"replace","path":"displayName","value":"sales"}`, 409, "uniqueness"},
		{"a group in a group", "PATCH", path, `{"op":"add","path":"members","value":[{"value":"g_x","type":"Group"}]}`, 400, "invalidValue"},
		{"a stranger", "PATCH", path, `{"op":"add","path":"members","value":[{"value":"u_none"}]}`, 400, "invalidValue"},
		{"an operator by the name", "PATCH", path, `{"op":"add","path":"members","value":[{"value":"root@example.com"}]}`, 400, "invalidValue"},
		{"a member who changes", "PATCH", path, `{"op":"replace","path":"members[value eq \"x\"].value","value":"y"}`, 400, "mutability"},
		{"a name like an id", "POST", "/Groups", `{"displayName":"g_x"}`, 400, "invalidValue"},
		{"none", "GET", "/Groups/g_none", "", 404, nil},
		{"by a name", "GET", "/Groups/Ops", "", 404, nil},
	} {
		body := c.body
		if c.method == "PATCH" {
			body = `{"Operations":[` + c.body + `]}`
		}
		if a := w.do(c.method, c.path, body); a.status != c.status || a.doc["scimType"] != c.kind {
			t.Errorf("%s: %d %s", c.name, a.status, a.raw)
		}
	}
}

// TestGroupFilters: groups are found by what they are and by who is in them.
func TestGroupFilters(t *testing.T) {
	w := newWorld(t)
	a, b := w.add("a@example.com", ""), w.add("b@example.com", "")
	names := map[string]string{}
	for n, path := range map[string]string{"o": w.group("Ops", a, b), "s": w.group("Sales", b), "e": w.group("Empty")} {
		names[strings.TrimPrefix(path, "/Groups/")] = n
	}
	for filter, want := range map[string]string{
		`displayName eq "OPS"`: "o", `externalId eq "ext Sales"`: "s", `members.value eq "` + a + `"`: "o", `members[value eq "` + b + `"]`: "os",
		`members eq "` + b + `" and displayName sw "S"`: "s", `not (members pr)`: "e", `displayName pr`: "eos", `id eq "u_x"`: "",
	} {
		for _, more := range []string{"", "&excludedAttributes=members"} {
			got := w.do("GET", "/Groups?filter="+url.QueryEscape(filter)+more, "")
			if found := selected(got, names); got.status != 200 || found != want {
				t.Errorf("%s%s: %d %q, want %q: %s", filter, more, got.status, found, want, got.raw)
			}
			if more != "" && strings.Contains(got.raw, `"members"`) {
				t.Errorf("%s: members are sent: %s", filter, got.raw)
			}
		}
	}
	if got := w.do("GET", "/?count=3&startIndex=2", ""); got.doc["totalResults"] != 5.0 || len(got.doc["Resources"].([]any)) != 3 {
		t.Error(got.raw)
	}
	if got := w.do("POST", "/.search", `{"filter":"displayName eq \"ops\""}`); got.doc["totalResults"] != 1.0 {
		t.Error(got.raw)
	}
}
