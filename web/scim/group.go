package scim

import (
	"slices"

	"github.com/agora-host/agora/control"
)

// mostMembers is how many members one request names, or one response has, at most.
const mostMembers = 20_000

// groupCall is a request about groups.
type groupCall struct{ *call }

// groupDoc writes a group; with its members if they were read.
func (c groupCall) groupDoc(g control.ProvisionedGroup, members bool) tree {
	doc := tree{"schemas": []string{groupURN}, "id": g.ID, "displayName": g.Name}
	putText(doc, "externalId", g.External)
	version := ""
	if members {
		version = groupVersion(g)
		var all []any
		for _, id := range g.Members {
			all = append(all, c.memberDoc(id))
		}
		if all != nil {
			doc["members"] = all
		}
	}
	doc["meta"] = c.meta(groups, g.ID, g.Created, g.Changed, version)
	return doc
}

func (c groupCall) memberDoc(id string) tree {
	return tree{"value": id, "type": "User", "$ref": c.base + "/Users/" + id}
}

// groupVersion is the entity tag of a group with its members.
func groupVersion(g control.ProvisionedGroup) string { return "W/" + control.Tag(g) }

// groupOf is what a provider says that a group is to be. Members that it does not speak of stay.
func groupOf(t tree) (c control.GroupChange, err error) {
	c.Name, c.External = str(t, "displayName"), str(t, "externalId")
	if c.Name == "" {
		return c, invalidValue("displayName is required")
	}
	if list, ok := t["members"].([]any); ok {
		ids, err := memberIDs(list)
		if err != nil {
			return c, err
		}
		c.Members = []control.MemberStep{{Set: true, IDs: ids}}
	}
	return c, nil
}

// memberIDs are the people whom a list of members names.
func memberIDs(list []any) ([]string, error) {
	var ids []string
	for _, v := range list {
		m, _ := v.(tree)
		if kind := str(m, "type"); kind == "Group" || kind == "group" {
			return nil, invalidValue("groups in groups are not taken: send the people who are in them")
		}
		if str(m, "value") == "" {
			return nil, invalidValue("a member has a value, which is the id of a person")
		}
		ids = append(ids, str(m, "value"))
	}
	return ids, nil
}

// memberSteps takes the operations about members out of a PATCH: they say what changes, so that the
// members who are there need not be read.
func (c groupCall) memberSteps(all []operation) (steps []control.MemberStep, rest []operation, err error) {
	for _, o := range all {
		if o.path == "" && o.op != "remove" {
			o, members, has := apart(o)
			if rest = append(rest, o); !has {
				continue
			}
			step, err := memberStep(members)
			if err != nil {
				return nil, nil, err
			}
			steps = append(steps, step)
			continue
		}
		to, found, err := groups.aim(o.path)
		if err != nil {
			return nil, nil, err
		}
		if !found || to.attribute == nil || to.attribute.name != "members" {
			rest = append(rest, o)
			continue
		}
		step, err := c.memberStepAt(to, o)
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, step)
	}
	return steps, rest, nil
}

// apart takes the members out of an operation without a path.
func apart(o operation) (rest operation, members operation, has bool) {
	doc, ok := o.value.(map[string]any)
	if !ok {
		return o, o, false
	}
	other := map[string]any{}
	for key, v := range doc {
		if p, found := groups.locate(key); found && p.attribute != nil && p.attribute.name == "members" && p.sub == nil {
			members, has = operation{o.op, "members", v}, true
			continue
		}
		other[key] = v
	}
	return operation{o.op, "", other}, members, has
}

func memberStep(o operation) (step control.MemberStep, err error) {
	a := find(groups.core.attributes, "members")
	step.Add, step.Set = o.op == "add", o.op == "replace"
	if o.op == "remove" && o.value == nil {
		return control.MemberStep{Set: true}, nil
	}
	v, err := a.value(o.value)
	if err != nil {
		return step, err
	}
	list, _ := v.([]any)
	step.IDs, err = memberIDs(list)
	return step, err
}

// memberStepAt is memberStep for a path that chooses members.
func (c groupCall) memberStepAt(to target, o operation) (step control.MemberStep, err error) {
	switch {
	case to.sub != nil:
		return step, invalid("mutability", "what a member is does not change: remove one, and add the other")
	case to.among == nil:
		return memberStep(o)
	case o.op != "remove":
		return step, invalid("mutability", "a member is not changed: remove one, and add the other")
	}
	if one, ok := to.among.(*compare); ok && one.op == "eq" && !one.null && one.at.attribute.name == "value" {
		return control.MemberStep{IDs: []string{one.text}}, nil
	}
	return control.MemberStep{Where: func(id string) bool { return to.among.holds(c.memberDoc(id)) }}, nil
}

// needsMembers reports whether any of some steps looks at who is in the group.
func needsMembers(steps []control.MemberStep) bool {
	return slices.ContainsFunc(steps, func(s control.MemberStep) bool { return s.Where != nil })
}
