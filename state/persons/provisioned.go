package persons

import (
	"slices"

	"github.com/agora-host/agora/access"
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

func (r *reader) Provisioned(provider, person string) (p access.Provisioned, err error) {
	id, err := r.id(person)
	if err != nil {
		return p, err
	}
	p, err = r.Reader.Provisioned(provider, id)
	return one(r, p, err, InProvisioned)
}

func (r *reader) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	p, err := r.Reader.ProvisionedAs(provider, external)
	return one(r, p, err, InProvisioned)
}

func (r *reader) ProvisionedNamed(provider, userName string) (access.Provisioned, error) {
	p, err := r.Reader.ProvisionedNamed(provider, userName)
	return one(r, p, err, InProvisioned)
}

func (r *reader) ProvisionedFrom(provider string, skip, limit int) ([]access.Provisioned, error) {
	all, err := r.Reader.ProvisionedFrom(provider, skip, limit)
	return many(r, all, err, InProvisioned)
}

func (r *reader) Provisioning(provider string) (access.Provisioning, error) {
	p, err := r.Reader.Provisioning(provider)
	return one(r, p, err, InProvisioning)
}

func (r *reader) Provisionings() ([]access.Provisioning, error) {
	all, err := r.Reader.Provisionings()
	return many(r, all, err, InProvisioning)
}

func (t *transaction) PutProvisioned(p access.Provisioned) error {
	return put(t, p, InProvisioned, t.tx.PutProvisioned)
}

func (t *transaction) PutProvisioning(p access.Provisioning) error {
	return put(t, p, InProvisioning, t.tx.PutProvisioning)
}
