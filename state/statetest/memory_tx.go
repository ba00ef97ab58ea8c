package statetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// transaction writes into tables of its own.
type transaction struct {
	*reader
	before *tables // as they were committed last
	by     string
	behalf abi.Behalf
	events int
}

func (t *transaction) As(actor string) { t.by = actor }

func (t *transaction) Behalf(of abi.Behalf) { t.behalf = of }

func (t *transaction) Emit(kind, app, subject string, detail map[string]string) {
	e := abi.Event{Rev: t.rev, Seq: t.events, At: t.at, Actor: t.by, Kind: kind, App: app, Subject: subject, Detail: detail, Behalf: t.behalf}
	_ = t.put("events", key(number(t.rev), number(t.events)), e) // an event is always JSON
	t.events++
}

// PutApp has the releases of an app count for the group that owns it.
func (t *transaction) PutApp(a registry.App) error {
	releases, _, err := t.ReleasesPart(a.Name, state.Part{Limit: -1})
	for _, r := range releases {
		r.Group = a.Group
		err = errors.Join(err, t.put("releases", key(r.App, number(r.Number)), r))
	}
	return errors.Join(err, t.put("apps", a.Name, a))
}

func (t *transaction) AddRelease(r registry.Release) error {
	if _, err := t.Release(r.App, r.Number); err == nil {
		return fmt.Errorf("release %d of %q: %w", r.Number, r.App, registry.ErrExists)
	}
	_, _ = t.drop("unnamed", string(r.Digest), nil), t.drop("unnamed", string(r.Bundle), nil)
	of, _ := t.App(r.App)
	r.Group = of.Group
	return t.put("releases", key(r.App, number(r.Number)), r)
}

func (t *transaction) DeleteRelease(app string, n int) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	return t.forgetRelease(r, cmp.Or(r.Charged, r.Manifest.Owner), r.Group)
}

// forgetRelease notes what no release names any more as some owner's and some group's.
func (t *transaction) forgetRelease(r registry.Release, owner, group string) error {
	if err := t.drop("releases", key(r.App, number(r.Number)), nil); err != nil {
		return err
	}
	for _, u := range []registry.Unnamed{{Digest: r.Digest, Size: r.Size}, {Digest: r.Bundle}} {
		named, err := t.Named(u.Digest)
		if err != nil {
			return err
		}
		if u.Owner, u.Group, u.Since = owner, group, t.at; !named && u.Digest != "" {
			if err := t.put("unnamed", string(u.Digest), u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transaction) ChargeRelease(app string, n int, to string) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	r.Charged = to
	return t.put("releases", key(app, number(n)), r)
}

func (t *transaction) NextCertificate() (string, error) {
	t.issued++
	return fmt.Sprintf("cert-%d", t.issued), nil
}

func (t *transaction) PutCertificate(c registry.Issued) error {
	return t.put("certificates", number(numberOf("cert-", c.ID)), c)
}

func (t *transaction) EraseApp(app string) error {
	releases, _, err := t.ReleasesPart(app, state.Part{Limit: -1})
	for _, r := range releases {
		err = errors.Join(err, t.forgetRelease(r, "", ""))
	}
	for _, table := range []string{"activations", "secrets", "pauses", "uses", "audiences", "access"} {
		maps.DeleteFunc(t.rows[table], func(k string, _ []byte) bool { return strings.HasPrefix(k, key(app, "")) })
	}
	maps.DeleteFunc(t.rows["quotas"], func(k string, _ []byte) bool { return strings.HasPrefix(k, key("app", app, "")) })
	grants, _, grantsErr := t.GrantsPart(app, state.Part{Limit: -1})
	for _, g := range grants {
		err = errors.Join(err, t.drop("grants", g.ID, nil))
	}
	requests, _, requestsErr := t.RequestsPart(app, "", state.Part{Limit: -1})
	for _, q := range requests {
		if q.Intent != nil {
			q.Intent = nil
			err = errors.Join(err, t.PutRequest(q))
		}
	}
	hosts, hostsErr := t.HostNamesOf(app)
	for _, n := range hosts {
		err = errors.Join(err, t.DeleteHostName(n.Host))
	}
	t.counted.Store(nil)
	return errors.Join(err, grantsErr, requestsErr, hostsErr)
}

func (t *transaction) AddActivation(a registry.Activation) error {
	t.activations++
	return t.put("activations", key(a.App, number(t.activations)), a)
}

func (t *transaction) PutKey(k registry.Key) error { return t.put("keys", k.Hint, k) }

func (t *transaction) DeleteKey(hint string) error {
	return t.drop("keys", hint, registry.ErrNoKey)
}

func (t *transaction) PutHostName(n registry.HostName) error { return t.put("hosts", n.Host, n) }

func (t *transaction) DeleteHostName(host string) error {
	return t.drop("hosts", host, registry.ErrNotFound)
}

func (t *transaction) NextRequest() (string, error) {
	t.tables.requests++
	return fmt.Sprintf("req-%d", t.tables.requests), nil
}

func (t *transaction) PutRequest(q approvals.Request) error {
	return t.put("requests", number(numberOf("req-", q.ID)), q)
}

func (t *transaction) PutGrant(g approvals.Grant) error { return t.put("grants", g.ID, g) }

func (t *transaction) PutUser(u access.User) error {
	if was, err := t.Person(u.ID); err == nil && was.Name != u.Name {
		_ = t.drop("users", was.Name, nil)
	}
	if u.ID != "" {
		for _, text := range u.References() {
			if err := t.put("persons", text, access.Identity{ID: u.ID, Name: u.Name}); err != nil {
				return err
			}
		}
	}
	return t.put("users", u.Name, u)
}

func (t *transaction) PutCredential(c access.Credential) error {
	return t.put("credentials", c.Hash, c)
}

func (t *transaction) DeleteCredential(hash string) error {
	return t.drop("credentials", hash, access.ErrNotFound)
}

func (t *tables) forgetExpired(now time.Time) error {
	ended, err := byKey(t, "credentials", func(c access.Credential) bool { return c.Ended(now) })
	for _, c := range ended {
		err = errors.Join(err, t.drop("credentials", c.value.Hash, nil))
	}
	return err
}

func (t *transaction) PutGroup(g access.Group) error { return t.put("groups", g.ID, g) }

func (t *transaction) DeleteGroup(id string) error {
	if _, err := t.Group(id); err != nil {
		return err
	}
	maps.DeleteFunc(t.rows["quotas"], func(k string, _ []byte) bool { return strings.HasPrefix(k, key("group", id, "")) })
	maps.DeleteFunc(t.rows["members"], func(k string, _ []byte) bool { return strings.HasPrefix(k, key(id, "")) })
	return t.drop("groups", id, access.ErrNoGroup)
}

func (t *transaction) PutMember(group, person string) error {
	if _, err := t.Group(group); err != nil {
		return err
	}
	return t.put("members", key(group, person), access.Member{Group: group, Person: person})
}

func (t *transaction) DeleteMember(group, person string) error {
	_ = t.drop("members", key(group, person), nil)
	return nil
}

func (t *transaction) PutAccount(a access.Account) error { return t.put("accounts", a.ID, a) }

func (t *transaction) PutLinks(l access.Links) error { return t.put("links", "links", l) }

func (t *transaction) DeleteAccount(id string) error {
	return t.drop("accounts", id, access.ErrNoAccount)
}

func (t *transaction) PutAudience(a access.Audience) error {
	return t.put("audiences", key(a.App, string(a.Tier)), a)
}

func (t *transaction) PutAccessRequest(q access.AccessRequest) error {
	return t.put("access", key(q.App, string(q.Tier), q.Person), q)
}

func (t *transaction) PutQuotaSetting(s access.QuotaSetting) error {
	return t.put("quotas", key(s.Per, s.Of, s.Quota), s)
}

func (t *transaction) DeleteQuotaSetting(per, of, quota string) error {
	return t.drop("quotas", key(per, of, quota), nil)
}

func (t *transaction) PutSecret(s secrets.Secret) error {
	return t.put("secrets", key(s.App, s.Name), s)
}

func (t *transaction) DeleteSecret(app, name string) error {
	return t.drop("secrets", key(app, name), secrets.ErrNotFound)
}

func (t *transaction) PutAttempt(a state.Attempt) error {
	return t.put("attempts", key(a.User, a.Key), a)
}

func (t *transaction) DeleteAttempt(user, name string) error {
	return t.drop("attempts", key(user, name), nil)
}

func pauseKey(r triggers.Ref) string { return key(r.App, string(r.Kind), r.Name) }

func (t *transaction) PutPause(p triggers.Pause) error { return t.put("pauses", pauseKey(p.Ref), p) }

func (t *transaction) DeletePause(r triggers.Ref) error { return t.drop("pauses", pauseKey(r), nil) }

func (t *transaction) Grown() (grown []state.Growth, err error) {
	was, err := (&reader{tables: t.before}).counts()
	is, isErr := t.counts()
	for k, now := range is {
		if before := was[k]; now.N > before.N || now.Bytes > before.Bytes {
			grown = append(grown, state.Growth{Kind: k.kind, Of: k.of, Before: before, Now: now})
		}
	}
	slices.SortFunc(grown, func(a, b state.Growth) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Of, b.Of)) })
	return grown, errors.Join(err, isErr)
}

// counted is what a count is of.
type counted struct {
	kind state.CountKind
	of   string
}

// counts counts everything by listing it.
func (r *reader) counts() (map[counted]state.Count, error) {
	if known := r.counted.Load(); known != nil {
		return *known, nil
	}
	all, groups := map[counted]state.Count{}, map[string]string{}
	add := func(kind state.CountKind, of string, bytes int64) {
		k := counted{kind, of}
		all[k] = state.Count{N: all[k].N + 1, Bytes: all[k].Bytes + bytes}
	}
	err := errors.Join(
		each(r, "apps", func(a registry.App) {
			groups[a.Name] = a.Group
			if a.Removal == nil || a.Removal.Done.IsZero() {
				add(state.CountApps, a.Owner, 0)
				add(state.CountAllApps, "", 0)
				if a.Group != "" {
					add(state.CountGroupApps, a.Group, 0)
				}
			}
		}),
		each(r, "releases", func(v registry.Release) {
			add(state.CountReleases, v.App, 0)
			add(state.CountOwned, cmp.Or(v.Charged, v.Manifest.Owner), v.Size)
			add(state.CountModules, "", v.Size)
			if group := groups[v.App]; group != "" {
				add(state.CountGroupOwned, group, v.Size)
			}
		}),
		each(r, "unnamed", func(u registry.Unnamed) {
			if u.Size > 0 {
				add(state.CountOwned, u.Owner, u.Size)
				if u.Group != "" {
					add(state.CountGroupOwned, u.Group, u.Size)
				}
				add(state.CountModules, "", u.Size)
			}
		}),
		each(r, "requests", func(q approvals.Request) {
			if q.Status == approvals.StatusOpen {
				add(state.CountRequests, q.By, 0)
			}
		}),
		each(r, "credentials", func(c access.Credential) {
			if c.Kind != access.KindApp {
				add(state.CountKind(c.Kind+"s"), c.User, 0)
			}
		}),
		each(r, "keys", func(k registry.Key) { add(state.CountKeys, k.Identity, 0) }),
		each(r, "secrets", func(s secrets.Secret) { add(state.CountSecrets, s.App, 0) }),
		each(r, "hosts", func(n registry.HostName) {
			add(state.CountHosts, n.App, 0)
			add(state.CountAllHosts, "", 0)
		}),
		each(r, "groups", func(access.Group) { add(state.CountGroups, "", 0) }),
		each(r, "members", func(m access.Member) {
			add(state.CountMembers, m.Group, 0)
			add(state.CountMemberOf, m.Person, 0)
		}),
		each(r, "provisioned", func(p access.Provisioned) {
			if !p.Deleted.IsZero() {
				return
			}
			if add(state.CountProvisioned, p.Provider, 0); !p.Active {
				add(state.CountDeprovisioned, p.Provider, 0)
			}
		}),
		each(r, "notices", func(n notices.Notice) {
			if add(state.CountNotices, n.Person, 0); n.Read.IsZero() {
				add(state.CountUnread, n.Person, 0)
			}
		}),
		each(r, "outbox", func(d notices.Delivery) {
			if d.Dead.IsZero() {
				add(state.CountWaiting, d.Lane(), 0)
			} else {
				add(state.CountUndelivered, d.Lane(), 0)
			}
		}),
		each(r, "users", func(access.User) { add(state.CountUsers, "", 0) }))
	r.counted.Store(&all)
	return all, err
}

func each[T any](r *reader, table string, see func(T)) error {
	all, err := byKey[T](r.tables, table, nil)
	for _, v := range all {
		see(v.value)
	}
	return err
}
