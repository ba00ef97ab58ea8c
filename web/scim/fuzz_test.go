package scim

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// FuzzFilter: a filter is refused, or selects the same of the same, and never panics.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		`userName eq "a"`, `emails[type eq "work" and not (value co "x")].value sw "a" or active eq False`, `((title pr))`, `meta.created gt "2020-01-01T00:00:00Z"`,
		enterpriseURN + `:manager.value eq null`, `emails["`, `not(`, `a.b.c eq "x"`, `"\`,
	} {
		f.Add(text)
	}
	doc := personTree(access.Provisioned{UserName: "a", Active: true, Profile: access.Profile{Title: "x", Manager: "m", Mails: []access.Mail{{Value: "xa", Type: "work"}}}})
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range resources {
			is, err := r.parse(text)
			if err != nil {
				if faultOf(err).kind != "invalidFilter" {
					t.Errorf("%v", err)
				}
				continue
			}
			if is.holds(doc) != is.holds(doc) {
				t.Error("it selects now this and now that")
			}
			sought(is, "id", "userName", "members.value")
		}
	})
}

// FuzzPatch: operations are refused, or make a person who can be kept and is read back the same; and
// nothing of it depends on the order of a map.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		`{"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a"}]}`,
		`{"Operations":[{"op":"add","value":{"name.familyName":"x","` + enterpriseURN + `:manager":"u"}},{"op":"remove","path":"emails"}]}`,
		`{"operations":[{"op":"replace","path":"` + enterpriseURN + `","value":{"costCenter":1}}]}`,
		`{"Operations":[{"op":"add","path":"members","value":[{"value":"u"}]},{"op":"remove","path":"members[value eq \"u\"]"}]}`,
	} {
		f.Add(body)
	}
	person := access.Provisioned{UserName: "a", Active: true, Profile: access.Profile{Title: "x", Mails: []access.Mail{{Value: "x", Type: "work", Primary: true}, {Value: "y"}}}}
	f.Fuzz(func(t *testing.T, body string) {
		doc, err := decode([]byte(body))
		if err != nil {
			return
		}
		all, err := operations(doc)
		if err != nil {
			return
		}
		c := groupCall{&call{server: &server{}}}
		if steps, _, err := c.memberSteps(all); err == nil {
			for _, s := range steps {
				if s.Where != nil {
					s.Where("u")
				}
			}
		}
		ignore := func(string) {}
		one, other := personTree(person), personTree(person)
		errOne, errOther := users.apply(one, all, ignore), users.apply(other, all, ignore)
		if (errOne == nil) != (errOther == nil) || errOne == nil && !reflect.DeepEqual(one, other) {
			t.Fatalf("%v, %v: %v and %v", errOne, errOther, one, other)
		}
		if errOne != nil {
			return
		}
		p, err := personOf(one, true)
		if err != nil {
			return
		}
		if _, err := json.Marshal(one); err != nil {
			t.Fatal(err)
		}
		again, err := personOf(personTree(p), !p.Active)
		if err != nil || control.Tag(again) != control.Tag(p) && !strings.Contains(body, `\u`) {
			t.Fatalf("%+v is read back as %+v, %v", p, again, err)
		}
	})
}
