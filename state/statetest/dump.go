package statetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
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

// said writes what a store returned so that two can be compared: errors by what they are, values by
// what is in them.
func said(v any, err error) string {
	if err != nil {
		return sentinel(err) + "\n"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error() + "\n"
	}
	return string(raw) + "\n"
}

// list writes a list; none and nil are the same.
func list[T any](all []T, err error) (text string) {
	for _, v := range all {
		text += said(v, nil)
	}
	if err != nil {
		text += said(nil, err)
	}
	return text
}

// paged is a list that is read in parts.
type paged struct {
	name string
	read func(state.Reader, state.Part) (items string, next []byte, err error)
}

func pagedAs[T any](name string, read func(state.Reader, state.Part) ([]T, []byte, error)) paged {
	return paged{name, func(r state.Reader, p state.Part) (string, []byte, error) {
		all, next, err := read(r, p)
		return list(all, nil), next, err
	}}
}

// lists are all lists that are read in parts, those that are of something for one name.
func lists(of string) []paged {
	all := []paged{
		pagedAs("apps", func(r state.Reader, p state.Part) ([]registry.App, []byte, error) { return r.AppsPart(p, nil) }),
		pagedAs("some apps", func(r state.Reader, p state.Part) ([]registry.App, []byte, error) {
			return r.AppsPart(p, func(a registry.App) bool { return strings.HasPrefix(a.Name, of) })
		}),
		pagedAs("keys", func(r state.Reader, p state.Part) ([]registry.Key, []byte, error) { return r.KeysPart(p) }),
		pagedAs("hosts", func(r state.Reader, p state.Part) ([]registry.HostName, []byte, error) { return r.HostNamesPart(p) }),
		pagedAs("users", func(r state.Reader, p state.Part) ([]access.User, []byte, error) { return r.UsersPart(p) }),
		pagedAs("certificates", func(r state.Reader, p state.Part) ([]registry.Issued, []byte, error) {
			return r.CertificatesPart(p, func(c registry.Issued) bool { return of == "" || c.App == of })
		}),
		pagedAs("grants", func(r state.Reader, p state.Part) ([]approvals.Grant, []byte, error) { return r.GrantsPart(of, p) }),
	}
	all = append(all,
		pagedAs("quotas", func(r state.Reader, p state.Part) ([]access.QuotaSetting, []byte, error) {
			return r.QuotaSettingsPart(p)
		}),
		pagedAs("groups", func(r state.Reader, p state.Part) ([]access.Group, []byte, error) { return r.GroupsPart(p) }),
		pagedAs("members", func(r state.Reader, p state.Part) ([]string, []byte, error) { return r.MembersPart(of, p) }))
	for _, status := range []approvals.Status{"", approvals.StatusOpen, approvals.StatusApproved, approvals.StatusScheduled} {
		all = append(all, pagedAs("requests "+string(status), func(r state.Reader, p state.Part) ([]approvals.Request, []byte, error) {
			return r.RequestsPart(of, status, p)
		}))
	}
	if of == "" {
		return named(all, of)
	}
	for _, kind := range []access.CredentialKind{access.KindToken, access.KindSession, access.KindLink} {
		all = append(all, pagedAs(string(kind), func(r state.Reader, p state.Part) ([]access.Credential, []byte, error) {
			return r.CredentialsPart(of, kind, p)
		}))
	}
	return named(append(all,
		pagedAs("notices", func(r state.Reader, p state.Part) ([]notices.Notice, []byte, error) { return r.NoticesPart(of, p) }),
		pagedAs("releases", func(r state.Reader, p state.Part) ([]registry.Release, []byte, error) { return r.ReleasesPart(of, p) }),
		pagedAs("activations", func(r state.Reader, p state.Part) ([]registry.Activation, []byte, error) {
			return r.ActivationsPart(of, p)
		}),
		pagedAs("about 10", func(r state.Reader, p state.Part) ([]approvals.Request, []byte, error) {
			return r.ReleaseRequests(of, 10, p)
		}),
		pagedAs("secrets", func(r state.Reader, p state.Part) ([]secrets.Secret, []byte, error) { return r.SecretsPart(of, p) })), of)
}

func named(all []paged, of string) []paged {
	for i := range all {
		all[i].name += " of " + of
	}
	return all
}

// Dump writes everything that a reader finds, in every way in which it can be found, for the apps
// and the people that it knows and for more names.
func Dump(r state.Reader, more ...string) string {
	names := slices.Clone(more)
	apps, err := r.Apps()
	for _, a := range apps {
		names = append(names, a.Name, a.Owner)
	}
	users, usersErr := r.Users()
	for _, u := range users {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	n, numberErr := r.NumberOfApps()
	unnamed, unnamedErr := r.Unnamed()
	events, _, eventsErr := r.Events(state.EventQuery{Limit: -1}, nil)
	text := list(apps, err) + list(users, usersErr) + said(n, numberErr) + list(unnamed, unnamedErr) + list(events, eventsErr)
	for _, reference := range []string{"u_0", "u_1", "u_2", "ada00", "ada21"} {
		person, err := r.Person(reference)
		text += said(person, err)
	}
	text += list(r.Absent())
	for _, sponsor := range []string{"", "ada", "ada2", "absent"} {
		text += list(r.ServiceAccounts(sponsor))
	}
	text += dumpEnded(r)
	links, linksErr := r.Links()
	text += said(links, linksErr) + dumpOutbox(r)
	for _, name := range append([]string{""}, slices.Compact(names)...) {
		text += dumpOf(r, name)
	}
	return text
}

// dumpEnded writes which credentials have ended at moments around their ends: see act.credential.
func dumpEnded(r state.Reader) (text string) {
	for _, at := range []time.Time{time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 2, 0, 499, time.UTC), time.Date(2026, 1, 1, 0, 2, 0, 500, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for _, most := range []int{0, 1, 3, 1000} {
			text += list(r.EndedCredentials(at, most))
		}
	}
	return text
}

func dumpOf(r state.Reader, name string) (text string) {
	for _, l := range lists(name) {
		items, _, err := l.read(r, state.Part{Limit: -1})
		text += l.name + "\n" + items
		if err != nil {
			text += sentinel(err)
		}
	}
	for _, kind := range state.CountKinds() {
		c, err := r.Count(kind, name)
		text += string(kind) + " " + said(c, err)
	}
	open, err := r.CountOpen(name)
	sealed, sealedErr := r.Secrets(name)
	text += said(open, err) + list(sealed, sealedErr)
	if name == "" {
		return text
	}
	return text + dumpApp(r, name) + dumpPerson(r, name) + dumpGroup(r, name) + dumpProvider(r, name) + dumpNotices(r, name)
}

// dumpGroup writes what is found of groups by a name, which may be that of a person, too.
func dumpGroup(r state.Reader, name string) string {
	g, err := r.Group(name)
	groups, groupsErr := r.GroupsOf(name)
	text := said(g, err) + list(groups, groupsErr)
	for _, source := range []string{"", "idp", "idp2"} {
		for _, n := range []string{"ops", "OPS TEAM", "école", "absent"} {
			g, err := r.GroupNamed(source, n)
			text += said(g, err)
		}
		for _, k := range []string{"", "k", "key"} {
			g, err := r.GroupKnownAs(source, k)
			text += said(g, err)
		}
	}
	for _, person := range []string{"ada", "ada2", name} {
		is, err := r.IsMember(name, person)
		text += said(is, err)
	}
	return text
}

func dumpApp(r state.Reader, name string) string {
	app, err := r.App(name)
	numbers, numbersErr := r.ReleaseNumbers(name)
	used, usedErr := r.UsedByAny(name)
	grants, grantsErr := r.Grants(name)
	pauses, pausesErr := r.Pauses(name)
	waiting, waitingErr := r.Waiting(name)
	wanted, wantedErr := r.AccessRequests(name)
	text := list(wanted, wantedErr)
	for _, tier := range abi.Tiers() {
		audience, err := r.Audience(name, tier)
		text += said(audience, err)
		for _, person := range []string{"ada", "ada2", "absent"} {
			q, err := r.AccessRequest(name, tier, person)
			text += said(q, err)
		}
	}
	text += said(app, err) + said(len(numbers), numbersErr) + list(used, usedErr) + list(grants, grantsErr) + list(pauses, pausesErr)
	text += list(slices.Sorted(maps.Keys(waiting)), waitingErr)
	for n, id := range waiting { // any of those that wait will do
		if q, err := r.Request(id); err != nil || q.App != name || q.Release != n || q.Status != approvals.StatusOpen && q.Status != approvals.StatusScheduled {
			text += fmt.Sprintf("%s does not wait for release %d of %s: %+v, %v\n", id, n, name, q, err)
		}
	}
	for _, n := range numbers {
		release, err := r.Release(name, n)
		used, usedErr := r.Used(name, n)
		text += said(release, err) + list(used, usedErr)
		for _, d := range []registry.Digest{release.Digest, release.Bundle, "absent"} {
			is, err := r.Named(d)
			text += said(is, err)
		}
	}
	for _, tier := range abi.Tiers() {
		for a, err := range r.TierActivations(name, tier) {
			text += said(a, err)
		}
	}
	for _, n := range []int{2, 10, 100} {
		for _, approved := range []bool{true, false} {
			q, err := r.AskedBefore(name, n, approved)
			text += said(q, err)
		}
	}
	for _, kind := range []approvals.Kind{approvals.KindGrant, approvals.KindPromotion} {
		open, err := r.OpenRequests(name, kind)
		text += list(open, err)
	}
	asked, err := r.AskedFor(name, "kv")
	host, hostErr := r.HostName(name)
	hosts, hostsErr := r.HostNamesOf(name)
	last, lastErr := r.LastCertificate()
	first, firstErr := r.Certificate("cert-1")
	key, keyErr := r.Key(name + "/+=")
	secret, secretErr := r.Secret(name, "s1")
	text += list(hosts, hostsErr) + said(last, lastErr) + said(first, firstErr)
	return text + list(asked, err) + said(host, hostErr) + said(key, keyErr) + said(secret, secretErr)
}

func dumpPerson(r state.Reader, name string) string {
	user, err := r.User(name)
	held, heldErr := r.Credentials(name)
	attempts, attemptsErr := r.Attempts(name)
	waiting, waitingErr := r.Credentials("")
	text := said(user, err) + list(held, heldErr) + list(waiting, waitingErr) + list(attempts, attemptsErr)
	person, personErr := r.Person(name)
	for _, per := range []string{"person", "group", "app", "node"} {
		for _, of := range []string{name, ""} {
			set, err := r.QuotaSetting(per, of, "apps")
			text += said(set, err)
		}
	}
	text += said(person, personErr)
	for _, key := range []string{"s0", "s3", "absent"} {
		attempt, found, err := r.Attempt(name, key)
		text += said(attempt, err) + fmt.Sprintln(found)
	}
	accounts, accountsErr := r.Accounts(name)
	text += list(accounts, accountsErr)
	for _, a := range accounts {
		found, err := r.Account(a.ID)
		text += said(found, err)
	}
	for _, key := range []string{"", "s", "s1"} {
		began, err := r.SessionsAt(key)
		slices.SortFunc(began, func(a, b access.Credential) int { return strings.Compare(a.Hash, b.Hash) })
		text += list(began, err)
	}
	for _, c := range held {
		found, err := r.CredentialByHash(c.Hash)
		made, madeErr := r.MadeWith(c.ID)
		slices.SortFunc(made, func(a, b access.Credential) int { return strings.Compare(a.Hash, b.Hash) })
		text += said(found, err) + list(made, madeErr)
	}
	for _, id := range []string{"req-1", "req-10", "req-01", "x"} {
		q, err := r.Request(id)
		text += said(q, err)
	}
	g, err := r.Grant("grant-1")
	return text + said(g, err)
}

// writers reports of each interface that writes whether any of its methods is behind a reader.
func writers(r state.Reader) map[string]bool {
	found := map[string]bool{}
	of := reflect.TypeOf(r)
	for _, w := range []reflect.Type{
		reflect.TypeFor[registry.Writer](), reflect.TypeFor[approvals.Writer](), reflect.TypeFor[access.Writer](), reflect.TypeFor[access.ProvisionWriter](),
		reflect.TypeFor[secrets.Writer](), reflect.TypeFor[triggers.Writer](), reflect.TypeFor[notices.SettingsWriter](), reflect.TypeFor[notices.Keeper](), reflect.TypeFor[interface{ Emit() }](),
	} {
		for i := range w.NumMethod() {
			_, has := of.MethodByName(w.Method(i).Name)
			found[w.String()] = found[w.String()] || has
		}
	}
	return found
}
