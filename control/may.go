package control

import (
	"errors"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// OfApp is an app as the table of who may do what sees it.
func OfApp(app registry.App) access.Resource {
	on := access.App(app.Name, app.Owner)
	on.CoOwner, on.Group = app.CoOwner, app.Group
	_, _, on.Serves = app.Serving()
	switch {
	case app.Removal != nil:
		on.Stage = access.Gone
	case app.Deletion != nil:
		on.Stage = access.Deleting
	}
	if app.Quarantine != nil {
		on.Quarantined = string(app.Quarantine.Authority)
	}
	if app.Suspension != nil {
		on.SuspendedBy = string(app.Suspension.Authority)
	}
	on.Maintained = app.Maintenance != nil
	if app.Offer != nil {
		on.OfferedTo = app.Offer.To
	}
	return on
}

// Owns reports whether a person is one of an app's owners: its owner, its co-owner, or in its group.
// A service account owns what its sponsor does.
func Owns(tx access.Reader, app registry.App, name string) (bool, error) {
	if access.IsServiceAccount(name) {
		account, err := tx.User(name)
		if errors.Is(err, access.ErrNotFound) || (err == nil && account.Sponsor == "") {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		name = account.Sponsor
	}
	if name == app.Owner || (app.CoOwner != "" && name == app.CoOwner) {
		return true, nil
	}
	if app.Group == "" {
		return false, nil
	}
	return tx.IsMember(app.Group, name)
}

// PersonOf is an actor as approvals knows them.
func PersonOf(a access.Actor) approvals.Person {
	return approvals.Person{Name: a.User, Groups: a.Groups, Sponsor: a.Sponsor}
}

// OfRequest is a request as that table sees it. Of an open one the votes that do not count any more have
// to be noted, see approvals.Request.Count.
func OfRequest(q approvals.Request) access.Resource {
	on := access.Resource{
		Kind: access.OnRequest, Name: q.App, Owner: q.Owner, CoOwner: q.CoOwner, Group: q.Group, By: q.By, Sponsor: q.Sponsor, Former: q.Former, Closed: q.Status != approvals.StatusOpen,
		Waits: q.Status == approvals.StatusScheduled,
	}
	for _, c := range q.IsAbout() {
		on.Concerns = append(on.Concerns, access.Concern(c))
	}
	if q.Staged() {
		for _, s := range q.Waits() {
			on.Stages = append(on.Stages, access.Concern(s.Concern))
		}
	}
	return on
}

// OfGrant is a grant as that table sees it: the request that made it, with the owners that its app has now, about
// what is granted.
func OfGrant(g approvals.Grant, q approvals.Request, app registry.App) access.Resource {
	on := access.Resource{Kind: access.OnRequest, Name: g.App, Owner: app.Owner, CoOwner: app.CoOwner, Group: app.Group, By: q.By, Sponsor: q.Sponsor, Closed: true}
	for _, c := range approvals.ConcernsOf(g.Capability) {
		on.Concerns = append(on.Concerns, access.Concern(c))
	}
	return on
}

// WaitsFor reports whether it is an actor's turn in an open request, of which the votes that do not count any
// more are noted: they are asked for changes, or they may vote and have not.
func WaitsFor(a access.Actor, q approvals.Request) bool {
	on := OfRequest(q)
	if q.WaitsFor() == approvals.TurnRequester {
		return access.Allowed(a, access.AnswerRequest, on)
	}
	return votes(a, q)
}

// Awaits reports whether an open request waits for a reviewer of a concern: one of its stages that wait is for it or,
// if it has none, it is about that. It is asked of one whose votes are counted.
func Awaits(q approvals.Request, c access.Concern) bool {
	if q.WaitsFor() != approvals.TurnReviewers {
		return false
	}
	on := OfRequest(q)
	if q.Staged() {
		return slices.Contains(on.Stages, c)
	}
	return slices.Contains(on.Concerns, c)
}

// votes reports whether an actor has a vote about an open request that they have not cast: in their own place, or
// in that of a reviewer who has none that counts.
func votes(a access.Actor, q approvals.Request) bool {
	if _, voted := q.VoteOf(a.User); voted {
		return false
	}
	a.For = slices.DeleteFunc(slices.Clone(a.For), func(other access.Actor) bool {
		_, voted := q.VoteOf(other.User)
		return voted
	})
	return access.Allowed(a, access.DecideRequest, OfRequest(q))
}

// Approvable reports whether who may vote about an open request, of which the votes that do not count any
// more are noted, may approve it: they have not yet, and nobody else waits for an answer.
func Approvable(a access.Actor, q approvals.Request) bool {
	asking := q.Asking()
	return votes(a, q) && (len(asking) == 0 || len(asking) == 1 && asking[0] == a.User)
}

// MayApp returns nil if an actor may do something to an app now: see access.May. Of an app that is
// stopped the error says so in the words for its callers.
func MayApp(actor access.Actor, act access.Act, app registry.App) error {
	err := access.May(actor, act, OfApp(app))
	if dead := app.Free(); dead != nil && errors.Is(err, access.ErrNotNow) {
		return dead
	}
	return err
}

// AppActs lists what an actor may do to an app now, by the words of access.Act.
func AppActs(actor access.Actor, app registry.App) []string {
	var words []string
	for _, act := range access.Acts(actor, OfApp(app)) {
		words = append(words, string(act))
	}
	return words
}

// KnowPeople has the manifest and the signature of a release that is uploaded name people by the names
// that they have now: a manifest or a certificate of before a rename is still theirs.
func KnowPeople(tx access.Reader, r *registry.Release) error {
	signed := r.Signer.Identity
	for _, name := range []*string{&r.Manifest.Owner, &r.Signer.Identity} {
		p, err := tx.Person(*name)
		switch {
		case err == nil:
			*name = p.Name
		case !errors.Is(err, access.ErrNotFound):
			return err
		}
	}
	if signed != r.Signer.Identity && r.Signer.Method == registry.MethodIdentity {
		r.Signer.SignedAs = signed
	}
	return nil
}
