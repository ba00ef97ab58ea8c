package registry

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrQuarantined: the app was stopped to protect the people who use it.
	ErrQuarantined = errors.New("the app is quarantined")
	// ErrNotGuard: a quarantine begins and ends by others than the one who tried.
	ErrNotGuard = errors.New("a quarantine is for reviewers of security and operators")
)

// Quarantine says who found that something is wrong with an app, and what. It is no Suspension: its owners
// neither set nor end it, and what could be evidence stays as it is while it lasts. What the app was beside
// it (suspended, being deleted) it is again when it ends.
type Quarantine struct {
	By        string    `json:"by"`
	Authority Authority `json:"authority"` // in whose name: "reviewer" or "operator"
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"`
}

// guard is in whose name a party quarantines. That it owns the app, too, does not lower it: an owner who
// finds that a key was stolen waits for no one.
func (p Party) guard() Authority {
	switch {
	case p.Operator:
		return ByOperator
	case p.Security:
		return ByReviewer
	}
	return ""
}

// SetQuarantine keeps the app from everybody. An authority that is above the one that quarantined it takes its
// place. An app that is being deleted can be quarantined: its wait stands still until that ends.
func (a App) SetQuarantine(p Party, by, reason string, now time.Time) (App, error) {
	if a.Removal != nil {
		return a, a.Stopped()
	}
	q := Quarantine{By: by, Authority: p.guard(), At: now, Reason: reason}
	if q.Authority == "" {
		return a, fmt.Errorf("app %q: %w", a.Name, ErrNotGuard)
	}
	if was := a.Quarantine; was != nil {
		if rank(q.Authority) <= rank(was.Authority) {
			return a, fmt.Errorf("app %q is quarantined already, by %s: %w", a.Name, was.By, ErrState)
		}
		q.At = was.At // a wait that stands still has stood since then
	}
	a.Quarantine = &q
	return a, nil
}

// EndQuarantine lets the app be what it was before: for the authority that quarantined it, or one above. Who
// owns the app never ends it, whatever else they are.
func (a App) EndQuarantine(p Party, now time.Time) (App, error) {
	q := a.Quarantine
	switch {
	case a.Removal != nil:
		return a, a.Stopped()
	case q == nil:
		return a, fmt.Errorf("app %q is not quarantined: %w", a.Name, ErrState)
	case p.owns() && p.guard() != "": // an operator, who is not to be told that it takes one
		return a, fmt.Errorf("app %q was quarantined by %s, %s; you own it, and its owners do not end that, whatever else they are: ask another operator, or make a colleague one (agora users set USER --add-role operator): %w", a.Name, q.By, q.Authority.words(), ErrNotGuard)
	case p.owns() || rank(p.guard()) < rank(q.Authority):
		return a, fmt.Errorf("app %q was quarantined by %s, %s: %w", a.Name, q.By, q.Authority.words(), ErrNotGuard)
	}
	if a.Deletion != nil {
		d := *a.Deletion
		d.Until = d.Until.Add(max(now.Sub(q.At), 0))
		a.Deletion = &d
	}
	a.Quarantine = nil
	return a, nil
}

// Free returns nil if the app can be changed as a whole: it is alive, and not quarantined.
func (a App) Free() error {
	if q := a.Quarantine; q != nil && a.Removal == nil {
		return fmt.Errorf("app %q was quarantined by %s, %s, and stays as it is until that ends: %w", a.Name, q.By, q.Authority.words(), ErrState)
	}
	return a.Alive()
}
