package persons

import (
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// groupReader reads who is in which group, by names. It stands between a reader and the store below,
// whose other methods the reader finds through it.
type groupReader struct {
	state.Reader
	in *reader
}

// groupWriter changes groups of people who are given by names.
type groupWriter struct {
	in *reader
	tx state.Tx
}

func (g groupReader) MembersPart(group string, p state.Part) ([]string, []byte, error) {
	all, next, err := g.Reader.MembersPart(group, p)
	return part(g.in, all, next, err, func(person *string) []*string { return []*string{person} })
}

func (g groupReader) GroupsOf(person string) ([]string, error) {
	id, err := g.in.id(person)
	if err != nil {
		return nil, err
	}
	return g.Reader.GroupsOf(id)
}

func (g groupReader) IsMember(group, person string) (bool, error) {
	id, err := g.in.id(person)
	if err != nil {
		return false, err
	}
	return g.Reader.IsMember(group, id)
}

func (g groupWriter) PutGroup(v access.Group) error { return g.tx.PutGroup(v) }

func (g groupWriter) DeleteGroup(id string) error { return g.tx.DeleteGroup(id) }

func (g groupWriter) PutMember(group, person string) error {
	id, err := g.in.id(person)
	if err != nil {
		return err
	}
	return g.tx.PutMember(group, id)
}

func (g groupWriter) DeleteMember(group, person string) error {
	id, err := g.in.id(person)
	if err != nil {
		return err
	}
	return g.tx.DeleteMember(group, id)
}
