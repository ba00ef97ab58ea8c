package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrSuspended: the app serves nothing until it is resumed.
	ErrSuspended = errors.New("the app is suspended")
	// ErrDeleting: the app serves nothing, and is removed once its wait is over.
	ErrDeleting = errors.New("the app is being deleted")
	// ErrRemoved: the app and what it kept are gone. Its name is not given again.
	ErrRemoved = errors.New("the app was removed")
	// ErrState: the app is not in a state in which that can be done.
	ErrState = errors.New("the app's state does not allow that")
	// ErrHeld: the app was suspended by an authority that is above the one that would resume it.
	ErrHeld = errors.New("the suspension is not yours to end")
	// ErrBadOwner: the app cannot be handed to that person.
	ErrBadOwner = errors.New("no owner of an app")
	// ErrBadText: a reason or a title is too long, or no text.
	ErrBadText = errors.New("the text is not valid")
	// ErrNotOffered: no one offered the app to the one who would take or refuse it.
	ErrNotOffered = errors.New("the app is not offered to you")
)

// State is where an app is in its life.
type State string

// An app is active until it is put in maintenance, suspended or its deletion is asked for. A deletion can be undone
// until its wait is over; then the app is removed, in steps that nothing ends but their end. A
// quarantine stands above both, and ends before they matter again. See Moves.
const (
	StateActive      State = "active"
	StateMaintenance State = "maintenance" // it serves, and gets nothing new
	StateSuspended   State = "suspended"
	StateDeleting    State = "deleting"    // stopped, and waits to be removed
	StateQuarantined State = "quarantined" // stopped because something is wrong with it
	StateRemoving    State = "removing"    // it is erased now
	StateRemoved     State = "removed"     // only its name is left, and what was billed and decided
)

// Authority is in whose name an act was done.
type Authority string

// The authorities, lowest first.
const (
	ByOwner    Authority = "owner"
	ByReviewer Authority = "reviewer"
	ByOperator Authority = "operator"
)

// words is an authority with its article.
func (a Authority) words() string {
	if a == ByReviewer {
		return "a reviewer"
	}
	return "an " + string(a)
}

// Party is what a person is to an app. Shares says that they own it with its owner: as its co-owner, or
// in its group; Security, that they are a reviewer who looks at security, alone or among other concerns.
type Party struct{ Owner, Shares, Reviewer, Security, Operator bool }

// owns reports whether the party is one of the app's owners.
func (p Party) owns() bool { return p.Owner || p.Shares }

// authority is in whose name a party suspends: an owner's own app in the owner's, so that who
// loses a role later can still resume it.
func (p Party) authority() Authority {
	switch {
	case p.owns():
		return ByOwner
	case p.Operator:
		return ByOperator
	case p.Reviewer:
		return ByReviewer
	}
	return ""
}

// Suspension says who stopped an app.
type Suspension struct {
	By        string    `json:"by"`
	Authority Authority `json:"authority"` // in whose name: "owner", "reviewer" or "operator"
	At        time.Time `json:"at"`
	Reason    string    `json:"reason,omitempty"`
}

// Deletion says until when the deletion of an app can be undone.
type Deletion struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"` // then the app is removed
	Reason string    `json:"reason,omitempty"`
}

// Removal is what is known of an app that is being removed, or was.
type Removal struct {
	By          string    `json:"by"` // who asked for it
	Asked       time.Time `json:"asked"`
	Reason      string    `json:"reason,omitempty"`
	Began       time.Time `json:"began"`
	Inventory   []Removed `json:"inventory,omitempty"` // what is being removed, until it is done
	Done        time.Time `json:"done,omitzero"`
	Certificate string    `json:"certificate,omitempty"` // once it is done
}

// Offer is an app that its owner hands over, until it is taken, refused or taken back.
type Offer struct {
	To string    `json:"to"`
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// State returns where the app is in its life.
func (a App) State() State {
	switch {
	case a.Removal != nil && !a.Removal.Done.IsZero():
		return StateRemoved
	case a.Removal != nil:
		return StateRemoving
	case a.Quarantine != nil:
		return StateQuarantined
	case a.Deletion != nil:
		return StateDeleting
	case a.Suspension != nil:
		return StateSuspended
	case a.Maintenance != nil:
		return StateMaintenance
	}
	return StateActive
}

// KnownAs is the name by which colleagues know an identity, and no address that takes mail: for
// texts that reach people who are not signed in.
func KnownAs(identity string) string {
	name, _, _ := strings.Cut(identity, "@")
	return name
}

// StoppedError says why an app serves nothing, and whom to ask, in words that are for everybody: the
// reason that was given is not in them.
type StoppedError struct {
	words string
	kind  error // ErrSuspended, ErrQuarantined, ErrDeleting or ErrRemoved
}

func (e *StoppedError) Error() string { return e.words }
func (e *StoppedError) Unwrap() error { return e.kind }

// Stopped returns a *StoppedError if the app serves nothing, and nil if it may serve.
func (a App) Stopped() error {
	stopped := func(kind error, form string, args ...any) error {
		return &StoppedError{fmt.Sprintf(form, append([]any{a.Name}, args...)...), kind}
	}
	switch a.State() {
	case StateSuspended:
		if s := a.Suspension; s.Authority != ByOwner {
			return stopped(ErrSuspended, "The app %q was suspended by %s, %s. Ask them, or the app's owner %s.", KnownAs(s.By), s.Authority.words(), KnownAs(a.Owner))
		}
		return stopped(ErrSuspended, "The app %q was suspended by its owner. Ask %s.", KnownAs(a.Owner))
	case StateQuarantined:
		q := a.Quarantine
		return stopped(ErrQuarantined, "The app %q was stopped by %s, %s, to protect the people who use it. Ask them, or the app's owner %s.", KnownAs(q.By), q.Authority.words(), KnownAs(a.Owner))
	case StateDeleting:
		return stopped(ErrDeleting, "The app %q will be removed on %s. Ask its owner %s.", a.Deletion.Until.UTC().Format("2 January 2006, 15:04 UTC"), KnownAs(a.Owner))
	case StateRemoving, StateRemoved:
		return stopped(ErrRemoved, "The app %q was deleted. Its name is not given again.")
	}
	return nil
}

// Alive returns nil if there is an app to change: it is neither removed nor about to be.
func (a App) Alive() error {
	if a.Removal != nil {
		return a.Stopped()
	}
	if a.Deletion != nil {
		return fmt.Errorf("app %q is being deleted; undo that first: %w", a.Name, ErrState)
	}
	return nil
}

func rank(a Authority) int {
	return map[Authority]int{ByOwner: 1, ByReviewer: 2, ByOperator: 3}[a]
}

// Suspend stops the app. An authority that is above the one that suspended it takes its place.
func (a App) Suspend(p Party, by, reason string, now time.Time) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	s := Suspension{By: by, Authority: p.authority(), At: now, Reason: reason}
	if s.Authority == "" {
		return a, fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOwner)
	}
	if a.Suspension != nil && rank(s.Authority) <= rank(a.Suspension.Authority) {
		return a, fmt.Errorf("app %q is suspended already, by %s: %w", a.Name, a.Suspension.By, ErrState)
	}
	a.Suspension = &s
	return a, nil
}

// Resume ends a suspension: an operator any, others what their own authority suspended. A reviewer
// does not resume an app of their own that was suspended by another.
func (a App) Resume(p Party) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	s := a.Suspension
	if s == nil {
		return a, fmt.Errorf("app %q is not suspended: %w", a.Name, ErrState)
	}
	may := p.Operator || (p.owns() && s.Authority == ByOwner) || (p.Reviewer && !p.owns() && s.Authority == ByReviewer)
	switch {
	case may:
		a.Suspension = nil
		return a, nil
	case p.owns():
		return a, fmt.Errorf("app %q was suspended by %s, %s: %w", a.Name, s.By, s.Authority.words(), ErrHeld)
	case p.Reviewer:
		return a, fmt.Errorf("app %q was suspended by %s, its %s: %w", a.Name, s.By, s.Authority, ErrHeld)
	}
	return a, fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOwner)
}

// owned refuses who is neither the owner nor an operator.
func (a App) owned(p Party) error {
	switch {
	case p.Owner || p.Operator:
		return nil
	case p.Shares:
		return fmt.Errorf("app %q belongs to %s; you own it with them, and this is the owner's alone: %w", a.Name, a.Owner, ErrNotOwner)
	}
	return fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOwner)
}

// Delete stops the app, which is removed at the time of d.Until. An offer to hand it over ends.
func (a App) Delete(p Party, d Deletion) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if err := a.owned(p); err != nil {
		return a, err
	}
	a.Deletion, a.Offer = &d, nil
	return a, nil
}

// Undelete ends a deletion before its time. The app is then as it was: suspended, if it was.
func (a App) Undelete(p Party) (App, error) {
	if a.Removal != nil {
		return a, a.Alive()
	}
	if a.Quarantine != nil {
		return a, a.Free()
	}
	if err := a.owned(p); err != nil {
		return a, err
	}
	if a.Deletion == nil {
		return a, fmt.Errorf("app %q is not being deleted: %w", a.Name, ErrState)
	}
	a.Deletion = nil
	return a, nil
}

// Due reports whether the app is to be removed by now, or is half removed.
func (a App) Due(now time.Time) bool {
	return a.State() == StateRemoving || (a.State() == StateDeleting && !now.Before(a.Deletion.Until))
}

// BeginRemoval makes the removal of an app irrevocable. inventory is what will be removed, for the
// certificate: what was removed already is not counted again after a crash.
func (a App) BeginRemoval(inventory []Removed, now time.Time) (App, error) {
	if a.State() != StateDeleting || !a.Due(now) {
		return a, fmt.Errorf("app %q is not to be removed now: %w", a.Name, ErrState)
	}
	r := Removal{By: a.Deletion.By, Asked: a.Deletion.At, Reason: a.Deletion.Reason, Began: now, Inventory: inventory}
	return a.left(r), nil
}

// left is what stays of a removed app.
func (a App) left(r Removal) App {
	return App{
		Name: a.Name, Owner: a.Owner, CoOwner: a.CoOwner, Group: a.Group, Team: a.Team, CostCenter: a.CostCenter, Classification: a.Classification,
		Created: a.Created, Releases: a.Releases, Removal: &r,
	}
}

// FinishRemoval leaves the name of an app, and whom it was billed to.
func (a App) FinishRemoval(certificate string, now time.Time) (App, error) {
	if a.State() != StateRemoving {
		return a, fmt.Errorf("app %q is not being removed: %w", a.Name, ErrState)
	}
	done := *a.Removal
	done.Done, done.Certificate, done.Inventory = now, certificate, nil
	return a.left(done), nil
}

// OfferTo lets another person take the app over.
func (a App) OfferTo(p Party, o Offer) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if !p.Owner {
		return a, fmt.Errorf("app %q belongs to %s, who alone offers it: %w", a.Name, a.Owner, ErrNotOwner)
	}
	if o.To == a.Owner {
		return a, fmt.Errorf("app %q belongs to %s already: %w", a.Name, a.Owner, ErrState)
	}
	a.Offer = &o
	return a, nil
}

// EndOffer takes an offer back, or refuses it.
func (a App) EndOffer(p Party, who string) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if a.Offer == nil {
		return a, fmt.Errorf("app %q is not offered: %w", a.Name, ErrState)
	}
	if a.Offer.To != who && !p.Owner && !p.Operator {
		return a, fmt.Errorf("app %q is offered to %s: %w", a.Name, a.Offer.To, ErrNotOffered)
	}
	a.Offer = nil
	return a, nil
}

// Accept makes the one to whom the app was offered its owner.
func (a App) Accept(who string) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if a.Offer == nil || a.Offer.To != who {
		return a, fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOffered)
	}
	return a.belongTo(who), nil
}

// HandOver makes another person the owner at once: for an operator, where the owner left. A quarantined app
// is handed over only by an operator who does not own it.
func (a App) HandOver(p Party, to string) (App, error) {
	if err := a.Alive(); err != nil {
		return a, err
	}
	if a.Quarantine != nil && (p.owns() || !p.Operator) {
		return a, a.Free()
	}
	if p.Shares && !p.Operator {
		return a, a.owned(p)
	}
	if !p.Operator {
		return a, fmt.Errorf("app %q belongs to %s; only an operator hands it over at once: %w", a.Name, a.Owner, ErrNotOwner)
	}
	if to == a.Owner {
		return a, fmt.Errorf("app %q belongs to %s already: %w", a.Name, a.Owner, ErrState)
	}
	return a.belongTo(to), nil
}

// belongTo makes a person the owner. A co-owner who becomes it leaves that place empty.
func (a App) belongTo(who string) App {
	if a.Owner, a.Offer = who, nil; a.CoOwner == who {
		a.CoOwner = ""
	}
	return a
}

// ShareWith makes a person ("" for none) and a group ("" for none) owners beside the owner, in the
// place of those that were.
func (a App) ShareWith(p Party, coOwner, group string) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if err := a.owned(p); err != nil {
		return a, err
	}
	if coOwner == a.Owner {
		return a, fmt.Errorf("%s owns the app %q, and the co-owner is another person: %w", coOwner, a.Name, ErrBadOwner)
	}
	a.CoOwner, a.Group = coOwner, group
	return a, nil
}
