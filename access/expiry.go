package access

import (
	"errors"
	"time"
)

// mostForgotten bounds how many credentials one transaction forgets.
const mostForgotten = 1000

// AddCredential stores a new credential, and makes room first: what has ended neither lets anyone in
// nor counts.
func AddCredential(tx Tx, c Credential, now time.Time) error {
	if _, err := ForgetEnded(tx, now); err != nil {
		return err
	}
	return tx.PutCredential(c)
}

// ForgetEnded forgets credentials that have ended, with all that was made with them, and reports whether
// there may be more of them: a transaction that others wait for forgets some.
func ForgetEnded(tx Tx, now time.Time) (more bool, err error) {
	ended, err := tx.EndedCredentials(now, mostForgotten)
	for _, hash := range ended {
		c, readErr := tx.CredentialByHash(hash)
		if errors.Is(readErr, ErrNotFound) {
			continue // it was made with one that came before
		}
		if err = errors.Join(err, readErr); readErr == nil {
			err = errors.Join(err, Revoke(tx, c))
		}
	}
	return len(ended) == mostForgotten, err
}
