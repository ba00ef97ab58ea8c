package inbox

import (
	"errors"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// look finds out, in one state, whom events concern.
type look struct {
	tx     state.Reader
	now    time.Time
	actors map[access.Role][]access.Actor // who has a role, of whatever concern and group
}

func newLook(tx state.Reader, now time.Time) *look {
	return &look{tx: tx, now: now, actors: map[access.Role][]access.Actor{}}
}

// notices are those that an event makes: one for each person, by the first row of the table that
// concerns them.
func (l *look) notices(e abi.Event) (all []notices.Notice, err error) {
	seen := map[string]bool{}
	for _, row := range notices.RowsOf(e.Kind) {
		people, err := l.whom(row.To, e)
		if err != nil {
			return nil, err
		}
		for _, person := range people {
			if person == "" || (person == e.Actor && !row.Self) {
				continue
			}
			person, err := l.reader(person)
			if err != nil {
				return nil, err
			}
			if person != "" && !seen[person] {
				seen[person] = true
				all = append(all, notices.Notice{ID: notices.IDOf(e), Person: person, To: row.To, Event: e})
			}
		}
	}
	return all, nil
}

// reader is who reads what a name is told: the person, if they can sign in, and for a service account the
// person who answers for it; "" for no one.
func (l *look) reader(name string) (string, error) {
	u, err := l.tx.User(name)
	if err == nil && u.Sponsor != "" {
		u, err = l.tx.User(u.Sponsor)
	}
	if errors.Is(err, access.ErrNotFound) {
		return "", nil // the node, a provider, or who was there before there were records of people
	}
	if err != nil || u.Disabled {
		return "", err
	}
	return u.Name, nil
}

// whom returns the people who are something to an event.
func (l *look) whom(to notices.Whom, e abi.Event) ([]string, error) {
	switch to {
	case notices.Deciders:
		return l.deciders(e.Subject)
	case notices.Requester:
		q, err := l.tx.Request(e.Subject)
		return []string{q.By}, gone(err, approvals.ErrNotFound)
	case notices.Awaited:
		return l.awaited(e)
	case notices.Party:
		return l.party(e.Subject)
	case notices.Owners:
		app, err := l.tx.App(e.App)
		if err != nil {
			return nil, gone(err, registry.ErrNotFound)
		}
		return l.owners(app)
	case notices.Heirs:
		return l.heirs(e.Subject)
	case notices.Certifiers:
		return l.certifiers(e.Subject)
	case notices.Operators:
		return l.operators()
	case notices.Subject:
		return []string{e.Subject}, nil
	case notices.Actor:
		return []string{e.Actor}, nil
	}
	return []string{e.Detail[detailOf[to]]}, nil
}

// detailOf is the key under which an event names a person.
var detailOf = map[notices.Whom]string{
	notices.Person: "person", notices.Holder: "identity", notices.Giver: "from", notices.CoOwner: "co_owner", notices.Former: "was_co_owner",
	notices.Sponsor: "sponsor", notices.WasSponsor: "was_sponsor",
}

// gone is nil for what is not there any more: no one is told of it.
func gone(err, missing error) error {
	if errors.Is(err, missing) {
		return nil
	}
	return err
}

// deciders are who may decide about a request now. A request that was decided has none.
func (l *look) deciders(id string) (people []string, err error) {
	q, err := l.tx.Request(id)
	if err != nil {
		return nil, gone(err, approvals.ErrNotFound)
	}
	reviewers, err := l.having(access.RoleReviewer)
	for _, a := range reviewers {
		if access.Allowed(a, access.DecideRequest, control.OfRequest(q)) {
			people = append(people, a.User)
		}
	}
	return people, err
}

// certifiers are who may say of a grant that it is still needed. No one is told of what has ended.
func (l *look) certifiers(id string) (people []string, err error) {
	g, err := l.tx.Grant(id)
	if err != nil || !g.Live(l.now) {
		return nil, gone(err, approvals.ErrNotFound)
	}
	app, err := l.tx.App(g.App)
	if err != nil {
		return nil, gone(err, registry.ErrNotFound)
	}
	q, err := l.tx.Request(g.Request)
	if err != nil {
		return nil, gone(err, approvals.ErrNotFound)
	}
	reviewers, err := l.having(access.RoleReviewer)
	for _, a := range reviewers {
		if access.Allowed(a, access.CertifyGrant, control.OfGrant(g, q, app)) {
			people = append(people, a.User)
		}
	}
	return people, err
}

// awaited are those whose turn it is in a request, if it is still of those of whom an event says so.
func (l *look) awaited(e abi.Event) (people []string, err error) {
	q, err := l.tx.Request(e.Subject)
	if err != nil {
		return nil, gone(err, approvals.ErrNotFound)
	}
	switch turn := q.WaitsFor(); {
	case string(turn) != e.Detail["turn"]:
		return nil, nil // they acted meanwhile
	case turn == approvals.TurnRequester:
		app, err := l.tx.App(q.App)
		if err != nil {
			return nil, gone(err, registry.ErrNotFound)
		}
		people, err = l.owners(app)
		return append(people, q.By), err
	}
	if q, err = control.CountVotes(l.tx, q, q.Policy, l.now); err != nil {
		return nil, err
	}
	reviewers, err := l.having(access.RoleReviewer)
	for _, a := range reviewers {
		if control.WaitsFor(a, q) {
			people = append(people, a.User)
		}
	}
	return people, err
}

// party are who voted about a request, or wrote about it.
func (l *look) party(id string) (people []string, err error) {
	q, err := l.tx.Request(id)
	if err != nil {
		return nil, gone(err, approvals.ErrNotFound)
	}
	for _, v := range q.Votes {
		people = append(people, v.By)
	}
	for _, c := range q.Thread {
		people = append(people, c.By)
	}
	return people, nil
}

func (l *look) operators() (people []string, err error) {
	all, err := l.having(access.RoleOperator)
	for _, a := range all {
		if access.Allowed(a, access.Operate, access.TheNode) {
			people = append(people, a.User)
		}
	}
	return people, err
}

// having are the people who have a role, for whichever concern or group.
func (l *look) having(role access.Role) ([]access.Actor, error) {
	if found, known := l.actors[role]; known {
		return found, nil
	}
	users, err := l.tx.Users()
	if err != nil {
		return nil, err
	}
	var found []access.Actor
	for _, u := range users {
		if u.Disabled || u.Sponsor != "" || !mayHave(u, role) {
			continue
		}
		a, err := access.ActorOf(l.tx, u, access.Credential{Kind: access.KindSession}, l.now)
		if err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	l.actors[role] = found
	return found, nil
}

// mayHave reports whether a user was given a role, by whomever.
func mayHave(u access.User, role access.Role) bool {
	is := func(r access.Role) bool {
		of, _, _ := r.Parts()
		return of == role
	}
	return slices.ContainsFunc(u.Roles, is) || slices.ContainsFunc(u.Given, func(g access.Given) bool { return is(g.Role) })
}

// owners are who own an app.
func (l *look) owners(app registry.App) ([]string, error) {
	people := []string{app.Owner, app.CoOwner}
	if app.Group == "" {
		return people, nil
	}
	members, _, err := l.tx.MembersPart(app.Group, state.Part{Limit: -1})
	return append(people, members...), err
}

// heirs are who own an app with a person who can act for it no more.
func (l *look) heirs(person string) (people []string, err error) {
	apps, _, err := l.tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool {
		return a.Owner == person && a.State() != registry.StateRemoved
	})
	for _, app := range apps {
		with, err := l.owners(app)
		if err != nil {
			return nil, err
		}
		people = append(people, with...)
	}
	return people, err
}
