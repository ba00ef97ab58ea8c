package boltstore

import (
	"errors"
	"os"

	"github.com/agora-host/agora/state"
)

// Attempt implements state.Attempts.
func (t *reader) Attempt(user, name string) (a state.Attempt, found bool, err error) {
	a, err = get[state.Attempt](t.tx, bAttempts, key(user, name), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return a, false, nil
	}
	return a, err == nil, err
}

// Attempts implements state.Attempts.
func (t *reader) Attempts(user string) ([]state.Attempt, error) {
	return all[state.Attempt](t, bAttempts, within(user))
}

// PutAttempt implements state.AttemptWriter.
func (t *transaction) PutAttempt(a state.Attempt) error {
	return put(t.w, bAttempts, key(a.User, a.Key), a)
}

// DeleteAttempt implements state.AttemptWriter.
func (t *transaction) DeleteAttempt(user, name string) error {
	return t.w.remove(bAttempts, key(user, name))
}
