package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// whoMay is the page about who may do what: an explanation, and people with their roles as a matrix.
type whoMay struct {
	*frame
	why    web.Explainer
	users  web.Users
	groups web.Groups
}

type accessPage struct {
	base
	Rules   []access.Rule
	Asked   control.AccessQuestion
	Answer  *control.Explanation
	Problem string // why there is no answer

	Filter control.UserFilter
	Roles  []access.Role
	People []access.User // none if they are not for the reader
	Names  map[string]string
	Pages  pager
	Self   string // the address of this page as it is filtered
}

// Watches reports whether the reader sees other people's roles, and asks about other people.
func (v accessPage) Watches() bool {
	return access.Allowed(v.Actor, access.ReadPerson, access.Person(""))
}

// Has reports whether a user has a role for everything.
func (v accessPage) Has(u access.User, r access.Role) bool { return slices.Contains(u.Roles, r) }

// Others are the roles of a user that are for one concern or for one group.
func (v accessPage) Others(u access.User) []access.Role {
	return slices.DeleteFunc(slices.Clone(u.Roles), func(r access.Role) bool { return slices.Contains(v.Roles, r) })
}

// Shown is a role with the name of its group.
func (v accessPage) Shown(r access.Role) string {
	of, concern, group := r.Parts()
	text := string(of)
	if concern != "" {
		text += "/" + string(concern)
	}
	if name := v.Names[group]; name != "" {
		group = name
	}
	if group != "" {
		text += " of " + group
	}
	return text
}

func (p *whoMay) show(r *http.Request) (string, any, error) {
	b, err := p.base(r, "Who may do what", "access")
	if err != nil {
		return "", nil, err
	}
	q := r.URL.Query()
	v := accessPage{
		base: b, Rules: access.Rules(), Roles: access.Roles(), Names: map[string]string{},
		Asked:  control.AccessQuestion{Person: q.Get("person"), Act: access.Act(q.Get("act")), On: q.Get("on")},
		Filter: control.UserFilter{Role: access.Role(q.Get("role")), Name: q.Get("name")},
	}
	v.Self = "/access?" + url.Values{"role": {string(v.Filter.Role)}, "name": {v.Filter.Name}}.Encode()
	if v.Asked.Act != "" {
		if err := p.answer(r, &v); err != nil {
			return "", nil, err
		}
	}
	if !v.Watches() {
		return "access", v, nil
	}
	v.People, v.Pages, err = listed(r, "people", shownItems, func(page control.Page) (control.Items[access.User], error) {
		return p.users.Users(r.Context(), v.Filter, page)
	})
	for _, u := range v.People {
		for _, role := range u.Roles {
			if _, _, group := role.Parts(); group != "" && v.Names[group] == "" {
				if g, err := p.groups.Show(r.Context(), group); err == nil { // one that is gone is shown by its id
					v.Names[group] = g.Name
				}
			}
		}
	}
	return "access", v, err
}

// answer explains what the form asked. What was asked wrongly is said beside it.
func (p *whoMay) answer(r *http.Request, v *accessPage) error {
	e, err := p.why.Why(r.Context(), v.Asked)
	if err == nil {
		v.Answer = &e
		return nil
	}
	if doc := problem.For(err); doc.Status < http.StatusInternalServerError {
		v.Problem = doc.Title + ": " + doc.Detail
		return nil
	}
	return err
}
