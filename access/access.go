package access

import (
	"context"
	"errors"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrUnauthenticated: no valid token or session.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrForbidden: the actor's roles do not allow the act.
	ErrForbidden = errors.New("not allowed")
	// ErrNotFound: no such user, token, session or link.
	ErrNotFound = errors.New("not found")
	ErrNoUser   = sentinel.New(ErrNotFound, "there is no such user")
	ErrNoToken  = sentinel.New(ErrNotFound, "there is no such token")
	// ErrLinkUsed: a sign-in link that was used, expired or never existed.
	ErrLinkUsed = errors.New("the sign-in link is used up")
	// ErrBadUser: a user name or role that is not valid.
	ErrBadUser = errors.New("the user is not valid")
	// ErrLastOperator: the change would leave no one who can manage the node.
	ErrLastOperator = errors.New("the node would have no operator")
)

// User is a person or a machine that acts.
type User struct {
	ID      string    `json:"id,omitempty"` // see NewPersonID; what is kept refers to a person by it
	Name    string    `json:"name"`         // as CanonicalName writes it: the identity that signs. It can change
	Roles   []Role    `json:"roles"`        // that an operator gave
	Created time.Time `json:"created"`
	// SignedIn is when this user first used a sign-in link; zero: never.
	SignedIn time.Time `json:"signed_in,omitzero"`
	// Given are the roles that rules gave, by what sign-in providers said of the user: see GroupRule.
	Given []Given `json:"given,omitempty"`
	// Disabled users are refused everywhere.
	Disabled bool `json:"disabled,omitempty"`
	// Of a service account: the person who answers for it, what it is for, and when it was deleted;
	// see ServiceAccounts. "" for a person.
	Sponsor string    `json:"sponsor,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Ended   time.Time `json:"ended,omitzero"`
	// Former are the names that the user had, oldest first.
	Former []FormerName `json:"former,omitempty"`
	// Delegations say who decides in this reviewer's place. DecidesFor are those of whom one names this user:
	// what holds of them now, the function DecidesFor says.
	Delegations []Delegation `json:"delegations,omitempty"`
	DecidesFor  []string     `json:"decides_for,omitempty"`
}

// CredentialKind is the use of a stored secret.
type CredentialKind string

const (
	KindToken   CredentialKind = "token"   // API
	KindSession CredentialKind = "session" // browser cookie
	KindLink    CredentialKind = "link"    // one-time sign-in
	KindSignOn  CredentialKind = "sso"     // cookie of the console that is good for signing on to apps alone
	KindCode    CredentialKind = "code"    // one-time, by which an app's address gets a session of its own
	KindApp     CredentialKind = "app"     // session at the address of one app
	KindLogin   CredentialKind = "login"   // one-time, by which a program gets a token once a person has confirmed it
	KindSpent   CredentialKind = "spent"   // no secret: a token of a workload's that was exchanged, remembered while it could come again
)

// Credential is a secret's record: never the secret.
type Credential struct {
	ID      string         `json:"id"`             // public, for listing and deleting
	Hash    string         `json:"hash,omitempty"` // hex SHA-256 of the secret
	Kind    CredentialKind `json:"kind"`
	User    string         `json:"user"`
	Label   string         `json:"label,omitempty"` // what a token is for
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires,omitzero"` // zero: never
	// Used is when it was last used, of a token to the hour, of a session to a few minutes; zero: never, or
	// before this was kept.
	Used time.Time `json:"used,omitzero"`
	Reach

	// Of a session that began at a sign-in provider: the id of the account, and the SessionKey of
	// the session there.
	Account         string `json:"account,omitempty"`
	ProviderSession string `json:"provider_session,omitempty"`

	// Automation names what acts with a token on behalf of its user: see abi.Behalf.
	Automation string `json:"automation,omitempty"`
	// Rule is the id of the workload rule by which a token was exchanged.
	Rule string `json:"rule,omitempty"`

	// A credential that was made with a token ends with it, and so does all that is made with it
	// in turn. Both are zero for what was made in a session that no token stands behind. Of what a
	// session makes for the addresses of apps the parent is the session.
	Parent string    `json:"parent,omitempty"` // id of the token or session
	Until  time.Time `json:"until,omitzero"`   // when it ends; zero: never

	// Of KindSession.
	Idle   time.Duration `json:"idle,omitempty"` // it ends unused for so long; 0: not by that
	Device Device        `json:"device,omitzero"`
	Proven time.Time     `json:"proven,omitzero"` // when its person gave proof last; zero: that is not known, and not recent

	// Of KindSignOn, KindCode, KindApp and KindLogin: the hash of the session of the console that they end with.
	Session string `json:"session,omitempty"`
	// Of KindCode and KindApp.
	Host string `json:"host,omitempty"` // the app's address that it is good at, in its one form
	// Of KindCode, KindLogin and, but for the challenge, KindSpent.
	Challenge string `json:"challenge,omitempty"` // the S256 of the verifier that it is used up with
	Became    string `json:"became,omitempty"`    // hash of the session or token that it was used up for
	// Of KindLogin.
	Login LoginRequest `json:"login,omitzero"`
}

// Reader is what one transaction can read of access. Methods return ErrNotFound for what does not
// exist.
type Reader interface {
	User(name string) (User, error)
	// Person returns whom a text refers to: the id, the name or a former name of a user.
	Person(text string) (Identity, error)
	Users() ([]User, error) // by name
	// Absent lists the users who have said that they are, were or will be away, and named nobody, by name; some may be
	// missing whose absence is over.
	Absent() ([]User, error)
	// ServiceAccounts lists the service accounts of a sponsor, "" for all, by name; with those that
	// were deleted.
	ServiceAccounts(sponsor string) ([]User, error)
	CredentialByHash(hash string) (Credential, error)
	Credentials(user string) ([]Credential, error) // by kind, oldest first
	// EndedCredentials returns the hashes of credentials that have ended, most of them at most, by the
	// second in which they ended and by hash.
	EndedCredentials(now time.Time, most int) (hashes []string, err error)
	GroupReader
	AccountReader
	MadeWith(parent string) ([]Credential, error) // whose parent is the credential of that id
	AudienceReader
	QuotaReader
	LinksReader
}

// Writer is what one transaction can change of access.
type Writer interface {
	// PutUser stores a user. One who is there under another name, by the id, has this name from then on.
	PutUser(User) error
	// PutCredential stores a credential. A new one is stored by AddCredential.
	PutCredential(Credential) error
	DeleteCredential(hash string) error
	GroupWriter
	AccountWriter
	AudienceWriter
	QuotaWriter
	LinksWriter
}

// Tx is access's part of one transaction.
type Tx interface {
	Reader
	Writer
}

// Actor is who is acting now.
type Actor struct {
	User  string
	Roles []Role
	// Groups are the ids of the groups that the user is in, in order.
	Groups []string
	// For are the reviewers in whose place the actor decides, with what of their roles and their groups counts
	// there: see DecidesFor.
	For []Actor
	Via CredentialKind
	abi.Behalf

	Credential string    // hash of the secret that was shown; "" for the node itself
	Parent     string    // of what this actor makes, see Credential
	Until      time.Time // likewise
	Since      time.Time // when the credential was made
	Proven     time.Time // of a session: when the person gave proof last
	Reach                // of the credential
}

type actorKey struct{}

// WithActor puts who is acting into a context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom is who is acting; the zero Actor is no one.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
