package boltstore

import (
	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
)

// audienceReader reads who may open apps.
type audienceReader struct{ in *reader }

// audienceWriter changes that.
type audienceWriter struct{ w *writer }

// Audience returns what was set for a tier of an app.
func (t audienceReader) Audience(app string, tier abi.Tier) (access.Audience, error) {
	return get[access.Audience](t.in.tx, bAudiences, key(app, string(tier)), access.ErrNoAudience)
}

// PutAudience stores who may open a tier of an app.
func (t audienceWriter) PutAudience(a access.Audience) error {
	return put(t.w, bAudiences, key(a.App, string(a.Tier)), a)
}

// AccessRequest returns the last request of a person for access to a tier of an app.
func (t audienceReader) AccessRequest(app string, tier abi.Tier, person string) (access.AccessRequest, error) {
	return get[access.AccessRequest](t.in.tx, bAccess, key(app, string(tier), person), access.ErrNoAccessRequest)
}

// AccessRequests lists the requests for access to an app, by tier and person.
func (t audienceReader) AccessRequests(app string) ([]access.AccessRequest, error) {
	return all[access.AccessRequest](t.in, bAccess, within(app))
}

// PutAccessRequest stores a request for access.
func (t audienceWriter) PutAccessRequest(q access.AccessRequest) error {
	return put(t.w, bAccess, key(q.App, string(q.Tier), q.Person), q)
}

// openAsBefore writes down that the apps of a file of a format before 7 are public: before there were
// audiences, whoever reached an address could call what it led to.
func openAsBefore(w *writer) error {
	return rewrite(w, bApps, func(a *registry.App) error {
		for _, tier := range abi.Tiers() {
			k := key(a.Name, string(tier))
			as := access.Audience{App: a.Name, Tier: tier, Kind: access.AudiencePublic, By: "node"}
			if err := put(w, bAudiences, k, as); err != nil {
				return err
			}
		}
		return nil
	})
}
