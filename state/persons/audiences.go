package persons

import (
	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// audienceReader reads who may open apps, by names. It stands before the store below, as groupReader does.
type audienceReader struct {
	state.Reader
	in *reader
}

// audienceWriter changes that, of people who are given by names.
type audienceWriter struct {
	in *reader
	tx state.Tx
}

func (a audienceReader) Audience(app string, tier abi.Tier) (access.Audience, error) {
	v, err := a.Reader.Audience(app, tier)
	return one(a.in, v, err, InAudience)
}

func (a audienceReader) AccessRequest(app string, tier abi.Tier, person string) (access.AccessRequest, error) {
	id, err := a.in.id(person)
	if err != nil {
		return access.AccessRequest{}, err
	}
	q, err := a.Reader.AccessRequest(app, tier, id)
	return one(a.in, q, err, InAccessRequest)
}

func (a audienceReader) AccessRequests(app string) ([]access.AccessRequest, error) {
	all, err := a.Reader.AccessRequests(app)
	return many(a.in, all, err, InAccessRequest)
}

func (a audienceWriter) PutAudience(v access.Audience) error {
	if err := each(InAudience(&v), a.in.id); err != nil {
		return err
	}
	return a.tx.PutAudience(v)
}

func (a audienceWriter) PutAccessRequest(q access.AccessRequest) error {
	if err := each(InAccessRequest(&q), a.in.id); err != nil {
		return err
	}
	return a.tx.PutAccessRequest(q)
}
