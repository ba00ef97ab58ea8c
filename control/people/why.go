package people

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Explainer says who may do what, and why. It is safe for concurrent use.
type Explainer struct{ desk *control.Desk }

// NewExplainer makes an Explainer.
func NewExplainer(desk *control.Desk) *Explainer { return &Explainer{desk} }

// Why explains whether a person ("" for the actor) may do something now with an app, a request, a person
// or a group, as the act asks for it ("" for the node), when they are signed in themselves: a token
// may do less.
func (s *Explainer) Why(ctx context.Context, q control.AccessQuestion) (e control.Explanation, err error) {
	actor := access.ActorFrom(ctx)
	kind, ok := access.KindOf(q.Act)
	if !ok {
		return e, fmt.Errorf("%w: the act is one of %s", access.ErrBadQuestion, strings.Join(acts(), ", "))
	}
	if q.Person == "" {
		q.Person = actor.User
	}
	if q.Person, err = access.CanonicalName(q.Person); err != nil {
		return e, fmt.Errorf("user %.80q: %w", q.Person, access.ErrNoUser)
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		if q.Person, err = known(tx, q.Person); err == nil {
			err = access.May(actor, access.ExplainAccess, access.Person(q.Person))
		}
		if err != nil {
			return err
		}
		e, err = explain(tx, actor, kind, q, s.desk.Now())
		return err
	})
	return e, err
}

func acts() (words []string) {
	for _, r := range access.Rules() {
		words = append(words, string(r.Act))
	}
	return words
}

func explain(tx state.Reader, asks access.Actor, kind access.Kind, q control.AccessQuestion, now time.Time) (e control.Explanation, err error) {
	e = control.Explanation{Person: q.Person, Act: q.Act, On: q.On}
	on, err := resource(tx, asks, kind, q.On, now)
	if err != nil {
		return e, err
	}
	u, err := tx.User(q.Person)
	if err != nil {
		return e, err
	}
	who, err := access.ActorOf(tx, u, access.Credential{}, now)
	if err != nil {
		return e, err
	}
	e.Explanation = access.Explain(who, q.Act, on)
	if u.Disabled {
		e.Allowed, e.Reason, e.Change = false, u.Name+" is disabled: nothing that they sign in with works", []string{"an operator can enable them"}
	}
	e.Operators, err = operators(tx)
	return e, err
}

// resource reads what a question is about, which its asker has to find.
func resource(tx state.Reader, asks access.Actor, kind access.Kind, name string, now time.Time) (on access.Resource, err error) {
	if (name == "") != (kind == access.OnNode) {
		return on, fmt.Errorf("%w: on %s", access.ErrBadQuestion, map[access.Kind]string{
			access.OnApp: "names the app that this act is about", access.OnRequest: "is the id of the request that this act is about", access.OnPerson: "names the person that this act is about",
			access.OnGroup: "names the group that this act is about", access.OnNode: "is left out: the act is about the node",
		}[kind])
	}
	switch kind {
	case access.OnApp:
		app, err := tx.App(name)
		if on = control.OfApp(app); err == nil {
			err = access.May(asks, access.FindApp, on)
		}
		if err != nil {
			err = fmt.Errorf("app %.80q: %w", name, err)
		}
		return on, err
	case access.OnRequest:
		r, err := tx.Request(name)
		if err == nil {
			r, err = control.CountVotes(tx, r, r.Policy, now)
		}
		if on = control.OfRequest(r); err == nil {
			err = access.May(asks, access.ReadRequest, on)
		}
		if err != nil {
			err = fmt.Errorf("request %.80q: %w", name, err)
		}
		return on, err
	case access.OnPerson:
		person, err := known(tx, name)
		return access.Person(person), err
	case access.OnGroup:
		g, err := find(tx, asks, access.ReadGroup, name)
		return access.TheGroup(g.ID, g.Name), err
	}
	return access.TheNode, nil
}

// namedOperators is how many operators an explanation names, of those who can change what it says.
const namedOperators = 5

func operators(tx state.Reader) (names []string, err error) {
	users, err := tx.Users()
	for _, u := range users {
		if u.CanOperate() && len(names) < namedOperators {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return names, err
}
