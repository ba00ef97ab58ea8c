package persons

import (
	"maps"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// The functions below return where a record refers to people. What a record shares with a copy of it is
// copied before, so that changing the one leaves the other.

// InApp returns where an app refers to people.
func InApp(a *registry.App) []*string {
	all := []*string{&a.Owner, &a.CoOwner}
	if own(&a.Suspension) {
		all = append(all, &a.Suspension.By)
	}
	if own(&a.Maintenance) {
		all = append(all, &a.Maintenance.By)
	}
	if own(&a.Quarantine) {
		all = append(all, &a.Quarantine.By)
	}
	if own(&a.Deletion) {
		all = append(all, &a.Deletion.By)
	}
	if own(&a.Removal) {
		all = append(all, &a.Removal.By)
	}
	if own(&a.Offer) {
		all = append(all, &a.Offer.To, &a.Offer.By)
	}
	return all
}

// own makes a pointer's value the record's own, and reports whether there is one.
func own[T any](p **T) bool {
	if *p == nil {
		return false
	}
	v := **p
	*p = &v
	return true
}

// InRelease returns where a release refers to people.
func InRelease(r *registry.Release) []*string {
	return []*string{&r.Manifest.Owner, &r.Signer.Identity, &r.CreatedBy, &r.Sponsor, &r.Charged}
}

// SignedAs notes which name a release's certificate is for, where its signer is still known by a name.
func SignedAs(r *registry.Release) {
	if r.Signer.Method == registry.MethodIdentity && r.Signer.SignedAs == "" && !access.IsPersonID(r.Signer.Identity) {
		r.Signer.SignedAs = r.Signer.Identity
	}
}

// InActivation returns where an activation refers to people.
func InActivation(a *registry.Activation) []*string { return []*string{&a.By, &a.Sponsor} }

// InKey returns where a key refers to people.
func InKey(k *registry.Key) []*string { return []*string{&k.Identity, &k.AddedBy} }

// InHostName returns where a host name refers to people.
func InHostName(n *registry.HostName) []*string { return []*string{&n.By} }

// InCertificate returns where a certificate refers to people, beside the document that was signed.
func InCertificate(c *registry.Issued) []*string { return []*string{&c.Owner, &c.By} }

// InUnnamed returns where the note of an unnamed blob refers to people.
func InUnnamed(u *registry.Unnamed) []*string { return []*string{&u.Owner} }

// InRequest returns where a request refers to people.
func InRequest(q *approvals.Request) []*string {
	all := []*string{&q.Owner, &q.CoOwner, &q.By, &q.Sponsor, &q.Reviewed.Signer}
	if own(&q.Decision) {
		all = append(all, &q.Decision.By, &q.Decision.For)
	}
	if own(&q.Exemption) {
		all = append(all, &q.Exemption.RevokedBy)
	}
	q.Votes, q.Former, q.Thread = slices.Clone(q.Votes), slices.Clone(q.Former), slices.Clone(q.Thread)
	for i := range q.Thread {
		all = append(all, &q.Thread[i].By, &q.Thread[i].Sponsor)
	}
	for i := range q.Votes {
		all = append(all, &q.Votes[i].By, &q.Votes[i].For)
	}
	for i := range q.Former { // ids of groups lead to no person, and stay
		all = append(all, &q.Former[i])
	}
	return all
}

// InGrant returns where a grant refers to people.
func InGrant(g *approvals.Grant) []*string {
	return []*string{&g.By, &g.ShrunkBy, &g.RevokedBy, &g.CertifiedBy, &g.Reviewed.Signer}
}

// InCredential returns where a credential refers to people.
func InCredential(c *access.Credential) []*string { return []*string{&c.User} }

// InUser returns where a user's record refers to other people.
func InUser(u *access.User) []*string {
	all := []*string{&u.Sponsor}
	u.Delegations, u.DecidesFor = slices.Clone(u.Delegations), slices.Clone(u.DecidesFor)
	for i := range u.Delegations {
		all = append(all, &u.Delegations[i].To)
	}
	for i := range u.DecidesFor {
		all = append(all, &u.DecidesFor[i])
	}
	return all
}

// InAccount returns where an account refers to people.
func InAccount(a *access.Account) []*string { return []*string{&a.User} }

// InAudience returns where an audience refers to people.
func InAudience(a *access.Audience) []*string {
	a.People = slices.Clone(a.People)
	all := []*string{&a.By}
	for i := range a.People {
		all = append(all, &a.People[i])
	}
	return all
}

// InAccessRequest returns where a request for access refers to people.
func InAccessRequest(q *access.AccessRequest) []*string { return []*string{&q.Person, &q.By} }

// InLinks returns where the word about sign-in links refers to people.
func InLinks(l *access.Links) []*string { return []*string{&l.By} }

// InQuotaSetting returns where a quota that was set refers to people.
func InQuotaSetting(s *access.QuotaSetting) []*string {
	if s.Per == "person" {
		return []*string{&s.Of, &s.By}
	}
	return []*string{&s.By}
}

// InSecret returns where a secret refers to people.
func InSecret(s *secrets.Secret) []*string { return []*string{&s.By} }

// InPause returns where a pause refers to people.
func InPause(p *triggers.Pause) []*string { return []*string{&p.By} }

// InAttempt returns where an attempt refers to people.
func InAttempt(a *state.Attempt) []*string { return []*string{&a.User} }

// aboutPeople reports whether the subject of a kind of events is a person.
func aboutPeople(kind string) bool {
	for _, prefix := range []string{"user.", "delegation.", "account.", "service_account.", "session.", "audience.access_", "audience.person_"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return kind == "app.offered" || kind == "app.transferred"
}

// peopleInDetail are the keys of details that refer to people.
var peopleInDetail = []string{"sponsor", "was_sponsor", "identity", "from", "signer", "person", "co_owner", "was_co_owner", "for"}

// inEvent changes where an event refers to people.
func inEvent(e *abi.Event, change func(string) (string, error)) error {
	fields := []*string{&e.Actor, &e.Sponsor}
	if aboutPeople(e.Kind) {
		fields = append(fields, &e.Subject)
	}
	if err := each(fields, change); err != nil || len(e.Detail) == 0 {
		return err
	}
	e.Detail = maps.Clone(e.Detail)
	for _, k := range peopleInDetail {
		was, ok := e.Detail[k]
		if !ok {
			continue
		}
		is, err := change(was)
		if err != nil {
			return err
		}
		e.Detail[k] = is
	}
	return nil
}

func each(fields []*string, change func(string) (string, error)) error {
	for _, f := range fields {
		is, err := change(*f)
		if err != nil {
			return err
		}
		*f = is
	}
	return nil
}

// ofPeople reports whether a kind of counts is of people.
func ofPeople(kind state.CountKind) bool {
	switch kind {
	case state.CountApps, state.CountOwned, state.CountRequests, state.CountTokens, state.CountSessions, state.CountLinks, state.CountKeys, state.CountMemberOf, state.CountNotices, state.CountUnread:
		return true
	}
	return false
}
