package statetest

import (
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

func (r *reader) Provisioned(provider, person string) (access.Provisioned, error) {
	return get[access.Provisioned](r.tables, "provisioned", key(provider, person), access.ErrNotProvisioned)
}

func (r *reader) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	return r.oneProvisioned(func(p access.Provisioned) bool {
		return external != "" && p.Provider == provider && p.External == external
	})
}

func (r *reader) ProvisionedNamed(provider, userName string) (access.Provisioned, error) {
	return r.oneProvisioned(func(p access.Provisioned) bool {
		return p.Provider == provider && p.Deleted.IsZero() && access.FoldUserName(p.UserName) == access.FoldUserName(userName)
	})
}

func (r *reader) oneProvisioned(is func(access.Provisioned) bool) (access.Provisioned, error) {
	all, err := byKey(r.tables, "provisioned", is)
	if err == nil && len(all) == 0 {
		err = access.ErrNotProvisioned
	}
	if err != nil {
		return access.Provisioned{}, err
	}
	return all[0].value, nil
}

func (r *reader) ProvisionedFrom(provider string, skip, limit int) ([]access.Provisioned, error) {
	all, err := byKey(r.tables, "provisioned", func(p access.Provisioned) bool { return p.Provider == provider && p.Deleted.IsZero() })
	people, err := whole(all, err, false)
	people = people[min(skip, len(people)):]
	if limit >= 0 {
		people = people[:min(limit, len(people))]
	}
	return people, err
}

func (r *reader) Provisioning(provider string) (access.Provisioning, error) {
	return get[access.Provisioning](r.tables, "provisionings", provider, access.ErrNoProvisioning)
}

func (r *reader) Provisionings() ([]access.Provisioning, error) {
	all, err := byKey[access.Provisioning](r.tables, "provisionings", nil)
	return whole(all, err, false)
}

func (r *reader) Absent() ([]access.User, error) {
	all, err := byKey(r.tables, "users", func(u access.User) bool { return slices.ContainsFunc(u.Delegations, access.Delegation.IsAbsence) })
	return whole(all, err, false)
}

func (r *reader) ServiceAccounts(sponsor string) ([]access.User, error) {
	all, err := byKey(r.tables, "users", func(u access.User) bool {
		return u.Sponsor != "" && (sponsor == "" || u.Sponsor == sponsor)
	})
	return whole(all, err, false)
}

func (t *transaction) PutProvisioned(p access.Provisioned) error {
	return t.put("provisioned", key(p.Provider, p.Person), p)
}

func (t *transaction) PutProvisioning(p access.Provisioning) error {
	return t.put("provisionings", p.Provider, p)
}

func (r *recorder) PutProvisioned(p access.Provisioned) error {
	r.note("provisioned ", p.Provider, p.UserName, p.External, p.Active)
	return r.Tx.PutProvisioned(p)
}

func (r *recorder) PutProvisioning(p access.Provisioning) error {
	r.note("provisioning ", p.Provider, len(p.Conflicts))
	return r.Tx.PutProvisioning(p)
}

// provisioned is a person, of whom two may have one key, in the order of their people.
func (a act) provisioned() access.Provisioned {
	p := access.Provisioned{Provider: a.App, Person: a.Person, External: []string{"", "k", "key", "k"}[a.Choice], UserName: a.Text, Active: a.Number%2 == 0, Created: a.at()}
	if a.At > 7 {
		p.Deleted = a.at()
	}
	return p
}

func (a act) provisioning() access.Provisioning {
	return access.Provisioning{Provider: a.App, By: a.Person, Created: a.at(), Conflicts: []access.Conflict{{UserName: a.Text, Person: a.Person, Last: a.at()}}}
}

// dumpProvider writes what is found of a provider of a name.
func dumpProvider(r state.Reader, name string) string {
	one, err := r.Provisioning(name)
	all, allErr := r.Provisionings()
	people, peopleErr := r.ProvisionedFrom(name, 0, -1)
	second, secondErr := r.ProvisionedFrom(name, 1, 1)
	none, noneErr := r.ProvisionedFrom(name, 10, 5)
	text := said(one, err) + list(all, allErr) + list(people, peopleErr) + list(second, secondErr) + list(none, noneErr)
	for _, person := range []string{"ada", "ada2", "absent"} {
		p, err := r.Provisioned(name, person)
		text += said(p, err)
	}
	for _, userName := range []string{"", "X", "absent"} {
		p, err := r.ProvisionedNamed(name, userName)
		text += said(p, err)
	}
	for _, external := range []string{"", "k", "key", "absent"} {
		p, err := r.ProvisionedAs(name, external)
		text += said(p, err)
	}
	for _, provider := range []string{"a", "shop"} {
		p, err := r.Provisioned(provider, name)
		text += said(p, err)
	}
	return text
}
