package boltstore

import (
	"os"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// Provisioned reads a person as a provider tells of them.
func (t *reader) Provisioned(provider, person string) (access.Provisioned, error) {
	return get[access.Provisioned](t.tx, bProvisioned, key(provider, person), access.ErrNotProvisioned)
}

// ProvisionedAs reads the person whom a provider knows by a key.
func (t *reader) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	if external == "" {
		return access.Provisioned{}, access.ErrNotProvisioned
	}
	return t.oneProvisioned(within(byExternal, provider, external))
}

// ProvisionedNamed reads the person whom a provider knows by a user name.
func (t *reader) ProvisionedNamed(provider, userName string) (access.Provisioned, error) {
	return t.oneProvisioned(within(byUserName, provider, access.FoldUserName(userName)))
}

// oneProvisioned reads the first person that a part of the index leads to.
func (t *reader) oneProvisioned(prefix []byte) (access.Provisioned, error) {
	found, _, err := pageBy[access.Provisioned](t, bProvisioned, prefix, state.Part{Limit: 1}, false)
	if err == nil && len(found) == 0 {
		err = access.ErrNotProvisioned
	}
	if err != nil {
		return access.Provisioned{}, err
	}
	return found[0], nil
}

// ProvisionedFrom lists people of a provider. Those that are left out are not read.
func (t *reader) ProvisionedFrom(provider string, skip, limit int) (people []access.Provisioned, err error) {
	prefix := within(byProvider, provider)
	for e, record := range t.tx.Under(bIndex, prefix) {
		if len(people) == limit || t.ctx.Err() != nil {
			return people, t.ctx.Err()
		}
		if skip > 0 {
			skip--
			continue
		}
		k, err := unseal(bIndex, e, record)
		if err != nil {
			return nil, err
		}
		p, err := get[access.Provisioned](t.tx, bProvisioned, k, os.ErrNotExist)
		if err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	return people, nil
}

// PutProvisioned stores a person as a provider tells of them.
func (t *transaction) PutProvisioned(p access.Provisioned) error {
	return put(t.w, bProvisioned, key(p.Provider, p.Person), p)
}

// Provisioning reads the record of a provider.
func (t *reader) Provisioning(provider string) (access.Provisioning, error) {
	return get[access.Provisioning](t.tx, bProvisionings, key(provider), access.ErrNoProvisioning)
}

// Provisionings lists the providers, by name.
func (t *reader) Provisionings() ([]access.Provisioning, error) {
	return all[access.Provisioning](t, bProvisionings, nil)
}

// PutProvisioning stores the record of a provider.
func (t *transaction) PutProvisioning(p access.Provisioning) error {
	return put(t.w, bProvisionings, key(p.Provider), p)
}

// entriesOfProvisioned are the entries of a person as a provider tells of them.
func entriesOfProvisioned(f fields) (entries [][]byte) {
	if f.Deleted.IsZero() {
		entries = append(entries, key(byProvider, f.Provider, f.Person), key(byUserName, f.Provider, access.FoldUserName(f.UserName), f.Person))
	}
	if f.External != "" {
		entries = append(entries, key(byExternal, f.Provider, f.External, f.Person))
	}
	return entries
}
