package persons

import (
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// InProvisioned returns where what a provider tells of a person refers to people.
func InProvisioned(p *access.Provisioned) []*string { return []*string{&p.Person} }

// InProvisioning returns where the record of a provider refers to people.
func InProvisioning(p *access.Provisioning) []*string {
	all := []*string{&p.By}
	p.Conflicts = slices.Clone(p.Conflicts)
	for i := range p.Conflicts {
		all = append(all, &p.Conflicts[i].Person)
	}
	return all
}

// provisionReader reads what providers tell of people, for a reader.
type provisionReader struct {
	below state.Reader
	names *reader
}

func (r provisionReader) Provisioned(provider, person string) (p access.Provisioned, err error) {
	id, err := r.names.id(person)
	if err != nil {
		return p, err
	}
	p, err = r.below.Provisioned(provider, id)
	return one(r.names, p, err, InProvisioned)
}

func (r provisionReader) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	p, err := r.below.ProvisionedAs(provider, external)
	return one(r.names, p, err, InProvisioned)
}

func (r provisionReader) ProvisionedNamed(provider, userName string) (access.Provisioned, error) {
	p, err := r.below.ProvisionedNamed(provider, userName)
	return one(r.names, p, err, InProvisioned)
}

func (r provisionReader) ProvisionedFrom(provider string, skip, limit int) ([]access.Provisioned, error) {
	all, err := r.below.ProvisionedFrom(provider, skip, limit)
	return many(r.names, all, err, InProvisioned)
}

func (r provisionReader) Provisioning(provider string) (access.Provisioning, error) {
	p, err := r.below.Provisioning(provider)
	return one(r.names, p, err, InProvisioning)
}

func (r provisionReader) Provisionings() ([]access.Provisioning, error) {
	all, err := r.below.Provisionings()
	return many(r.names, all, err, InProvisioning)
}

func (t *transaction) PutProvisioned(p access.Provisioned) error {
	return put(t, p, InProvisioned, t.tx.PutProvisioned)
}

func (t *transaction) PutProvisioning(p access.Provisioning) error {
	return put(t, p, InProvisioning, t.tx.PutProvisioning)
}
