package boltstore

import (
	"os"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// provisionReader reads what providers tell, for a reader.
type provisionReader struct{ in *reader }

// provisionWriter changes it, for a transaction.
type provisionWriter struct{ w *writer }

// Provisioned reads a person as a provider tells of them.
func (p provisionReader) Provisioned(provider, person string) (access.Provisioned, error) {
	return get[access.Provisioned](p.in.tx, bProvisioned, key(provider, person), access.ErrNotProvisioned)
}

// ProvisionedAs reads the person whom a provider knows by a key.
func (p provisionReader) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	if external == "" {
		return access.Provisioned{}, access.ErrNotProvisioned
	}
	return p.oneProvisioned(within(byExternal, provider, external))
}

// ProvisionedNamed reads the person whom a provider knows by a user name.
func (p provisionReader) ProvisionedNamed(provider, userName string) (access.Provisioned, error) {
	return p.oneProvisioned(within(byUserName, provider, access.FoldUserName(userName)))
}

// oneProvisioned reads the first person that a part of the index leads to.
func (p provisionReader) oneProvisioned(prefix []byte) (access.Provisioned, error) {
	found, _, err := pageBy[access.Provisioned](p.in, bProvisioned, prefix, state.Part{Limit: 1}, false)
	if err == nil && len(found) == 0 {
		err = access.ErrNotProvisioned
	}
	if err != nil {
		return access.Provisioned{}, err
	}
	return found[0], nil
}

// ProvisionedFrom lists people of a provider. Those that are left out are not read.
func (p provisionReader) ProvisionedFrom(provider string, skip, limit int) (people []access.Provisioned, err error) {
	prefix := within(byProvider, provider)
	for e, record := range p.in.tx.Under(bIndex, prefix) {
		if len(people) == limit || p.in.ctx.Err() != nil {
			return people, p.in.ctx.Err()
		}
		if skip > 0 {
			skip--
			continue
		}
		k, err := unseal(bIndex, e, record)
		if err != nil {
			return nil, err
		}
		v, err := get[access.Provisioned](p.in.tx, bProvisioned, k, os.ErrNotExist)
		if err != nil {
			return nil, err
		}
		people = append(people, v)
	}
	return people, nil
}

// PutProvisioned stores a person as a provider tells of them.
func (p provisionWriter) PutProvisioned(v access.Provisioned) error {
	return put(p.w, bProvisioned, key(v.Provider, v.Person), v)
}

// Provisioning reads the record of a provider.
func (p provisionReader) Provisioning(provider string) (access.Provisioning, error) {
	return get[access.Provisioning](p.in.tx, bProvisionings, key(provider), access.ErrNoProvisioning)
}

// Provisionings lists the providers, by name.
func (p provisionReader) Provisionings() ([]access.Provisioning, error) {
	return all[access.Provisioning](p.in, bProvisionings, nil)
}

// PutProvisioning stores the record of a provider.
func (p provisionWriter) PutProvisioning(v access.Provisioning) error {
	return put(p.w, bProvisionings, key(v.Provider), v)
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
