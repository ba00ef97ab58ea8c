package persons

import (
	"errors"
	"iter"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// reader reads people's names where the store below has their ids.
type reader struct {
	groupReader
	provisionReader
	accountReader
	quotaReader
	noticeReader
	registryReader
	approvalReader
	known map[string]access.Identity // what was looked up; the zero Identity: no person
}

// registryReader reads apps and what belongs to them, by names.
type registryReader struct {
	below state.Reader
	in    *reader
}

// approvalReader reads requests and grants, by names.
type approvalReader struct {
	below state.Reader
	in    *reader
}

func newReader(below state.Reader) *reader {
	r := &reader{}
	r.groupReader, r.provisionReader, r.accountReader = groupReader{audienceReader{below, r}, r}, provisionReader{below, r}, accountReader{below, r}
	r.quotaReader = quotaReader{below, r}
	r.noticeReader = noticeReader{below, r}
	r.registryReader, r.approvalReader = registryReader{below, r}, approvalReader{below, r}
	return r
}

// person returns whom a text refers to; the zero Identity for no person.
func (r *reader) person(text string) (access.Identity, error) {
	if p, ok := r.known[text]; ok || text == "" {
		return p, nil
	}
	p, err := r.Reader.Person(text)
	if err != nil && !errors.Is(err, access.ErrNotFound) {
		return p, err
	}
	if r.known == nil {
		r.known = map[string]access.Identity{}
	}
	r.known[text] = p
	return p, nil
}

// name returns the name that the person has now whom a text refers to.
func (r *reader) name(text string) (string, error) {
	if p, err := r.person(text); err != nil || p.Name != "" {
		return p.Name, err
	}
	return text, nil
}

// id returns the id of the person whom a text refers to.
func (r *reader) id(text string) (string, error) {
	if p, err := r.person(text); err != nil || p.ID != "" {
		return p.ID, err
	}
	return text, nil
}

// one reads the names of one record.
func one[T any](r *reader, v T, err error, fields func(*T) []*string) (T, error) {
	if err != nil {
		return v, err
	}
	return v, each(fields(&v), r.name)
}

// many reads the names of a list.
func many[T any](r *reader, all []T, err error, fields func(*T) []*string) ([]T, error) {
	for i := range all {
		if err == nil {
			err = each(fields(&all[i]), r.name)
		}
	}
	return all, err
}

func part[T any](r *reader, all []T, next []byte, err error, fields func(*T) []*string) ([]T, []byte, error) {
	all, err = many(r, all, err, fields)
	return all, next, err
}

// kept is which records of a list are asked for. keep sees names; failed is set if one cannot be read.
func kept[T any](r *reader, keep func(T) bool, fields func(*T) []*string, failed *error) func(T) bool {
	if keep == nil {
		return nil
	}
	return func(v T) bool {
		if err := each(fields(&v), r.name); err != nil {
			*failed = errors.Join(*failed, err)
			return false
		}
		return keep(v)
	}
}

func (r registryReader) App(name string) (registry.App, error) {
	a, err := r.below.App(name)
	return one(r.in, a, err, InApp)
}

func (r registryReader) Apps() ([]registry.App, error) {
	all, err := r.below.Apps()
	return many(r.in, all, err, InApp)
}

func (r registryReader) AppsPart(p state.Part, keep func(registry.App) bool) ([]registry.App, []byte, error) {
	var failed error
	all, next, err := r.below.AppsPart(p, kept(r.in, keep, InApp, &failed))
	return part(r.in, all, next, errors.Join(err, failed), InApp)
}

// inRelease reads the names of a release. What it was signed as is shown where that is another name.
func (r registryReader) inRelease(v registry.Release, err error) (registry.Release, error) {
	SignedAs(&v)
	if v, err = one(r.in, v, err, InRelease); v.Signer.SignedAs == v.Signer.Identity {
		v.Signer.SignedAs = ""
	}
	return v, err
}

func (r registryReader) Release(app string, n int) (registry.Release, error) {
	return r.inRelease(r.below.Release(app, n))
}

func (r registryReader) ReleasesPart(app string, p state.Part) ([]registry.Release, []byte, error) {
	all, next, err := r.below.ReleasesPart(app, p)
	for i := range all {
		all[i], err = r.inRelease(all[i], err)
	}
	return all, next, err
}

func (r registryReader) ActivationsPart(app string, p state.Part) ([]registry.Activation, []byte, error) {
	all, next, err := r.below.ActivationsPart(app, p)
	return part(r.in, all, next, err, InActivation)
}

func (r registryReader) TierActivations(app string, tier abi.Tier) iter.Seq2[registry.Activation, error] {
	return func(yield func(registry.Activation, error) bool) {
		for a, err := range r.below.TierActivations(app, tier) {
			if !yield(one(r.in, a, err, InActivation)) {
				return
			}
		}
	}
}

func (r registryReader) Key(hint string) (registry.Key, error) {
	k, err := r.below.Key(hint)
	return one(r.in, k, err, InKey)
}

func (r registryReader) KeysPart(p state.Part) ([]registry.Key, []byte, error) {
	all, next, err := r.below.KeysPart(p)
	return part(r.in, all, next, err, InKey)
}

func (r registryReader) HostName(host string) (registry.HostName, error) {
	n, err := r.below.HostName(host)
	return one(r.in, n, err, InHostName)
}

func (r registryReader) HostNamesOf(app string) ([]registry.HostName, error) {
	all, err := r.below.HostNamesOf(app)
	return many(r.in, all, err, InHostName)
}

func (r registryReader) HostNamesPart(p state.Part) ([]registry.HostName, []byte, error) {
	all, next, err := r.below.HostNamesPart(p)
	return part(r.in, all, next, err, InHostName)
}

func (r registryReader) Certificate(id string) (registry.Issued, error) {
	c, err := r.below.Certificate(id)
	return one(r.in, c, err, InCertificate)
}

func (r registryReader) LastCertificate() (registry.Issued, error) {
	c, err := r.below.LastCertificate()
	return one(r.in, c, err, InCertificate)
}

func (r registryReader) CertificatesPart(p state.Part, keep func(registry.Issued) bool) ([]registry.Issued, []byte, error) {
	var failed error
	all, next, err := r.below.CertificatesPart(p, kept(r.in, keep, InCertificate, &failed))
	return part(r.in, all, next, errors.Join(err, failed), InCertificate)
}

func (r registryReader) Unnamed() ([]registry.Unnamed, error) {
	all, err := r.below.Unnamed()
	return many(r.in, all, err, InUnnamed)
}

func (r approvalReader) Request(id string) (approvals.Request, error) {
	q, err := r.below.Request(id)
	return one(r.in, q, err, InRequest)
}

func (r approvalReader) OpenRequests(app string, kind approvals.Kind) ([]approvals.Request, error) {
	all, err := r.below.OpenRequests(app, kind)
	return many(r.in, all, err, InRequest)
}

func (r approvalReader) AskedFor(app, capability string) ([]approvals.Request, error) {
	all, err := r.below.AskedFor(app, capability)
	return many(r.in, all, err, InRequest)
}

func (r approvalReader) AskedBefore(app string, release int, approved bool) (approvals.Request, error) {
	q, err := r.below.AskedBefore(app, release, approved)
	return one(r.in, q, err, InRequest)
}

func (r approvalReader) RequestsPart(app string, status approvals.Status, p state.Part) ([]approvals.Request, []byte, error) {
	all, next, err := r.below.RequestsPart(app, status, p)
	return part(r.in, all, next, err, InRequest)
}

func (r approvalReader) ReleaseRequests(app string, n int, p state.Part) ([]approvals.Request, []byte, error) {
	all, next, err := r.below.ReleaseRequests(app, n, p)
	return part(r.in, all, next, err, InRequest)
}

func (r approvalReader) Grant(id string) (approvals.Grant, error) {
	g, err := r.below.Grant(id)
	return one(r.in, g, err, InGrant)
}

func (r approvalReader) Grants(app string) ([]approvals.Grant, error) {
	all, err := r.below.Grants(app)
	return many(r.in, all, err, InGrant)
}

func (r approvalReader) GrantsPart(app string, p state.Part) ([]approvals.Grant, []byte, error) {
	all, next, err := r.below.GrantsPart(app, p)
	return part(r.in, all, next, err, InGrant)
}

func (r *reader) CredentialByHash(hash string) (access.Credential, error) {
	c, err := r.Reader.CredentialByHash(hash)
	return one(r, c, err, InCredential)
}

func (r *reader) Credentials(user string) ([]access.Credential, error) {
	id, err := r.id(user)
	if err != nil {
		return nil, err
	}
	all, err := r.Reader.Credentials(id)
	return many(r, all, err, InCredential)
}

func (r *reader) CredentialsPart(user string, kind access.CredentialKind, p state.Part) ([]access.Credential, []byte, error) {
	id, err := r.id(user)
	if err != nil {
		return nil, nil, err
	}
	all, next, err := r.Reader.CredentialsPart(id, kind, p)
	return part(r, all, next, err, InCredential)
}

func (r *reader) MadeWith(token string) ([]access.Credential, error) {
	all, err := r.Reader.MadeWith(token)
	return many(r, all, err, InCredential)
}

func (r *reader) Secret(app, name string) (secrets.Secret, error) {
	s, err := r.Reader.Secret(app, name)
	return one(r, s, err, InSecret)
}

func (r *reader) Secrets(app string) ([]secrets.Secret, error) {
	all, err := r.Reader.Secrets(app)
	return many(r, all, err, InSecret)
}

func (r *reader) SecretsPart(app string, p state.Part) ([]secrets.Secret, []byte, error) {
	all, next, err := r.Reader.SecretsPart(app, p)
	return part(r, all, next, err, InSecret)
}

func (r *reader) Attempt(user, key string) (a state.Attempt, found bool, err error) {
	id, err := r.id(user)
	if err != nil {
		return a, false, err
	}
	if a, found, err = r.Reader.Attempt(id, key); err != nil || !found {
		return a, found, err
	}
	a, err = one(r, a, err, InAttempt)
	return a, err == nil, err
}

func (r *reader) Attempts(user string) ([]state.Attempt, error) {
	id, err := r.id(user)
	if err != nil {
		return nil, err
	}
	all, err := r.Reader.Attempts(id)
	return many(r, all, err, InAttempt)
}

func (r *reader) Pauses(app string) ([]triggers.Pause, error) {
	all, err := r.Reader.Pauses(app)
	return many(r, all, err, InPause)
}

func (r *reader) Events(q state.EventQuery, sees func(abi.Event) (bool, error)) ([]abi.Event, abi.Rev, error) {
	look := sees
	if sees != nil {
		look = func(e abi.Event) (bool, error) {
			if err := inEvent(&e, r.name); err != nil {
				return false, err
			}
			return sees(e)
		}
	}
	all, next, err := r.Reader.Events(q, look)
	for i := range all {
		if err == nil {
			err = inEvent(&all[i], r.name)
		}
	}
	return all, next, err
}

func (r *reader) Count(kind state.CountKind, of string) (state.Count, error) {
	if ofPeople(kind) {
		id, err := r.id(of)
		if err != nil {
			return state.Count{}, err
		}
		of = id
	}
	return r.Reader.Count(kind, of)
}
