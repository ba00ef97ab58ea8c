package scim

import (
	"maps"
	"net/http"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// user is what can be done to one person.
func (c userCall) user(id string) endpoint {
	return endpoint{
		http.MethodGet: func() error {
			p, err := c.People.Person(c.ctx(), id)
			if err != nil {
				return err
			}
			return c.one(http.StatusOK, users, c.personDoc(p))
		},
		http.MethodPut:   func() error { return c.replaceUser(id) },
		http.MethodPatch: func() error { return c.patchUser(id) },
		http.MethodDelete: func() error {
			err := c.People.RemovePerson(c.ctx(), id, func(p control.ProvisionedPerson) error { return c.unchanged(personVersion(p)) })
			if err == nil {
				c.write(http.StatusNoContent, nil)
			}
			return err
		},
	}
}

func (c userCall) addUser() error {
	t, err := c.resource(users)
	if err != nil {
		return err
	}
	p, err := personOf(t, true)
	if err != nil {
		return err
	}
	made, err := c.People.AddPerson(c.ctx(), p)
	if err != nil {
		return err
	}
	return c.one(http.StatusCreated, users, c.personDoc(made))
}

// resource reads a body that is a whole resource.
func (c *call) resource(t *resource) (tree, error) {
	doc, err := c.body()
	if err != nil {
		return nil, err
	}
	return t.read(doc, c.unknown)
}

func (c userCall) replaceUser(id string) error {
	t, err := c.resource(users)
	if err != nil {
		return err
	}
	return c.changeUser(id, func(p control.ProvisionedPerson) (access.Provisioned, error) { return personOf(t, p.Active) })
}

func (c userCall) patchUser(id string) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	all, err := operations(doc)
	if err != nil {
		return err
	}
	return c.changeUser(id, func(p control.ProvisionedPerson) (access.Provisioned, error) {
		t := personTree(p.Provisioned)
		if err := users.apply(t, all, c.unknown); err != nil {
			return access.Provisioned{}, err
		}
		return personOf(t, p.Active)
	})
}

func (c userCall) changeUser(id string, change func(control.ProvisionedPerson) (access.Provisioned, error)) error {
	p, err := c.People.ChangePerson(c.ctx(), id, func(p control.ProvisionedPerson) (access.Provisioned, error) {
		if err := c.unchanged(personVersion(p)); err != nil {
			return access.Provisioned{}, err
		}
		return change(p)
	})
	if err != nil {
		return err
	}
	return c.one(http.StatusOK, users, c.personDoc(p))
}

// group is what can be done to one group.
func (c groupCall) group(id string) endpoint {
	return endpoint{
		http.MethodGet: func() error {
			members := c.view().wants(groups, "members") || c.conditional()
			g, err := c.Groups.Group(c.ctx(), id, members)
			if err != nil {
				return err
			}
			return c.one(http.StatusOK, groups, c.groupDoc(g, members))
		},
		http.MethodPut:   func() error { return c.replaceGroup(id) },
		http.MethodPatch: func() error { return c.patchGroup(id) },
		http.MethodDelete: func() error {
			err := c.Groups.RemoveGroup(c.ctx(), id, c.conditional(), c.sameGroup)
			if err == nil {
				c.write(http.StatusNoContent, nil)
			}
			return err
		},
	}
}

// sameGroup returns an error unless a group, with its members, is the one that the request is about.
func (c groupCall) sameGroup(g control.ProvisionedGroup) error {
	if !c.conditional() {
		return nil
	}
	return c.unchanged(groupVersion(g))
}

func (c groupCall) addGroup() error {
	t, err := c.resource(groups)
	if err != nil {
		return err
	}
	want, err := groupOf(t)
	if err != nil {
		return err
	}
	g, err := c.Groups.AddGroup(c.ctx(), want)
	if err != nil {
		return err
	}
	return c.one(http.StatusCreated, groups, c.groupDoc(g, true))
}

// replaceGroup leaves the members as they are if it says nothing of them; an empty list ends them all.
func (c groupCall) replaceGroup(id string) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	t, err := groups.read(doc, c.unknown)
	if err != nil {
		return err
	}
	want, err := groupOf(t)
	if err != nil {
		return err
	}
	if list, said := spoken(doc, "members"); said && len(list) == 0 {
		want.Members = []control.MemberStep{{Set: true}}
	}
	return c.changeGroup(id, false, func(control.ProvisionedGroup) (control.GroupChange, error) { return want, nil })
}

// spoken returns the list that a document has under a name, letter case aside.
func spoken(doc map[string]any, name string) (list []any, said bool) {
	for key := range maps.Keys(doc) {
		if p, found := groups.locate(key); found && p.attribute != nil && p.attribute.name == name {
			list, said = doc[key].([]any)
		}
	}
	return list, said
}

func (c groupCall) patchGroup(id string) error {
	doc, err := c.body()
	if err != nil {
		return err
	}
	all, err := operations(doc)
	if err != nil {
		return err
	}
	steps, rest, err := c.memberSteps(all)
	if err != nil {
		return err
	}
	return c.changeGroup(id, needsMembers(steps), func(g control.ProvisionedGroup) (control.GroupChange, error) {
		t := tree{"displayName": g.Name}
		putText(t, "externalId", g.External)
		if err := groups.apply(t, rest, c.unknown); err != nil {
			return control.GroupChange{}, err
		}
		want, err := groupOf(t)
		want.Members = steps
		return want, err
	})
}

// changeGroup changes a group. It responds with the group if attributes are asked for or a whole was
// sent, and else with nothing, as large groups cost much to write.
func (c groupCall) changeGroup(id string, members bool, change func(control.ProvisionedGroup) (control.GroupChange, error)) error {
	_, err := c.Groups.ChangeGroup(c.ctx(), id, members || c.conditional(), func(g control.ProvisionedGroup) (control.GroupChange, error) {
		if err := c.sameGroup(g); err != nil {
			return control.GroupChange{}, err
		}
		return change(g)
	})
	if err != nil {
		return err
	}
	v := c.view()
	if c.r.Method == http.MethodPatch && len(v.only)+len(v.without) == 0 {
		c.write(http.StatusNoContent, nil)
		return nil
	}
	wants := v.wants(groups, "members")
	g, err := c.Groups.Group(c.ctx(), id, wants)
	if err != nil {
		return err
	}
	return c.one(http.StatusOK, groups, c.groupDoc(g, wants))
}
