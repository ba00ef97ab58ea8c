package boltstore

import (
	"errors"
	"fmt"
	"iter"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

var (
	_ state.Reader = (*reader)(nil)
	_ state.Tx     = (*transaction)(nil)
)

// App reads an app.
func (t registryReader) App(name string) (registry.App, error) {
	return get[registry.App](t.in.tx, bApps, key(name), registry.ErrNoApp)
}

// Apps lists apps by name.
func (t registryReader) Apps() ([]registry.App, error) { return all[registry.App](t.in, bApps, nil) }

// AppsPart lists a part of the apps for which keep returns true, by name.
func (t registryReader) AppsPart(p state.Part, keep func(registry.App) bool) ([]registry.App, []byte, error) {
	return page(t.in, bApps, nil, p, false, keep)
}

// NumberOfApps returns how many apps there are.
func (t registryReader) NumberOfApps() (int, error) {
	n, err := t.in.tx.Count(bApps)
	return int(n), err
}

// PutApp stores an app. If another group owns it than before, its releases count for that one.
func (t *transaction) PutApp(a registry.App) error {
	was, err := t.App(a.Name)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if was.Group != a.Group {
		if err := groupReleasesOf(t.w, a.Name, a.Group); err != nil {
			return err
		}
	}
	return put(t.w, bApps, key(a.Name), a)
}

func releaseKey(app string, n int) []byte { return key(app, number(uint64(n))) }

// Release reads a release.
func (t registryReader) Release(app string, n int) (registry.Release, error) {
	return get[registry.Release](t.in.tx, bReleases, releaseKey(app, n), registry.ErrNoRelease)
}

// ReleasesPart lists a part of an app's releases, newest first.
func (t registryReader) ReleasesPart(app string, p state.Part) ([]registry.Release, []byte, error) {
	return page[registry.Release](t.in, bReleases, within(app), p, true, nil)
}

// AddRelease stores a new release, whose number must be the next of its app.
func (t *transaction) AddRelease(r registry.Release) error {
	_, err := t.Release(r.App, r.Number)
	if err == nil {
		return fmt.Errorf("release %d of %q: %w", r.Number, r.App, registry.ErrExists)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	of, err := t.App(r.App)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	r.Group = of.Group
	for _, d := range []registry.Digest{r.Digest, r.Bundle} {
		if err := t.w.remove(bUnnamed, key(string(d))); err != nil {
			return err
		}
	}
	return put(t.w, bReleases, releaseKey(r.App, r.Number), r)
}

// ActivationsPart lists a part of an app's routes, newest first.
func (t registryReader) ActivationsPart(app string, p state.Part) ([]registry.Activation, []byte, error) {
	return page[registry.Activation](t.in, bActivations, within(app), p, true, nil)
}

// TierActivations yields the routes of one tier of an app, newest first. They are read as they
// are asked for.
func (t registryReader) TierActivations(app string, tier abi.Tier) iter.Seq2[registry.Activation, error] {
	return func(yield func(registry.Activation, error) bool) {
		p := state.Part{Limit: 16}
		for {
			part, next, err := pageBy[registry.Activation](t.in, bActivations, within(byTier, app, string(tier)), p, true)
			for _, a := range part {
				if !yield(a, nil) {
					return
				}
			}
			if err != nil {
				yield(registry.Activation{}, err)
			}
			if p.After = next; next == nil {
				return
			}
		}
	}
}

// AddActivation appends to an app's routes.
func (t *transaction) AddActivation(a registry.Activation) error {
	n, err := t.w.next(bActivations)
	if err != nil {
		return err
	}
	return put(t.w, bActivations, key(a.App, number(n)), a)
}

// Key reads a public key.
func (t registryReader) Key(hint string) (registry.Key, error) {
	return get[registry.Key](t.in.tx, bKeys, key(hint), registry.ErrNoKey)
}

// KeysPart lists a part of the public keys, by hint.
func (t registryReader) KeysPart(p state.Part) ([]registry.Key, []byte, error) {
	return page[registry.Key](t.in, bKeys, nil, p, false, nil)
}

// PutKey stores a public key.
func (t *transaction) PutKey(k registry.Key) error { return put(t.w, bKeys, key(k.Hint), k) }

// DeleteKey forgets a public key.
func (t *transaction) DeleteKey(hint string) error {
	if _, err := t.Key(hint); err != nil {
		return err
	}
	return t.w.remove(bKeys, key(hint))
}

// NextRequest numbers requests.
func (t *transaction) NextRequest() (string, error) {
	n, err := t.w.next(bRequests)
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
func (t approvalReader) Request(id string) (approvals.Request, error) {
	return get[approvals.Request](t.in.tx, bRequests, requestKey(id), approvals.ErrNoRequest)
}

// OpenRequests lists the requests of a kind and an app that wait, newest first.
func (t approvalReader) OpenRequests(app string, kind approvals.Kind) ([]approvals.Request, error) {
	found, _, err := pageBy[approvals.Request](t.in, bRequests, within(byOpen, app, string(kind)), state.Part{Limit: -1}, true)
	return found, err
}

// AskedFor lists the requests for grants of a capability to an app, newest first.
func (t approvalReader) AskedFor(app, capability string) ([]approvals.Request, error) {
	found, _, err := pageBy[approvals.Request](t.in, bRequests, within(byAsked, app, capability), state.Part{Limit: -1}, true)
	return found, err
}

// AskedBefore returns the last request about the newest release of an app before one that was
// asked about or, with approved, that was approved; approvals.ErrNotFound if there is none.
func (t approvalReader) AskedBefore(app string, release int, approved bool) (approvals.Request, error) {
	by := byRelease
	if approved {
		by = byApproved
	}
	found, _, err := pageBy[approvals.Request](t.in, bRequests, within(by, app), state.Part{After: []byte(number(uint64(release))), Limit: 1}, true)
	if err == nil && len(found) == 0 {
		err = approvals.ErrNoRequest
	}
	if err != nil {
		return approvals.Request{}, err
	}
	return found[0], nil
}

// CountOpen returns how many requests of an app wait or, for "", of all.
func (t approvalReader) CountOpen(app string) (int, error) {
	if app == "" {
		return countEntries(t.in, within(byStatus, string(approvals.StatusOpen)))
	}
	return countEntries(t.in, within(byAppStatus, app, string(approvals.StatusOpen)))
}

// RequestsPart lists a part of the requests of an app ("" for all) in a status ("" for all),
// newest first.
func (t approvalReader) RequestsPart(app string, status approvals.Status, p state.Part) ([]approvals.Request, []byte, error) {
	switch {
	case app == "" && status == "":
		return page[approvals.Request](t.in, bRequests, nil, p, true, nil)
	case app == "":
		return pageBy[approvals.Request](t.in, bRequests, within(byStatus, string(status)), p, true)
	case status == "":
		return pageBy[approvals.Request](t.in, bRequests, within(byApp, app), p, true)
	}
	return pageBy[approvals.Request](t.in, bRequests, within(byAppStatus, app, string(status)), p, true)
}

// ReleaseRequests lists a part of the requests that name a release, newest first.
func (t approvalReader) ReleaseRequests(app string, n int, p state.Part) ([]approvals.Request, []byte, error) {
	return pageBy[approvals.Request](t.in, bRequests, within(byRelease, app, number(uint64(n))), p, true)
}

// PutRequest stores a request.
func (t *transaction) PutRequest(q approvals.Request) error {
	return put(t.w, bRequests, requestKey(q.ID), q)
}

// Grant reads a grant.
func (t approvalReader) Grant(id string) (approvals.Grant, error) {
	return get[approvals.Grant](t.in.tx, bGrants, key(id), approvals.ErrNoGrant)
}

// Grants lists the grants of an app that are not revoked, newest first.
func (t approvalReader) Grants(app string) ([]approvals.Grant, error) {
	found, _, err := pageBy[approvals.Grant](t.in, bGrants, within(byLive, app), state.Part{Limit: -1}, true)
	return found, err
}

// GrantsPart lists a part of the grants of one app or, for "", of all, newest first.
func (t approvalReader) GrantsPart(app string, p state.Part) ([]approvals.Grant, []byte, error) {
	if app == "" {
		return pageBy[approvals.Grant](t.in, bGrants, within(byGranted), p, true)
	}
	return pageBy[approvals.Grant](t.in, bGrants, within(byGrantApp, app), p, true)
}

// PutGrant stores a grant.
func (t *transaction) PutGrant(g approvals.Grant) error { return put(t.w, bGrants, key(g.ID), g) }

// User reads a user.
func (t *reader) User(name string) (access.User, error) {
	return get[access.User](t.tx, bUsers, key(name), access.ErrNoUser)
}

// Users lists users by name.
func (t *reader) Users() ([]access.User, error) { return all[access.User](t, bUsers, nil) }

// UsersPart lists a part of the users, by name.
func (t *reader) UsersPart(p state.Part) ([]access.User, []byte, error) {
	return page[access.User](t, bUsers, nil, p, false, nil)
}

// Person returns whom a text refers to.
func (t *reader) Person(text string) (access.Identity, error) {
	return get[access.Identity](t.tx, bPersons, key(text), access.ErrNoUser)
}

// PutUser stores a user, and whom all that refers to them leads to.
func (t *transaction) PutUser(u access.User) error {
	was, err := t.Person(u.ID)
	if err != nil && !errors.Is(err, access.ErrNotFound) {
		return err
	}
	if err == nil && was.Name != u.Name {
		if err := t.w.remove(bUsers, key(was.Name)); err != nil {
			return err
		}
	}
	if u.ID != "" {
		for _, text := range u.References() {
			if err := put(t.w, bPersons, key(text), access.Identity{ID: u.ID, Name: u.Name}); err != nil {
				return err
			}
		}
	}
	return put(t.w, bUsers, key(u.Name), u)
}

// CredentialByHash reads a credential.
func (t *reader) CredentialByHash(hash string) (access.Credential, error) {
	return get[access.Credential](t.tx, bCredentials, key(hash), access.ErrNoToken)
}

// Credentials lists the credentials of a user, by kind, oldest first.
func (t *reader) Credentials(user string) ([]access.Credential, error) {
	found, _, err := pageBy[access.Credential](t, bCredentials, within(byUser, user), state.Part{Limit: -1}, false)
	return found, err
}

// MadeWith lists the credentials that were made with a token.
func (t *reader) MadeWith(token string) ([]access.Credential, error) {
	found, _, err := pageBy[access.Credential](t, bCredentials, within(byParent, token), state.Part{Limit: -1}, false)
	return found, err
}

// CredentialsPart lists a part of the credentials of a user that are of one kind, oldest first.
func (t *reader) CredentialsPart(user string, kind access.CredentialKind, p state.Part) ([]access.Credential, []byte, error) {
	return pageBy[access.Credential](t, bCredentials, within(byUser, user, string(kind)), p, false)
}

// PutCredential stores a credential.
func (t *transaction) PutCredential(c access.Credential) error {
	return put(t.w, bCredentials, key(c.Hash), c)
}

// DeleteCredential forgets a credential.
func (t *transaction) DeleteCredential(hash string) error {
	if _, err := t.CredentialByHash(hash); err != nil {
		return err
	}
	return t.w.remove(bCredentials, key(hash))
}
