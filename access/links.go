package access

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrLinksOff: one-time sign-in links are switched off.
var ErrLinksOff = errors.New("one-time sign-in links are switched off")

// Links say whether people may come in with one-time links that operators make. What whoever holds
// the data directory makes is taken in any case: it is the way in when no other is left.
type Links struct {
	Off bool      `json:"off"`
	By  string    `json:"by,omitempty"` // who said so; "": nobody did yet
	At  time.Time `json:"at,omitzero"`
}

// LinksReader reads whether links are taken. They are unless somebody switched them off.
type LinksReader interface {
	Links() (Links, error)
}

// LinksWriter changes whether links are taken.
type LinksWriter interface {
	PutLinks(Links) error
}

// BreakGlass is the label of a link that anyone who holds the data directory made.
const BreakGlass = "break-glass"

// BreakGlassLasts is how long a session lasts that began with such a link while others are not taken.
const BreakGlassLasts = 15 * time.Minute

// TakesLink returns nil if a link is taken, or may be made, and whether it is the only one that is.
func TakesLink(tx LinksReader, label string) (breakGlass bool, err error) {
	l, err := tx.Links()
	if err == nil && l.Off && label != BreakGlass {
		err = ErrLinksOff
	}
	return l.Off, err
}

// SwitchLinks switches one-time links on or off, unless with that no operator could sign in: links are
// switched off only once an operator has signed in at one of the providers that there are.
func SwitchLinks(tx Tx, l Links, providers []string) error {
	if !l.Off {
		return tx.PutLinks(l)
	}
	err := OperatorComesIn(tx, func(a Account) bool { return slices.Contains(providers, a.Provider) })
	if err != nil {
		return err
	}
	return tx.PutLinks(l)
}

// OperatorComesIn returns nil if an operator, whom an operator gave that role, has signed in with an account that there
// says is at a provider of this node; otherwise ErrLastWayIn.
func OperatorComesIn(tx Reader, there func(Account) bool) error {
	users, err := tx.Users()
	if err != nil {
		return err
	}
	for _, u := range users {
		if !u.CanOperate() {
			continue
		}
		all, err := tx.Accounts(u.Name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(a Account) bool { return !a.SignedIn.IsZero() && there(a) }) {
			return nil
		}
	}
	return fmt.Errorf("no operator, whom an operator gave that role, has signed in at a provider yet: %w", ErrLastWayIn)
}
