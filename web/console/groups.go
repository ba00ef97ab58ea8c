package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// groups are the pages about groups of people.
type groups struct {
	*frame
	kept web.Groups
}

type groupsView struct {
	base
	Name   string // what is looked for
	Groups []control.Group
	Mine   []control.Group // those that the reader is in
	Pages  pager
}

func (g *groups) list(r *http.Request) (string, any, error) {
	b, err := g.base(r, "Groups", "groups")
	if err != nil {
		return "", nil, err
	}
	v := groupsView{base: b, Name: r.URL.Query().Get("name")}
	mine, err := g.kept.List(r.Context(), control.GroupFilter{Person: b.Actor.User}, control.Page{Limit: shownItems})
	if v.Mine = mine.Items; err != nil {
		return "", nil, err
	}
	v.Groups, v.Pages, err = listed(r, "groups", shownItems, func(p control.Page) (control.Items[control.Group], error) {
		return g.kept.List(r.Context(), control.GroupFilter{Name: v.Name}, p)
	})
	return "groups", v, err
}

type groupView struct {
	base
	Group  control.Group
	People []control.GroupPerson
	Hidden bool // who is in it is not for the reader
	Pages  pager
}

// Keeps reports whether the reader may change the group by hand.
func (v groupView) Keeps() bool {
	return v.Group.Source == "" && access.Allowed(v.Actor, access.ManageGroup, access.TheGroup(v.Group.ID, v.Group.Name))
}

func (g *groups) show(r *http.Request) (string, any, error) {
	found, err := g.kept.Show(r.Context(), r.PathValue("group"))
	if err != nil {
		return "", nil, err
	}
	b, err := g.base(r, found.Name, "groups")
	if err != nil {
		return "", nil, err
	}
	v := groupView{base: b, Group: found}
	v.People, v.Pages, err = listed(r, "people", shownItems, func(p control.Page) (control.Items[control.GroupPerson], error) {
		return g.kept.People(r.Context(), found.ID, p)
	})
	if v.Hidden = errors.Is(err, access.ErrForbidden); v.Hidden {
		err = nil
	}
	return "group", v, err
}

func groupPage(id string) string { return "/groups/" + url.PathEscape(id) }

func (g *groups) create(r *http.Request) (string, error) {
	made, err := g.kept.Create(r.Context(), r.FormValue("name"))
	return groupPage(made.ID) + "?done=made", err
}

func (g *groups) rename(r *http.Request) (string, error) {
	id := r.PathValue("group")
	_, err := g.kept.Rename(r.Context(), id, r.FormValue("name"))
	return groupPage(id) + "?done=saved", err
}

func (g *groups) remove(r *http.Request) (string, error) {
	return "/groups?done=ungrouped", g.kept.Delete(r.Context(), r.PathValue("group"))
}

func (g *groups) add(r *http.Request) (string, error) {
	id := r.PathValue("group")
	_, err := g.kept.Add(r.Context(), id, r.FormValue("person"))
	return groupPage(id) + "?done=joined", err
}

func (g *groups) take(r *http.Request) (string, error) {
	id := r.PathValue("group")
	_, err := g.kept.Remove(r.Context(), id, r.FormValue("person"))
	return groupPage(id) + "?done=left", err
}
