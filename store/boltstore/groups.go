package boltstore

import (
	"errors"
	"os"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// groupReader reads groups for a reader.
type groupReader struct{ in *reader }

// groupWriter changes groups for a transaction.
type groupWriter struct {
	in *reader
	w  *writer
}

// Group reads a group.
func (g groupReader) Group(id string) (access.Group, error) {
	return get[access.Group](g.in.tx, bGroups, key(id), access.ErrNoGroup)
}

// GroupNamed reads the group of a source that has a name.
func (g groupReader) GroupNamed(source, name string) (access.Group, error) {
	return g.oneGroup(within(byGroupName, access.FoldGroupName(name), source))
}

// GroupKnownAs reads the group of a source that has a key there.
func (g groupReader) GroupKnownAs(source, external string) (access.Group, error) {
	if external == "" {
		return access.Group{}, access.ErrNoGroup
	}
	return g.oneGroup(within(byGroupKey, source, external))
}

// oneGroup reads the first group that a part of the index leads to.
func (g groupReader) oneGroup(prefix []byte) (access.Group, error) {
	found, _, err := pageBy[access.Group](g.in, bGroups, prefix, state.Part{Limit: 1}, false)
	if err == nil && len(found) == 0 {
		err = access.ErrNoGroup
	}
	if err != nil {
		return access.Group{}, err
	}
	return found[0], nil
}

// GroupsPart lists a part of the groups, by name.
func (g groupReader) GroupsPart(p state.Part) ([]access.Group, []byte, error) {
	return pageBy[access.Group](g.in, bGroups, within(byGroupName), p, false)
}

// MembersPart lists a part of the people in a group.
func (g groupReader) MembersPart(group string, p state.Part) ([]string, []byte, error) {
	return pageOf(g.in, bMembers, within(group), p, false, func(k, record []byte) (string, bool, error) {
		m, err := decode[access.Member](bMembers, k, record)
		return m.Person, err == nil, err
	})
}

// GroupsOf lists the ids of the groups that a person is in. It reads the index alone.
func (g groupReader) GroupsOf(person string) (ids []string, err error) {
	prefix := within(byMember, person)
	ids, _, err = pageOf(g.in, bIndex, prefix, state.Part{Limit: -1}, false, func(e, record []byte) (string, bool, error) {
		_, err := unseal(bIndex, e, record)
		return string(e[len(prefix):]), err == nil, err
	})
	return ids, err
}

// IsMember reports whether a person is in a group.
func (g groupReader) IsMember(group, person string) (bool, error) {
	_, err := get[access.Member](g.in.tx, bMembers, key(group, person), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// PutGroup stores a group.
func (g groupWriter) PutGroup(v access.Group) error { return put(g.w, bGroups, key(v.ID), v) }

// DeleteGroup forgets a group and its memberships.
func (g groupWriter) DeleteGroup(id string) error {
	if _, err := g.in.Group(id); err != nil {
		return err
	}
	for _, k := range keysOf(g.w, bMembers, id, noLimit) {
		if err := g.w.remove(bMembers, k); err != nil {
			return err
		}
	}
	for _, k := range keysOf(g.w, bQuotas, string(key("group", id)), noLimit) {
		if err := g.w.remove(bQuotas, k); err != nil {
			return err
		}
	}
	return g.w.remove(bGroups, key(id))
}

// PutMember puts a person into a group.
func (g groupWriter) PutMember(group, person string) error {
	if _, err := g.in.Group(group); err != nil {
		return err
	}
	return put(g.w, bMembers, key(group, person), access.Member{Group: group, Person: person})
}

// DeleteMember ends a membership, if there is one.
func (g groupWriter) DeleteMember(group, person string) error {
	return g.w.remove(bMembers, key(group, person))
}
