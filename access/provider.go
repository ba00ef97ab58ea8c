package access

import (
	"errors"
	"time"

	"github.com/agora-host/agora/internal/sentinel"
)

// What becomes of a sign-in at a provider.
var (
	// ErrProviderDown: the provider does not respond, or responds with what cannot be used.
	ErrProviderDown = errors.New("the sign-in provider cannot be reached")
	// ErrProviderRefused: the provider did not sign the person in; the text says what it says.
	ErrProviderRefused = errors.New("the sign-in provider did not sign you in")
	// ErrUntrustedSignIn: what came back is not of a sign-in that this browser began, or its token
	// fails a check.
	ErrUntrustedSignIn = errors.New("the sign-in cannot be trusted")
	// ErrNotFresh: the person did not give proof anew, although that was asked for.
	ErrNotFresh = errors.New("the provider did not ask you to sign in again")
	// ErrNoProvider: there is no sign-in provider of that name.
	ErrNoProvider = sentinel.New(ErrNotFound, "there is no such sign-in provider")
)

// Login is a sign-in that a browser has begun. The browser keeps it, where no script reads it.
type Login struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE, RFC 7636
	Began    time.Time `json:"b"`
	// Fresh is how long ago the person may have given proof at most; 0: at any time.
	Fresh time.Duration `json:"f,omitempty"`
	// To is the page where the person goes on. Connect is the user to whom the account is to be
	// connected; "": whoever it is signs in.
	To      string `json:"t,omitempty"`
	Connect string `json:"u,omitempty"`
	// Again is the user who is signed in here, and signs in once more; "": no one.
	Again string `json:"a,omitempty"`
}

// LoginLasts is how long a sign-in that was begun can be finished.
const LoginLasts = 10 * time.Minute

// Assertion is what a provider says about a person who signed in there.
type Assertion struct {
	Provider, Issuer, Subject string

	Email    string // a label: it is never what a person is found by
	Verified bool   // the provider vouches that the address is theirs
	Name     string
	// Groups are the groups; unless GroupsKnown, the provider has not said them, and nothing
	// follows from their absence.
	Groups      []string
	GroupsKnown bool
	// GroupsLeftOut: there is no claim of them, nor a word that they are elsewhere. From a provider that has
	// said a person's groups before, this is how some (Keycloak) say that the person is in none any more.
	GroupsLeftOut bool
	// AuthTime is when the person gave proof; zero if the provider does not say.
	AuthTime time.Time
	// SessionID is the provider's, for its notice when that session ends; "" if it has none.
	SessionID string
}

// Ended is a provider's notice that a person's session there has ended (OpenID Connect Back-Channel
// Logout 1.0).
type Ended struct {
	Provider, Issuer string
	// Session is the provider's session; "": all of Subject's.
	Session string
	Subject string
	// ID is the notice's own, by which a second copy of it is known.
	ID string
	// At is when the provider made the notice: it is about no later session, however often it comes.
	At time.Time
}
