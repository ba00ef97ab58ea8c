package boltstore

import (
	"fmt"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

var (
	_ registry.Tx  = (*Tx)(nil)
	_ approvals.Tx = (*Tx)(nil)
	_ access.Tx    = (*Tx)(nil)
)

// App reads an app.
func (t *Tx) App(name string) (registry.App, error) {
	return get[registry.App](t.tx, bApps, key(name), registry.ErrNotFound)
}

// Apps lists apps by name.
func (t *Tx) Apps() ([]registry.App, error) { return list[registry.App](t.tx, bApps, nil) }

// PutApp stores an app.
func (t *Tx) PutApp(a registry.App) error { return put(t.w, bApps, key(a.Name), a) }

func releaseKey(app string, n int) []byte { return key(app, number(uint64(n))) }

// Release reads a release.
func (t *Tx) Release(app string, n int) (registry.Release, error) {
	return get[registry.Release](t.tx, bReleases, releaseKey(app, n), registry.ErrNotFound)
}

// Releases lists an app's releases, newest first.
func (t *Tx) Releases(app string) ([]registry.Release, error) {
	all, err := list[registry.Release](t.tx, bReleases, append(key(app), 0))
	slices.Reverse(all)
	return all, err
}

// AddRelease stores a new release, whose number must be the next of its app.
func (t *Tx) AddRelease(r registry.Release) error {
	_, err := t.Release(r.App, r.Number)
	if err == nil {
		return fmt.Errorf("release %d of %q: %w", r.Number, r.App, registry.ErrExists)
	}
	if err != registry.ErrNotFound {
		return err
	}
	for _, d := range []registry.Digest{r.Digest, r.Bundle} {
		if err := t.w.remove(bUnnamed, key(string(d))); err != nil {
			return err
		}
	}
	return put(t.w, bReleases, releaseKey(r.App, r.Number), r)
}

// Activations lists an app's routes, newest first.
func (t *Tx) Activations(app string) ([]registry.Activation, error) {
	all, err := list[registry.Activation](t.tx, bActivations, append(key(app), 0))
	slices.Reverse(all)
	return all, err
}

// AddActivation appends to an app's routes.
func (t *Tx) AddActivation(a registry.Activation) error {
	n, err := t.sequence(bActivations)
	if err != nil {
		return err
	}
	return put(t.w, bActivations, key(a.App, number(n)), a)
}

func (t *Tx) sequence(bucket string) (uint64, error) { return t.w.next(bucket) }

// Key reads a public key.
func (t *Tx) Key(hint string) (registry.Key, error) {
	return get[registry.Key](t.tx, bKeys, key(hint), registry.ErrNotFound)
}

// Keys lists public keys by hint.
func (t *Tx) Keys() ([]registry.Key, error) { return list[registry.Key](t.tx, bKeys, nil) }

// PutKey stores a public key.
func (t *Tx) PutKey(k registry.Key) error { return put(t.w, bKeys, key(k.Hint), k) }

// DeleteKey forgets a public key.
func (t *Tx) DeleteKey(hint string) error {
	if _, err := t.Key(hint); err != nil {
		return err
	}
	return t.w.remove(bKeys, key(hint))
}

// NextRequest numbers requests.
func (t *Tx) NextRequest() (string, error) {
	n, err := t.sequence(bRequests)
	return fmt.Sprintf("req-%d", n), err
}

// requestKey sorts req-2 before req-10.
func requestKey(id string) []byte {
	var n uint64
	if _, err := fmt.Sscanf(id, "req-%d", &n); err != nil || fmt.Sprintf("req-%d", n) != id {
		return key("?", id)
	}
	return key(number(n))
}

// Request reads a request.
func (t *Tx) Request(id string) (approvals.Request, error) {
	return get[approvals.Request](t.tx, bRequests, requestKey(id), approvals.ErrNotFound)
}

// Requests lists requests, newest first.
func (t *Tx) Requests() ([]approvals.Request, error) {
	all, err := list[approvals.Request](t.tx, bRequests, nil)
	slices.Reverse(all)
	return all, err
}

// PutRequest stores a request.
func (t *Tx) PutRequest(q approvals.Request) error {
	return put(t.w, bRequests, requestKey(q.ID), q)
}

// Grant reads a grant.
func (t *Tx) Grant(id string) (approvals.Grant, error) {
	return get[approvals.Grant](t.tx, bGrants, key(id), approvals.ErrNotFound)
}

// Grants lists the grants of one app or, for "", of all, newest first.
func (t *Tx) Grants(app string) ([]approvals.Grant, error) {
	all, err := list[approvals.Grant](t.tx, bGrants, nil)
	all = slices.DeleteFunc(all, func(g approvals.Grant) bool { return app != "" && g.App != app })
	slices.SortStableFunc(all, func(a, b approvals.Grant) int { return b.Created.Compare(a.Created) })
	return all, err
}

// PutGrant stores a grant.
func (t *Tx) PutGrant(g approvals.Grant) error { return put(t.w, bGrants, key(g.ID), g) }

// User reads a user.
func (t *Tx) User(name string) (access.User, error) {
	return get[access.User](t.tx, bUsers, key(name), access.ErrNotFound)
}

// Users lists users by name.
func (t *Tx) Users() ([]access.User, error) { return list[access.User](t.tx, bUsers, nil) }

// PutUser stores a user.
func (t *Tx) PutUser(u access.User) error { return put(t.w, bUsers, key(u.Name), u) }

// CredentialByHash reads a credential.
func (t *Tx) CredentialByHash(hash string) (access.Credential, error) {
	return get[access.Credential](t.tx, bCredentials, key(hash), access.ErrNotFound)
}

// Credentials lists the credentials of one user or, for "", of all, oldest first.
func (t *Tx) Credentials(user string) ([]access.Credential, error) {
	var all []access.Credential
	var err error
	if user == "" {
		all, err = list[access.Credential](t.tx, bCredentials, nil)
	} else {
		all, err = t.credentialsOf(user)
	}
	slices.SortStableFunc(all, func(a, b access.Credential) int { return a.Created.Compare(b.Created) })
	return all, err
}

// credentialsOf reads those of one user alone.
func (t *Tx) credentialsOf(user string) ([]access.Credential, error) {
	var all []access.Credential
	var err error
	below(t.tx, key(countOf, user, ""), func(hash string) bool {
		var c access.Credential
		c, err = t.CredentialByHash(hash)
		all = append(all, c)
		return err == nil
	})
	return all, err
}

// PutCredential stores a credential, and forgets those that have expired.
func (t *Tx) PutCredential(c access.Credential) error {
	if err := t.forgetExpired(); err != nil {
		return err
	}
	return put(t.w, bCredentials, key(c.Hash), c)
}

// DeleteCredential forgets a credential.
func (t *Tx) DeleteCredential(hash string) error {
	if _, err := t.CredentialByHash(hash); err != nil {
		return err
	}
	return t.w.remove(bCredentials, key(hash))
}
