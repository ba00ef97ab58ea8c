package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Explanation says whether an actor may do something now, by what, and who could change that.
type Explanation struct {
	Allowed bool     `json:"allowed"`
	Reason  string   `json:"reason"` // by which role and as what, or what is missing
	Ways    []string `json:"ways"`   // all ways to be allowed, as the table has them
	Change  []string `json:"change"` // who could change it, and how
}

// Explain is May with its reason, for people.
func Explain(a Actor, act Act, on Resource) Explanation {
	r := ruleOf(act, on)
	e := Explanation{Ways: r.shown().Who}
	err := May(a, act, on)
	if e.Allowed = err == nil; e.Allowed {
		i := slices.IndexFunc(r.ways, func(w way) bool { return w.roles.has(a, on) && w.be.is(a, on) && w.while.holds(on) })
		e.Reason, e.Change = r.ways[i].granted(a, on)
		return e
	}
	e.Reason, e.Change = inThird(a.User, err.Error()), r.remedy(a, on, err)
	return e
}

// inThird has a refusal, which speaks to whoever is refused, speak about a person.
func inThird(person, text string) string {
	return strings.NewReplacer(", and you are "+person, ", and "+person+" is another person", "you own it with them", person+" owns it with them",
		"allow you to", "allow "+person+" to", "your role is", "the role of "+person+" is", "to you", "to "+person).Replace(text)
}

// granted says by which role and as what an actor may do something, and who could take that away.
func (w way) granted(a Actor, on Resource) (reason string, change []string) {
	reason = a.User + " is signed in"
	for _, r := range w.roles.any {
		if i := slices.IndexFunc(a.Roles, func(held Role) bool {
			of, _, group := held.Parts()
			return of == r && (group == "" || w.roles.anyGroup || group == on.Group)
		}); i >= 0 {
			reason = fmt.Sprintf("%s has the role %s", a.User, a.Roles[i])
			change = append(change, "an operator can take the role away")
			break
		}
	}
	if w.be.words != "" {
		reason += ", and is " + w.be.actually(a, on)
	}
	if w.while.words != "" {
		reason += ", while " + w.while.words
	}
	if w.be.words != "" && on.Kind == OnApp {
		change = append(change, "the owner "+on.Owner+" and operators say who owns the app")
	}
	if len(change) == 0 {
		change = []string{"an operator can disable " + a.User}
	}
	return reason, change
}

// actually says what an actor is to a resource, where the table names several things at once.
func (b being) actually(a Actor, on Resource) string {
	switch {
	case b.words != "one of its owners":
		return b.words
	case a.User == on.Owner:
		return "its owner"
	case a.User == on.CoOwner:
		return "its co-owner"
	}
	return "in the group that owns it"
}

// remedy says who could change a refusal.
func (r *rule) remedy(a Actor, on Resource, err error) []string {
	switch {
	case errors.Is(err, ErrOwnRequest):
		return []string{"nobody: another reviewer, whom the request does not concern, decides"}
	case errors.Is(err, ErrNotNow):
		return []string{"whoever may bring it into another state: " + r.condition(a, on)}
	case errors.Is(err, ErrNotOwner), errors.Is(err, ErrNotOffered):
		return []string{"the owner " + on.Owner + " can hand the app over, or name a co-owner or a group", "an operator can do the same"}
	}
	var roles []string
	for _, d := range Door(r.act) {
		if d != SignedIn && !slices.Contains(roles, d.Word()) {
			roles = append(roles, d.Word())
		}
	}
	if len(roles) == 0 {
		return []string{"nobody: it is for " + r.audience(on)}
	}
	return []string{"an operator can give the role " + strings.Join(roles, " or ")}
}

// KindOf returns what kind of thing an act is about; false if there is no such act.
func KindOf(act Act) (Kind, bool) {
	r := byAct[act]
	if r == nil {
		return "", false
	}
	return r.on, true
}
