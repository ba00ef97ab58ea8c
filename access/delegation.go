package access

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	// ErrBadDelegation: a delegation that cannot be made.
	ErrBadDelegation = errors.New("the delegation is not valid")
	// ErrDelegatedRight: what would be delegated was itself delegated.
	ErrDelegatedRight = errors.New("a delegated right cannot be delegated on")
	// ErrNoDelegation: a person has no such delegation, or it has ended.
	ErrNoDelegation = errors.New("there is no such delegation")
)

// What a delegation may be at most.
const (
	MaxDelegation       = 90 * 24 * time.Hour  // how long one runs
	DelegationAhead     = 365 * 24 * time.Hour // how far ahead it may begin
	MaxDelegations      = 20                   // how many a person has
	MaxDelegators       = 50                   // for how many others a person decides
	MaxDelegationReason = 500                  // bytes
)

// Delegation says who decides in a reviewer's place while the reviewer is away. It gives the right to
// vote about requests that the reviewer has by their own roles, and nothing else. One that names nobody is an absence:
// it gives nothing, and those who look at a request are told.
type Delegation struct {
	ID       string    `json:"id"`
	To       string    `json:"to,omitempty"`
	Concerns []Concern `json:"concerns,omitempty"` // none: whatever the reviewer reviews
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason,omitempty"`
	Made     time.Time `json:"made"`
}

// IsAbsence reports whether a delegation names nobody.
func (d Delegation) IsAbsence() bool { return d.To == "" }

// AwayUntil returns until when a person has said that they are away, and named nobody; zero if they have not.
func (u User) AwayUntil(now time.Time) (until time.Time) {
	for _, d := range u.Delegations {
		if d.IsAbsence() && d.Runs(now) && d.Until.After(until) {
			until = d.Until
		}
	}
	return until
}

// Runs reports whether a delegation holds at a time, as far as that depends on the time.
func (d Delegation) Runs(now time.Time) bool { return !now.Before(d.From) && now.Before(d.Until) }

// Check returns an error unless a delegation can be made now by its times, its concerns and its reason.
func (d Delegation) Check(now time.Time) error {
	for i, c := range d.Concerns {
		if !slices.Contains(Concerns(), c) || slices.Contains(d.Concerns[:i], c) {
			return fmt.Errorf("%w: the concerns are security, privacy, finance and platform, each once; leave them out for all that you review", ErrBadDelegation)
		}
	}
	switch reason := strings.TrimSpace(d.Reason); {
	case d.IsAbsence() && len(d.Concerns) > 0:
		return fmt.Errorf("%w: a person is away for all concerns, or names who decides about one", ErrBadDelegation)
	case reason == "" && !d.IsAbsence():
		return fmt.Errorf("%w: say why, for those who read the votes later", ErrBadDelegation)
	case len(reason) > MaxDelegationReason || !plainText(reason):
		return fmt.Errorf("%w: the reason is a text of at most %d bytes without control characters", ErrBadDelegation, MaxDelegationReason)
	case !d.Until.After(d.From):
		return fmt.Errorf("%w: it ends before it begins", ErrBadDelegation)
	case !d.Until.After(now):
		return fmt.Errorf("%w: it would have ended already", ErrBadDelegation)
	case d.Until.Sub(d.From) > MaxDelegation:
		return fmt.Errorf("%w: it runs for %d days at most; who is away for longer gives the role back, and an operator gives it to another person", ErrBadDelegation, MaxDelegation/(24*time.Hour))
	case d.From.After(now.Add(DelegationAhead)):
		return fmt.Errorf("%w: it begins within a year", ErrBadDelegation)
	}
	return nil
}

// AddDelegation has a person decide in a reviewer's place; the id of d is new, see NewDelegationID. The right that it gives is one that the
// reviewer has by a role: who decides for another person does not pass that on, so there are no chains.
func AddDelegation(tx Tx, by string, d Delegation, now time.Time) (Delegation, error) {
	d.Reason, d.Made = strings.TrimSpace(d.Reason), now.UTC()
	if d.From.IsZero() {
		d.From = d.Made
	}
	d.From, d.Until = d.From.UTC(), d.Until.UTC()
	if err := d.Check(now); err != nil {
		return d, err
	}
	from, err := tx.User(by)
	if err != nil {
		return d, err
	}
	if err := canDelegate(tx, from, d, now); err != nil {
		return d, err
	}
	from.Delegations = slices.DeleteFunc(slices.Clone(from.Delegations), func(o Delegation) bool { return !now.Before(o.Until) })
	if len(from.Delegations) >= MaxDelegations {
		return d, fmt.Errorf("%w: you have %d already; end one of them first", ErrBadDelegation, MaxDelegations)
	}
	from.Delegations = append(from.Delegations, d)
	if d.IsAbsence() {
		return d, tx.PutUser(from)
	}
	to, err := delegate(tx, from.Name, d.To, now)
	if err != nil {
		return d, err
	}
	return d, errors.Join(tx.PutUser(from), tx.PutUser(to))
}

// canDelegate returns an error unless a person reviews, by their own roles, what a delegation is about.
func canDelegate(tx Reader, from User, d Delegation, now time.Time) error {
	groups, err := tx.GroupsOf(from.Name)
	if err != nil {
		return err
	}
	own := Actor{User: from.Name, Roles: from.RolesAt(now, groups)}
	theirs, err := DecidesFor(tx, own, now)
	if err != nil {
		return err
	}
	has := func(a Actor, c Concern) bool { return len(narrowed(a.Roles, []Concern{c})) > 0 }
	for _, c := range d.Concerns {
		if has(own, c) {
			continue
		}
		for _, other := range theirs {
			if has(other, c) {
				return fmt.Errorf("you review %s in place of %s alone; ask %s to let %s decide: %w", c, other.User, other.User, d.To, ErrDelegatedRight)
			}
		}
		return fmt.Errorf("%w: you are no reviewer of %s", ErrBadDelegation, c)
	}
	return nil
}

// delegate is the person who is to decide for another, with that noted.
func delegate(tx Reader, from, name string, now time.Time) (User, error) {
	to, err := tx.User(name)
	switch {
	case err != nil:
		return to, fmt.Errorf("user %.80q: %w", name, err)
	case to.Name == from:
		return to, fmt.Errorf("%w: you decide for yourself anyway", ErrBadDelegation)
	case to.Sponsor != "" || IsServiceAccount(to.Name):
		return to, fmt.Errorf("%w: %s is a service account, and people decide", ErrBadDelegation, to.Name)
	case to.Disabled:
		return to, fmt.Errorf("%w: %s has left", ErrBadDelegation, to.Name)
	}
	groups, err := tx.GroupsOf(to.Name)
	if err != nil {
		return to, err
	}
	if len(narrowed(to.RolesAt(now, groups), nil)) == 0 {
		return to, fmt.Errorf("%w: %s is no reviewer of anything; choose one, or ask an operator to give %s the role", ErrBadDelegation, to.Name, to.Name)
	}
	if slices.Contains(to.DecidesFor, from) {
		return to, nil
	}
	var still []string
	for _, name := range to.DecidesFor {
		d, err := tx.User(name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return to, err
		}
		if slices.ContainsFunc(d.Delegations, func(d Delegation) bool { return d.To == to.Name && now.Before(d.Until) }) {
			still = append(still, name)
		}
	}
	if len(still) >= MaxDelegators {
		return to, fmt.Errorf("%w: %s decides for %d others already", ErrBadDelegation, to.Name, MaxDelegators)
	}
	to.DecidesFor = append(still, from)
	return to, nil
}

// EndDelegation ends one before its time.
func EndDelegation(tx Tx, by, id string, now time.Time) (Delegation, error) {
	from, err := tx.User(by)
	if err != nil {
		return Delegation{}, err
	}
	i := slices.IndexFunc(from.Delegations, func(d Delegation) bool { return d.ID == id && now.Before(d.Until) })
	if i < 0 {
		return Delegation{}, fmt.Errorf("%.80q of %s: %w", id, by, ErrNoDelegation)
	}
	d := from.Delegations[i]
	from.Delegations = slices.Delete(slices.Clone(from.Delegations), i, i+1)
	return d, tx.PutUser(from)
}

// Stands says why a person's delegation does not hold at a time; "" if it does.
func (d Delegation) Stands(tx Reader, from User, now time.Time) (why string, err error) {
	groups, err := tx.GroupsOf(from.Name)
	if err != nil {
		return "", err
	}
	if d.IsAbsence() {
		return d.absent(from, groups, now), nil
	}
	to, err := tx.User(d.To)
	if err != nil {
		return "", err
	}
	theirs, err := tx.GroupsOf(to.Name)
	switch {
	case err != nil:
		return "", err
	case from.Disabled:
		return from.Name + " has left", nil
	case to.Disabled || !slices.Contains(to.DecidesFor, from.Name):
		return to.Name + " has left, or had when it began", nil
	case len(narrowed(from.RolesAt(now, groups), d.Concerns)) == 0:
		return from.Name + " is no reviewer of that any more", nil
	case len(narrowed(to.RolesAt(now, theirs), nil)) == 0:
		return to.Name + " is no reviewer any more", nil
	case now.Before(d.From):
		return "it has not begun", nil
	case !d.Runs(now):
		return "it is over", nil
	}
	return "", nil
}

// absent says why an absence does not hold at a time; "" if it does.
func (d Delegation) absent(from User, groups []string, now time.Time) string {
	switch {
	case from.Disabled:
		return from.Name + " has left"
	case len(narrowed(from.RolesAt(now, groups), nil)) == 0:
		return from.Name + " is no reviewer any more"
	case now.Before(d.From):
		return "it has not begun"
	case !d.Runs(now):
		return "it is over"
	}
	return ""
}

// DecidesFor are the people in whose place a reviewer decides at a time, each with the reviewer's
// roles of theirs that were delegated. A delegation holds while both are there and are reviewers: it
// adds to what a reviewer may decide, and makes nobody one. What others delegated to them is not among it.
func DecidesFor(tx Reader, a Actor, now time.Time) (all []Actor, err error) {
	if !a.InPerson() || len(narrowed(a.Roles, nil)) == 0 {
		return nil, nil
	}
	u, err := tx.User(a.User)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range u.DecidesFor {
		from, err := tx.User(name)
		if errors.Is(err, ErrNotFound) || err == nil && (from.Disabled || from.Sponsor != "") {
			continue
		}
		if err != nil {
			return nil, err
		}
		groups, err := tx.GroupsOf(from.Name)
		if err != nil {
			return nil, err
		}
		one := Actor{User: from.Name, Groups: groups}
		for _, d := range from.Delegations {
			if d.To != u.Name || !d.Runs(now) {
				continue
			}
			for _, r := range narrowed(from.RolesAt(now, groups), d.Concerns) {
				if !slices.Contains(one.Roles, r) {
					one.Roles = append(one.Roles, r)
				}
			}
		}
		if len(one.Roles) > 0 {
			all = append(all, one)
		}
	}
	return all, nil
}

// narrowed are the reviewer's roles among some, as far as they are for some concerns; none: for all.
func narrowed(roles []Role, to []Concern) (all []Role) {
	for _, r := range roles {
		of, concern, group := r.Parts()
		switch {
		case of != RoleReviewer:
		case len(to) == 0, concern != "" && slices.Contains(to, concern):
			all = append(all, r)
		case concern == "":
			for _, c := range to {
				one := RoleReviewer + "/" + Role(c)
				if group != "" {
					one += "@" + Role(group)
				}
				all = append(all, one)
			}
		}
	}
	return all
}

// ReviewsAll reports whether an actor is a reviewer of all that a request is about: of one that has no stages.
func ReviewsAll(a Actor, on Resource) bool {
	on.Stages = nil
	return a.User != "" && a.reviews(on)
}

// decidesForOne reports whether an actor decides about a request in the place of a reviewer whom it does not concern.
func (a Actor) decidesForOne(on Resource) bool {
	return slices.ContainsFunc(a.For, func(other Actor) bool {
		return other.reviews(on) && !isConcerned(other, on) && !owned(other, on)
	})
}

// NewDelegationID returns an id that no other delegation has.
func NewDelegationID() string {
	var b [6]byte
	rand.Read(b[:])
	return "d_" + hex.EncodeToString(b[:])
}
