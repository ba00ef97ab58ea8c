package statetest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// reader reads one revision.
type reader struct {
	*tables
	at time.Time
}

func (r *reader) App(name string) (registry.App, error) {
	return get[registry.App](r.tables, "apps", name, registry.ErrNoApp)
}

func (r *reader) Apps() ([]registry.App, error) {
	all, err := byKey[registry.App](r.tables, "apps", nil)
	return whole(all, err, false)
}

func (r *reader) NumberOfApps() (int, error) { return len(r.rows["apps"]), nil }

func (r *reader) AppsPart(p state.Part, keep func(registry.App) bool) ([]registry.App, []byte, error) {
	all, err := byKey(r.tables, "apps", keep)
	return part(all, err, p, false)
}

func (r *reader) Release(app string, n int) (registry.Release, error) {
	return get[registry.Release](r.tables, "releases", key(app, number(n)), registry.ErrNoRelease)
}

func (r *reader) ReleaseNumbers(app string) (numbers []int, err error) {
	all, _, err := r.ReleasesPart(app, state.Part{Limit: -1})
	for _, v := range all {
		numbers = append(numbers, v.Number)
	}
	return numbers, err
}

func (r *reader) ReleasesPart(app string, p state.Part) ([]registry.Release, []byte, error) {
	all, err := byKey(r.tables, "releases", func(v registry.Release) bool { return v.App == app })
	return part(all, err, p, true)
}

func (r *reader) ActivationsPart(app string, p state.Part) ([]registry.Activation, []byte, error) {
	all, err := byKey(r.tables, "activations", func(v registry.Activation) bool { return v.App == app })
	return part(all, err, p, true)
}

func (r *reader) TierActivations(app string, tier abi.Tier) iter.Seq2[registry.Activation, error] {
	return func(yield func(registry.Activation, error) bool) {
		all, _, err := r.ActivationsPart(app, state.Part{Limit: -1})
		for a := range registry.OfTier(all, tier) {
			if !yield(a, nil) {
				return
			}
		}
		if err != nil {
			yield(registry.Activation{}, err)
		}
	}
}

func (r *reader) Key(hint string) (registry.Key, error) {
	return get[registry.Key](r.tables, "keys", hint, registry.ErrNoKey)
}

func (r *reader) KeysPart(p state.Part) ([]registry.Key, []byte, error) {
	all, err := byKey[registry.Key](r.tables, "keys", nil)
	return part(all, err, p, false)
}

func (r *reader) HostName(host string) (registry.HostName, error) {
	return get[registry.HostName](r.tables, "hosts", host, registry.ErrNotFound)
}

func (r *reader) HostNamesPart(p state.Part) ([]registry.HostName, []byte, error) {
	all, err := byKey[registry.HostName](r.tables, "hosts", nil)
	return part(all, err, p, false)
}

func (r *reader) Named(d registry.Digest) (bool, error) {
	all, err := byKey(r.tables, "releases", func(v registry.Release) bool { return v.Digest == d || v.Bundle == d })
	return len(all) > 0, err
}

func (r *reader) Unnamed() ([]registry.Unnamed, error) {
	all, err := byKey[registry.Unnamed](r.tables, "unnamed", nil)
	return whole(all, err, false)
}

func (r *reader) HostNamesOf(app string) ([]registry.HostName, error) {
	all, err := byKey(r.tables, "hosts", func(n registry.HostName) bool { return n.App == app })
	return whole(all, err, false)
}

func (r *reader) Certificate(id string) (registry.Issued, error) {
	return get[registry.Issued](r.tables, "certificates", number(numberOf("cert-", id)), registry.ErrNotFound)
}

func (r *reader) LastCertificate() (registry.Issued, error) {
	all, _, err := r.CertificatesPart(state.Part{Limit: 1}, nil)
	if err == nil && len(all) == 0 {
		err = registry.ErrNotFound
	}
	if err != nil {
		return registry.Issued{}, err
	}
	return all[0], nil
}

func (r *reader) CertificatesPart(p state.Part, keep func(registry.Issued) bool) ([]registry.Issued, []byte, error) {
	all, err := byKey(r.tables, "certificates", keep)
	return part(all, err, p, true)
}

// numberOf reads the number of an id such as "req-7"; 0 if it is no id.
func numberOf(prefix, id string) (n uint64) {
	if _, err := fmt.Sscanf(id, prefix+"%d", &n); err != nil || fmt.Sprintf("%s%d", prefix, n) != id {
		return 0
	}
	return n
}

func (r *reader) Request(id string) (approvals.Request, error) {
	return get[approvals.Request](r.tables, "requests", number(numberOf("req-", id)), approvals.ErrNoRequest)
}

func (r *reader) requests(keep func(approvals.Request) bool, p state.Part) ([]approvals.Request, []byte, error) {
	all, err := byKey(r.tables, "requests", keep)
	return part(all, err, p, true)
}

func (r *reader) allRequests(keep func(approvals.Request) bool) ([]approvals.Request, error) {
	all, _, err := r.requests(keep, state.Part{Limit: -1})
	return all, err
}

func (r *reader) RequestsPart(app string, status approvals.Status, p state.Part) ([]approvals.Request, []byte, error) {
	return r.requests(func(q approvals.Request) bool {
		return (app == "" || q.App == app) && (status == "" || q.Status == status)
	}, p)
}

func (r *reader) ReleaseRequests(app string, n int, p state.Part) ([]approvals.Request, []byte, error) {
	return r.requests(func(q approvals.Request) bool { return q.App == app && q.Release == n }, p)
}

func (r *reader) OpenRequests(app string, kind approvals.Kind) ([]approvals.Request, error) {
	return r.allRequests(func(q approvals.Request) bool {
		return q.App == app && q.Kind == kind && q.Status == approvals.StatusOpen
	})
}

func (r *reader) AskedFor(app, capability string) ([]approvals.Request, error) {
	return r.allRequests(func(q approvals.Request) bool {
		return q.App == app && q.Kind == approvals.KindGrant && q.Capability == capability
	})
}

func (r *reader) AskedBefore(app string, release int, approved bool) (approvals.Request, error) {
	all, err := r.allRequests(func(q approvals.Request) bool {
		return q.App == app && q.Release < release && (!approved || q.Status == approvals.StatusApproved)
	})
	slices.SortStableFunc(all, func(a, b approvals.Request) int { return b.Release - a.Release })
	if err == nil && len(all) == 0 {
		err = approvals.ErrNoRequest
	}
	if err != nil {
		return approvals.Request{}, err
	}
	return all[0], nil
}

func (r *reader) CountOpen(app string) (int, error) {
	all, _, err := r.RequestsPart(app, approvals.StatusOpen, state.Part{Limit: -1})
	return len(all), err
}

func (r *reader) Waiting(app string) (map[int]string, error) {
	all, _, err := r.RequestsPart(app, approvals.StatusOpen, state.Part{Limit: -1})
	waiting := map[int]string{}
	if err != nil {
		return nil, err
	}
	scheduled, _, err := r.RequestsPart(app, approvals.StatusScheduled, state.Part{Limit: -1})
	for _, q := range append(scheduled, all...) {
		waiting[q.Release] = q.ID
	}
	return waiting, err
}

func (r *reader) Grant(id string) (approvals.Grant, error) {
	return get[approvals.Grant](r.tables, "grants", id, approvals.ErrNoGrant)
}

func (r *reader) grants(p state.Part, keep func(approvals.Grant) bool) ([]approvals.Grant, []byte, error) {
	all, err := rows(r.tables, "grants", func(id string, g approvals.Grant) (string, bool) {
		return key(moment(g.Created), id), keep(g)
	})
	return part(all, err, p, true)
}

func (r *reader) Grants(app string) ([]approvals.Grant, error) {
	all, _, err := r.grants(state.Part{Limit: -1}, func(g approvals.Grant) bool { return g.App == app && g.Revoked.IsZero() })
	return all, err
}

func (r *reader) GrantsPart(app string, p state.Part) ([]approvals.Grant, []byte, error) {
	return r.grants(p, func(g approvals.Grant) bool { return app == "" || g.App == app })
}

func (r *reader) Used(app string, release int) ([]approvals.Used, error) {
	return get[[]approvals.Used](r.tables, "uses", key(app, number(release)), nil)
}

func (r *reader) UsedByAny(app string) ([]approvals.Used, error) { return r.Used(app, allReleases) }

func (r *reader) User(name string) (access.User, error) {
	return get[access.User](r.tables, "users", name, access.ErrNoUser)
}

func (r *reader) Person(text string) (access.Identity, error) {
	return get[access.Identity](r.tables, "persons", text, access.ErrNoUser)
}

func (r *reader) Users() ([]access.User, error) {
	all, _, err := r.UsersPart(state.Part{Limit: -1})
	return all, err
}

func (r *reader) UsersPart(p state.Part) ([]access.User, []byte, error) {
	all, err := byKey[access.User](r.tables, "users", nil)
	return part(all, err, p, false)
}

func (r *reader) CredentialByHash(hash string) (access.Credential, error) {
	return get[access.Credential](r.tables, "credentials", hash, access.ErrNotFound)
}

func (r *reader) credentials(keep func(access.Credential) bool) ([]row[access.Credential], error) {
	return rows(r.tables, "credentials", func(_ string, c access.Credential) (string, bool) {
		return key(string(c.Kind), moment(c.Created), c.ID), keep(c)
	})
}

func (r *reader) Credentials(user string) ([]access.Credential, error) {
	all, err := r.credentials(func(c access.Credential) bool { return c.User == user })
	return whole(all, err, false)
}

func (r *reader) CredentialsPart(user string, kind access.CredentialKind, p state.Part) ([]access.Credential, []byte, error) {
	all, err := r.credentials(func(c access.Credential) bool { return c.User == user && c.Kind == kind })
	return part(all, err, p, false)
}

func (r *reader) MadeWith(token string) ([]access.Credential, error) {
	all, err := r.credentials(func(c access.Credential) bool { return c.Parent != "" && c.Parent == token })
	return whole(all, err, false)
}

func (r *reader) EndedCredentials(now time.Time, most int) (hashes []string, err error) {
	all, err := rows(r.tables, "credentials", func(_ string, c access.Credential) (string, bool) {
		return key(number(int(c.Ends().Unix())), c.Hash), c.Ended(now)
	})
	for _, c := range all[:min(most, len(all))] {
		hashes = append(hashes, c.value.Hash)
	}
	return hashes, err
}

func (r *reader) Group(id string) (access.Group, error) {
	return get[access.Group](r.tables, "groups", id, access.ErrNoGroup)
}

func (r *reader) GroupsPart(p state.Part) ([]access.Group, []byte, error) {
	all, err := r.groups(func(access.Group) bool { return true })
	return part(all, err, p, false)
}

func (r *reader) groups(keep func(access.Group) bool) ([]row[access.Group], error) {
	return rows(r.tables, "groups", func(id string, g access.Group) (string, bool) {
		return key(access.FoldGroupName(g.Name), g.Source, id), keep(g)
	})
}

func (r *reader) GroupNamed(source, name string) (access.Group, error) {
	return oneGroup(r.groups(func(g access.Group) bool {
		return g.Source == source && access.FoldGroupName(g.Name) == access.FoldGroupName(name)
	}))
}

func (r *reader) GroupKnownAs(source, external string) (access.Group, error) {
	return oneGroup(rows(r.tables, "groups", func(id string, g access.Group) (string, bool) {
		return id, external != "" && g.Source == source && g.External == external
	}))
}

func oneGroup(all []row[access.Group], err error) (access.Group, error) {
	if err == nil && len(all) == 0 {
		err = access.ErrNoGroup
	}
	if err != nil {
		return access.Group{}, err
	}
	return all[0].value, nil
}

func (r *reader) MembersPart(group string, p state.Part) ([]string, []byte, error) {
	all, next, err := r.members(p, func(m access.Member) (string, bool) { return m.Person, m.Group == group })
	var people []string
	for _, m := range all {
		people = append(people, m.Person)
	}
	return people, next, err
}

func (r *reader) GroupsOf(person string) (ids []string, err error) {
	all, _, err := r.members(state.Part{Limit: -1}, func(m access.Member) (string, bool) { return m.Group, m.Person == person })
	for _, m := range all {
		ids = append(ids, m.Group)
	}
	return ids, err
}

func (r *reader) members(p state.Part, belongs func(access.Member) (string, bool)) ([]access.Member, []byte, error) {
	all, err := rows(r.tables, "members", func(_ string, m access.Member) (string, bool) { return belongs(m) })
	return part(all, err, p, false)
}

func (r *reader) IsMember(group, person string) (bool, error) {
	_, is := r.rows["members"][key(group, person)]
	return is, nil
}

func (r *reader) Account(id string) (access.Account, error) {
	return get[access.Account](r.tables, "accounts", id, access.ErrNoAccount)
}

func (r *reader) Links() (access.Links, error) {
	missing := errors.New("never said")
	l, err := get[access.Links](r.tables, "links", "links", missing)
	if errors.Is(err, missing) {
		return access.Links{}, nil
	}
	return l, err
}

func (r *reader) Accounts(user string) ([]access.Account, error) {
	all, err := rows(r.tables, "accounts", func(id string, a access.Account) (string, bool) {
		return key(a.Provider, id), a.User == user
	})
	return whole(all, err, false)
}

func (r *reader) SessionsAt(place string) ([]access.Credential, error) {
	all, err := r.credentials(func(c access.Credential) bool { return place != "" && c.ProviderSession == place })
	return whole(all, err, false)
}

func (r *reader) Secret(app, name string) (secrets.Secret, error) {
	return get[secrets.Secret](r.tables, "secrets", key(app, name), secrets.ErrNotFound)
}

func (r *reader) Secrets(app string) ([]secrets.Secret, error) {
	all, err := byKey(r.tables, "secrets", func(s secrets.Secret) bool { return app == "" || s.App == app })
	return whole(all, err, false)
}

func (r *reader) SecretsPart(app string, p state.Part) ([]secrets.Secret, []byte, error) {
	all, err := byKey(r.tables, "secrets", func(s secrets.Secret) bool { return s.App == app })
	return part(all, err, p, false)
}

func (r *reader) Attempt(user, name string) (a state.Attempt, found bool, err error) {
	missing := errors.New("no attempt")
	a, err = get[state.Attempt](r.tables, "attempts", key(user, name), missing)
	if errors.Is(err, missing) {
		return a, false, nil
	}
	return a, err == nil, err
}

func (r *reader) Attempts(user string) ([]state.Attempt, error) {
	all, err := byKey(r.tables, "attempts", func(a state.Attempt) bool { return a.User == user })
	return whole(all, err, false)
}

func (r *reader) Pauses(app string) ([]triggers.Pause, error) {
	all, err := byKey(r.tables, "pauses", func(p triggers.Pause) bool { return p.App == app })
	return whole(all, err, false)
}

func (r *reader) Events(q state.EventQuery, sees func(abi.Event) (bool, error)) (found []abi.Event, next abi.Rev, err error) {
	all, err := byKey(r.tables, "events", func(e abi.Event) bool {
		return e.Rev > q.After && (q.Before == 0 || e.Rev < q.Before)
	})
	events, err := whole(all, err, q.Newest)
	for _, e := range events {
		if q.Limit >= 0 && len(found) >= q.Limit && e.Rev != next {
			return found, next, nil
		}
		next = e.Rev
		ok := q.Matches(e)
		if ok && sees != nil {
			if ok, err = sees(e); err != nil {
				return nil, 0, err
			}
		}
		if ok {
			found = append(found, e)
		}
	}
	return found, 0, err
}

func (r *reader) Count(kind state.CountKind, of string) (state.Count, error) {
	all, err := r.counts()
	return all[counted{kind, of}], err
}

func (r *reader) Audience(app string, tier abi.Tier) (access.Audience, error) {
	return get[access.Audience](r.tables, "audiences", key(app, string(tier)), access.ErrNoAudience)
}

func (r *reader) AccessRequest(app string, tier abi.Tier, person string) (access.AccessRequest, error) {
	return get[access.AccessRequest](r.tables, "access", key(app, string(tier), person), access.ErrNoAccessRequest)
}

func (r *reader) QuotaSetting(per, of, quota string) (access.QuotaSetting, error) {
	return get[access.QuotaSetting](r.tables, "quotas", key(per, of, quota), access.ErrNoQuotaSetting)
}

func (r *reader) QuotaSettingsPart(p state.Part) ([]access.QuotaSetting, []byte, error) {
	all, err := byKey[access.QuotaSetting](r.tables, "quotas", nil)
	return part(all, err, p, false)
}

func (r *reader) AccessRequests(app string) ([]access.AccessRequest, error) {
	all, err := byKey(r.tables, "access", func(q access.AccessRequest) bool { return q.App == app })
	return whole(all, err, false)
}
