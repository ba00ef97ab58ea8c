package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrCode: a code for an app's address that was used, is too old, or is for another address or
	// another browser.
	ErrCode = errors.New("the sign-on did not complete")
	// ErrNotAdmitted: the person is not in the app's audience.
	ErrNotAdmitted = errors.New("the app is not for you")
)

var (
	// What is refused at the address of an app; package gate decides it.

	// ErrSignIn: the app is for people who are signed in, and the request is of none.
	ErrSignIn = errors.New("sign in to open this app")
	// ErrUnseen: the state cannot be read, so that nothing is known of who may open an app.
	ErrUnseen = errors.New("who may open this app cannot be read")
	// ErrSessionEnded: the session ended while the app worked for it.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrCrossSite: another site's page asked for it.
	ErrCrossSite = errors.New("another site asked for this")
	// ErrWorker: a service worker would outlive the session.
	ErrWorker = errors.New("service workers are not allowed here")
	// ErrPlatformToken: a token of the platform was sent to an app.
	ErrPlatformToken = errors.New("this token is not for apps")
	// ErrMisdirected: the Host header is not written as the address is.
	ErrMisdirected = errors.New("the address is written otherwise")
	// ErrNoCookies: at this address no browser keeps a sign-in.
	ErrNoCookies = errors.New("no sign-in is kept at this address")
	// ErrNoPath: nothing is at this path of the node's own.
	ErrNoPath = errors.New("the platform has nothing at this path")
	// ErrPathMethod: the path exists, but not for this method.
	ErrPathMethod = errors.New("the platform does not take this method here")
)

// How long what is made for an app's address lives.
const (
	CodeLife       = 30 * time.Second
	AppSessionLife = 24 * time.Hour // and no longer than the session of the console
	// codeKept is how long a used code is remembered, so that a second use is noticed.
	codeKept = 10 * time.Minute
)

// How many sessions at apps' addresses stand behind one of the console: one more ends the oldest.
const (
	maxAppSessions   = 200
	maxAtOneAddress  = 4
	minVerifierBytes = 32
)

// Challenge is the S256 of a verifier, by which a code is bound to the browser that asked for it.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// IsChallenge reports whether a text has the form of a challenge.
func IsChallenge(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == sha256.Size
}

// SessionBehind returns the console's session that a secret is of: the session itself, or what signs on
// for it.
func SessionBehind(tx Reader, secret string, now time.Time) (Credential, User, error) {
	c, u, err := lookup(tx, secret, now)
	if err != nil || c.Kind == KindSession {
		return c, u, err
	}
	if c.Kind != KindSignOn {
		return c, u, fmt.Errorf("this secret is no session of the console: %w", ErrUnauthenticated)
	}
	c, err = behind(tx, c, now)
	return c, u, err
}

// child makes a credential that ends with a session.
func (c Credential) child(kind CredentialKind, hash string, now time.Time, life time.Duration) Credential {
	made := Credential{ID: hash[:12], Hash: hash, Kind: kind, User: c.User, Session: c.Hash, Created: now.UTC(), Expires: now.UTC().Add(life)}
	return made.Within(c.ID, c.Expires)
}

// SignOn makes the record of a cookie that is good for signing on to apps, and for nothing else.
func (c Credential) SignOn(hash string, now time.Time) Credential {
	return c.child(KindSignOn, hash, now, 400*24*time.Hour)
}

// Code makes the record of a code that is good once, for a session at an app's address, in the hands of
// whoever has the verifier of the challenge.
func (c Credential) Code(hash, app, host, challenge string, now time.Time) Credential {
	code := c.child(KindCode, hash, now, codeKept)
	code.Reach, code.Host, code.Challenge = Reach{Apps: []string{app}}, host, challenge
	return code
}

// at reports whether a credential is good at an app's address.
func (c Credential) at(app, host string) bool {
	return c.Host == host && len(c.Apps) == 1 && c.Apps[0] == app
}

// UseCode uses up a code and stores the session with that hash at the app's address. A code that is used
// twice ends what it became, and one in other hands is used up: both are reported by ok, and the
// caller commits them.
func UseCode(tx Tx, code, verifier, app, host, hash string, now time.Time) (made Credential, ok bool, err error) {
	c, _, err := lookup(tx, code, now)
	if errors.Is(err, ErrUnauthenticated) || err == nil && (c.Kind != KindCode || !c.at(app, host)) {
		return made, false, fmt.Errorf("this code is not of this address, or is too old: %w", ErrCode)
	}
	if err != nil {
		return made, false, err
	}
	if c.Became != "" {
		first, err := tx.CredentialByHash(c.Became)
		if errors.Is(err, ErrNotFound) {
			return made, false, nil
		}
		if err != nil {
			return made, false, err
		}
		return first, false, tx.DeleteCredential(first.Hash)
	}
	good := len(verifier) >= minVerifierBytes && subtle.ConstantTimeCompare([]byte(Challenge(verifier)), []byte(c.Challenge)) == 1
	if c.Became = "-"; !good || !now.Before(c.Created.Add(CodeLife)) {
		return made, false, tx.PutCredential(c)
	}
	c.Became = hash
	session := Credential{ID: c.Parent, Hash: c.Session, User: c.User, Expires: c.Until}
	made = session.child(KindApp, hash, now, AppSessionLife)
	made.Reach, made.Host = c.Reach, c.Host
	if err := makeRoomAt(tx, c.Parent, host); err != nil {
		return made, false, err
	}
	return made, true, errors.Join(tx.PutCredential(c), tx.PutCredential(made))
}

// makeRoomAt ends the oldest sessions at apps' addresses behind a session, so that one more has room.
func makeRoomAt(tx Tx, parent, host string) error {
	all, err := tx.MadeWith(parent)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c Credential) bool { return c.Kind != KindApp })
	slices.SortFunc(all, func(a, b Credential) int { return a.Created.Compare(b.Created) })
	here := slices.DeleteFunc(slices.Clone(all), func(c Credential) bool { return c.Host != host })
	var ending []Credential
	switch {
	case len(here) >= maxAtOneAddress:
		ending = here[:len(here)-maxAtOneAddress+1]
	case len(all) >= maxAppSessions:
		ending = all[:len(all)-maxAppSessions+1]
	}
	for _, c := range ending {
		if err := tx.DeleteCredential(c.Hash); err != nil {
			return err
		}
	}
	return nil
}

// Visitor is who opens an app at its address.
type Visitor struct {
	Actor Actor
	// Used is what their visit uses, so that it does not end unused: the token, or the session of the
	// console that stands behind.
	Used  Credential
	Until time.Time // when they have to be read again at the latest; zero: never
}

// Visit returns who opens an app at its address with a credential, by its hash: with a session at that
// address, or with a token that opens this app alone. Others are unknown there.
func Visit(tx Reader, hash, app, host string, now time.Time) (v Visitor, err error) {
	c, u, err := lookupHash(tx, hash, now)
	if err != nil {
		return v, err
	}
	v.Used, v.Until = c, c.Ends()
	switch {
	case c.Kind == KindToken && c.Opens(app):
	case c.Kind == KindApp && c.at(app, host):
		if v.Used, err = behind(tx, c, now); err != nil {
			return v, err
		}
		if ends := v.Used.Ends(); !ends.IsZero() && (v.Until.IsZero() || ends.Before(v.Until)) {
			v.Until = ends
		}
	default:
		return v, fmt.Errorf("this is no session at this address: %w", ErrUnauthenticated)
	}
	v.Actor, err = ActorOf(tx, u, c, now)
	return v, err
}
