package metering

import (
	"errors"
	"fmt"
	"time"
)

// ErrSpent: the fuel of the day is used up, of whom an app belongs to.
var ErrSpent = errors.New("the fuel of the day is used up")

// SpentError says which quota of fuel is used up. It names no person.
type SpentError struct {
	Quota string
	Of    string    // "person", "group" or "node"
	Until time.Time // when it begins anew
}

func (e *SpentError) Error() string {
	whose := map[string]string{"person": "the person who owns the app", "group": "the group that owns the app", "node": "this node"}[e.Of]
	return fmt.Sprintf("the quota %q of %s is used up for today: the app runs again at %s UTC, or once an operator has raised the quota", e.Quota, whose, e.Until.UTC().Format("2006-01-02 15:04"))
}

// Unwrap returns ErrSpent.
func (e *SpentError) Unwrap() error { return ErrSpent }
