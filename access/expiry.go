package access

import (
	"errors"
	"time"
)

// mostForgotten bounds how many credentials one transaction forgets.
const mostForgotten = 1000

// Ended reports whether a credential has ended: it lets no user in any more.
func (c Credential) Ended(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// AddCredential stores a new credential, and makes room first: what has ended neither lets anyone in
// nor counts.
func AddCredential(tx Tx, c Credential, now time.Time) error {
	if _, err := ForgetEnded(tx, now); err != nil {
		return err
	}
	return tx.PutCredential(c)
}

// ForgetEnded forgets credentials that have ended, and reports whether there may be more of them: a
// transaction that others wait for forgets some.
func ForgetEnded(tx Tx, now time.Time) (more bool, err error) {
	ended, err := tx.EndedCredentials(now, mostForgotten)
	for _, hash := range ended {
		err = errors.Join(err, tx.DeleteCredential(hash))
	}
	return len(ended) == mostForgotten, err
}
