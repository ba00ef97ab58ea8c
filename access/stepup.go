package access

import (
	"errors"
	"fmt"
	"time"
)

// ErrStepUp: the act asks for a sign-in of a moment ago.
var ErrStepUp = errors.New("this asks for a fresh sign-in")

// FreshByDefault is how long ago a person may have given proof for what asks for a fresh sign-in.
const FreshByDefault = 15 * time.Minute

// CheckFresh returns an error unless that can be how long a sign-in is fresh.
func CheckFresh(within time.Duration) error {
	if within != 0 && (within < time.Minute || within > 24*time.Hour) {
		return fmt.Errorf("a sign-in is fresh for %s: write 1m at least, 24h at most, or 0 for as long as the session lasts", within)
	}
	return nil
}

// afresh are the acts for which a session is not enough in which a person gave proof hours ago: to decide, and to
// change who may. A window that is left open, and a cookie that is stolen, do none of them. What a token may do,
// its scopes say.
var afresh = map[Act]bool{
	DecideRequest: true, CertifyGrant: true, GrantEmergency: true, Delegate: true,
	ManagePerson: true, ManageGroup: true, SetQuotas: true,
}

// Afresh reports whether an act asks a session for a fresh sign-in.
func Afresh(act Act) bool { return afresh[act] }

// Recent returns an error if an act asks for a fresh sign-in, and the person gave proof longer ago than within; 0
// switches that off.
func Recent(a Actor, act Act, within time.Duration, now time.Time) error {
	if within <= 0 || !afresh[act] || a.Via != KindSession || now.Before(a.Proven.Add(within)) {
		return nil
	}
	return fmt.Errorf("%s is done by a person who signed in within the last %d minutes: %w", act, int(within.Minutes()), ErrStepUp)
}

// ProvenAt is when a person gave proof who signs in at a provider; zero, which is never, if it does not say.
func (a Assertion) ProvenAt(now time.Time) time.Time {
	if a.AuthTime.After(now) { // its clock is ahead
		return now.UTC()
	}
	return a.AuthTime.UTC()
}

// SignInAgain notes in a session that its person gave proof once more. Another person's proof counts for nothing.
func SignInAgain(tx Tx, session Credential, who User, at time.Time) error {
	if session.Kind != KindSession || session.User != who.Name {
		return fmt.Errorf("%w: another person than you signed in; sign out to go on as that person", ErrUntrustedSignIn)
	}
	if at.After(session.Proven) {
		session.Proven = at
	}
	return tx.PutCredential(session)
}
