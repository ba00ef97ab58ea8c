package access

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrUnvouched: the provider does not vouch for the mail address.
	ErrUnvouched = errors.New("the sign-in provider does not vouch for your mail address")
	// ErrNotConnected: the mail address is the name of a user to whom the account is not connected.
	ErrNotConnected = errors.New("a user here has your mail address, and the account is not connected to that user")
	// ErrAccountTaken: the account is connected to another user, or the user has another account there.
	ErrAccountTaken = errors.New("the account cannot be connected")
	// ErrNoAccount: the user has no such account.
	ErrNoAccount = sentinel.New(ErrNotFound, "there is no such account")
	// ErrLastWayIn: without the account its user could not sign in.
	ErrLastWayIn = errors.New("it is the only way in")
)

// Account is a user's account at a sign-in provider. By provider, issuer and subject they are known
// when they sign in there, and by nothing else.
type Account struct {
	ID       string `json:"id"` // AccountID of the three below
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	User     string `json:"user"`
	// Email and Name are what the provider wrote last. They are labels: a mail address that moves to
	// another account moves nothing else.
	Email     string    `json:"email,omitempty"`
	Name      string    `json:"name,omitempty"`
	Connected time.Time `json:"connected"`
	SignedIn  time.Time `json:"signed_in,omitzero"` // last; zero: never
	// GroupsAt is when the provider said the person's groups last; zero: never.
	GroupsAt time.Time `json:"groups_at,omitzero"`
}

// AccountReader reads accounts. What it returns nothing of is ErrNoAccount.
type AccountReader interface {
	Account(id string) (Account, error)
	// Accounts lists a user's accounts, by provider.
	Accounts(user string) ([]Account, error)
	// SessionsAt lists the sessions that began with a session at a provider, by its SessionKey.
	SessionsAt(key string) ([]Credential, error)
}

// AccountWriter changes accounts.
type AccountWriter interface {
	PutAccount(Account) error
	DeleteAccount(id string) error
}

// AccountID names an account: whoever knows the three texts finds it, and its id leads to none of
// them.
func AccountID(provider, issuer, subject string) string {
	return "a_" + digest(provider, issuer, subject)
}

// SessionKey is by what the sessions are found that began with a session at a provider; "" for one
// that the provider does not name.
func SessionKey(provider, issuer, session string) string {
	if session == "" {
		return ""
	}
	return digest(provider, issuer, session)
}

// digest is 160 bits of texts that somebody else chose, whatever is in them.
func digest(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20]))
}

// Key is the id of the account that an assertion is about.
func (a Assertion) Key() string { return AccountID(a.Provider, a.Issuer, a.Subject) }

// GivenFor is how long roles hold that rules gave, after the provider said what they were given for:
// so long a person keeps them who does not sign in, and so do their tokens.
const GivenFor = 30 * 24 * time.Hour

// Arrival is a person who comes from a provider.
type Arrival struct {
	Assertion
	rules   RoleRules
	now     time.Time
	id      string // of a user who is new
	groupID string // of which those of new groups are made
}

// Arrive makes an Arrival. It is made before the transaction, which may run more than once.
func Arrive(who Assertion, rules RoleRules, now time.Time) Arrival {
	return Arrival{who, rules, now.UTC(), NewPersonID(), NewGroupID()}
}

// SignInTx is what a sign-in needs of a transaction.
type SignInTx interface {
	Tx
	// ProvisionedAs returns the person whom a provider told of, by its own key; ErrNotProvisioned.
	ProvisionedAs(provider, external string) (Provisioned, error)
}

// SignIn finds or makes the user who an assertion is about, with the roles that rules give. Whom the
// provider has told of before, by the subject, is that person. A new user's name is their mail address, if the provider vouches for it and no person has or had it.
func SignIn(tx SignInTx, who Arrival) (Told, error) {
	known, err := tx.ProvisionedAs(who.Provider, who.Subject)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Told{}, err
	}
	if err == nil {
		who.GroupsLeftOut = false // the provider says them by provisioning
	}
	a, notYet := tx.Account(who.Key())
	if notYet == nil {
		return signInto(tx, a, who)
	}
	if !errors.Is(notYet, ErrNotFound) {
		return Told{}, notYet
	}
	switch {
	case err == nil && !known.Deleted.IsZero():
		return Told{}, fmt.Errorf("%s has taken you from the people of this node: %w", who.Provider, ErrForbidden)
	case err == nil:
		return Connect(tx, known.Person, who)
	}
	name, err := nameFor(tx, who.Assertion)
	if err != nil {
		return Told{}, err
	}
	u, err := ChangeUser(tx, User{ID: who.id, Name: name, Created: who.now})
	if err != nil {
		return Told{}, err
	}
	told, err := signInto(tx, Account{Connected: who.now, User: u.Name}, who)
	told.NewUser = true
	return told, err
}

// nameFor is UserName, if no user has or had it.
func nameFor(tx Reader, who Assertion) (string, error) {
	name, err := who.UserName()
	if err != nil {
		return "", err
	}
	switch err := free(tx, name, ""); {
	case errors.Is(err, ErrNameTaken):
		return "", fmt.Errorf("%w: if you are %s, sign in as you did before, or with a link of an operator's, and connect this account in your settings", ErrNotConnected, name)
	case err != nil:
		return "", err
	}
	return name, nil
}

// UserName is what a user is called who comes from a provider for the first time: the mail address, if
// the provider vouches for it. ErrUnvouched.
func (a Assertion) UserName() (string, error) {
	name, err := CanonicalName(a.Email)
	if err != nil {
		return "", fmt.Errorf("%w: a user here is named by a mail address, and the provider says %.80q", ErrUnvouched, a.Email)
	}
	if !a.Verified {
		return "", fmt.Errorf("%w: %s may be another person's; the people who run the node can set trust_email for it if they know that this provider checks addresses", ErrUnvouched, name)
	}
	return name, nil
}

// Connect makes an account a user's who is signed in already. A user has one account at each provider.
func Connect(tx Tx, user string, who Arrival) (Told, error) {
	who.GroupsLeftOut = false // that counts where somebody signs in
	a, err := tx.Account(who.Key())
	switch {
	case err == nil && a.User != user:
		return Told{}, fmt.Errorf("%w: it is connected to another user here; disconnect it there first", ErrAccountTaken)
	case err == nil:
		return signInto(tx, a, who)
	case !errors.Is(err, ErrNotFound):
		return Told{}, err
	}
	all, err := tx.Accounts(user)
	if err != nil {
		return Told{}, err
	}
	if slices.ContainsFunc(all, func(a Account) bool { return a.Provider == who.Provider }) {
		return Told{}, fmt.Errorf("%w: there is another account at %s; disconnect that one first", ErrAccountTaken, who.Provider)
	}
	return signInto(tx, Account{Connected: who.now, User: user}, who)
}

// Told is what a sign-in at a provider has changed.
type Told struct {
	User    User
	Account Account
	NewUser bool
	New     bool // the account was not connected before
	// Members are memberships that began or ended, and Made groups that are new.
	Members []MemberChange
	Made    []Group
	Roles   bool // rules gave or took a role
}

func signInto(tx Tx, a Account, who Arrival) (Told, error) {
	told := Told{New: a.ID == ""}
	u, err := tx.User(a.User)
	if err == nil && u.Disabled {
		err = fmt.Errorf("%s is disabled here; an operator can enable that user again: %w", u.Name, ErrForbidden)
	}
	if err != nil {
		return told, err
	}
	a.ID, a.Provider, a.Issuer, a.Subject = who.Key(), who.Provider, who.Issuer, who.Subject
	a.Email, a.Name, a.SignedIn = who.Email, who.Name, who.now
	if who.GroupsLeftOut && !a.GroupsAt.IsZero() {
		who.Groups, who.GroupsKnown = nil, true
	}
	if who.GroupsKnown {
		a.GroupsAt = who.now
	}
	if u.SignedIn.IsZero() {
		u.SignedIn = who.now
		if err := tx.PutUser(u); err != nil {
			return told, err
		}
	}
	if err := tx.PutAccount(a); err != nil {
		return told, err
	}
	told.Account = a
	if who.GroupsKnown {
		if told.Members, told.Made, err = TellGroups(tx, u.Name, who.Provider, who.Groups, who.groupID, who.now); err != nil {
			return told, err
		}
	}
	told.User, err = ApplyRules(tx, u.Name, who.rules)
	told.Roles = !slices.EqualFunc(u.Given, told.User.Given, func(a, b Given) bool { return a.Role == b.Role })
	return told, err
}

// Disconnect takes an account from a user, with the roles that it gave and the sessions that began
// with it. What goes on by other ways goes on.
func Disconnect(tx Tx, user, id string, rules RoleRules) (Account, error) {
	a, err := tx.Account(id)
	if err == nil && a.User != user {
		err = ErrNoAccount
	}
	if err != nil {
		return a, err
	}
	if err := tx.DeleteAccount(id); err != nil {
		return a, err
	}
	if _, err := EndSessions(tx, user, func(c Credential) bool { return c.Account == id }); err != nil {
		return a, err
	}
	_, err = ApplyRules(tx, user, rules)
	return a, err
}

// ApplyRules gives a user the roles that rules give for their accounts now, and no others of rules.
func ApplyRules(tx Tx, user string, rules RoleRules) (User, error) {
	u, err := tx.User(user)
	if err != nil {
		return u, err
	}
	given, err := GivenTo(tx, user, rules)
	if err != nil || slices.EqualFunc(given, u.Given, Given.same) {
		return u, err
	}
	u.Given = given
	return u, tx.PutUser(u)
}

// Outdated reports whether rules give a user other roles than those that the user has of rules.
func Outdated(tx Reader, u User, rules RoleRules) (bool, error) {
	given, err := GivenTo(tx, u.Name, rules)
	return err == nil && !slices.EqualFunc(given, u.Given, Given.same), err
}

// GivenTo returns what rules give to a user, by their accounts and the groups that these providers
// tell.
func GivenTo(tx Reader, user string, rules RoleRules) (given []Given, err error) {
	accounts, err := tx.Accounts(user)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		groups, err := groupsAt(tx, user, a.Provider)
		if err != nil {
			return nil, err
		}
		for _, g := range rules.Give(a.Provider, slices.Sorted(maps.Keys(groups))) {
			g.GroupID = groups[g.Group]
			at := a.SignedIn
			if g.Group != "" && !a.GroupsAt.IsZero() {
				at = a.GroupsAt
			}
			g.Until = at.Add(GivenFor)
			given = append(given, g)
		}
	}
	return given, nil
}

// groupsAt returns what a rule can name of a user's groups at a provider, and the ids that the groups
// have here: the provider's own keys, and these ids. Names of groups are labels, which anybody may take
// who renames one.
func groupsAt(tx Reader, user, provider string) (map[string]string, error) {
	ids, err := tx.GroupsOf(user)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, id := range ids {
		g, err := tx.Group(id)
		if err != nil {
			return nil, err
		}
		if g.Source == provider {
			all[id] = id
			if g.External != "" {
				all[g.External] = id
			}
		}
	}
	return all, nil
}

// Holds reports whether an operator or a rule gave a user a role, be it for one concern or one group.
func (u User) Holds(r Role) bool {
	is := func(held Role) bool { of, _, _ := held.Parts(); return of == r || held == r }
	return slices.ContainsFunc(u.Roles, is) || slices.ContainsFunc(u.Given, func(g Given) bool { return is(g.Role) })
}

// RolesAt are the roles that a user has at a time who is in some groups, by their ids: those that an
// operator gave, and those that rules gave and that still hold.
func (u User) RolesAt(now time.Time, groups []string) []Role {
	if len(u.Given) == 0 {
		return u.Roles
	}
	all := slices.Clone(u.Roles)
	for _, g := range u.Given {
		if now.Before(g.Until) && (g.GroupID == "" || In(groups, g.GroupID)) && !slices.Contains(all, g.Role) {
			all = append(all, g.Role)
		}
	}
	return all
}

// EndAt ends the sessions that a provider's notice is about, and returns them: those that began with
// the session there that it names, or all of an account.
func EndAt(tx Tx, e Ended) ([]Credential, error) {
	about := func(c Credential) bool { return !c.Created.After(e.At) }
	var ended []Credential
	if e.Session != "" {
		sessions, err := tx.SessionsAt(SessionKey(e.Provider, e.Issuer, e.Session))
		if ended, err = endThose(tx, sessions, about, err); err != nil {
			return nil, err
		}
	}
	a, err := tx.Account(AccountID(e.Provider, e.Issuer, e.Subject))
	if errors.Is(err, ErrNotFound) {
		return ended, nil
	}
	if err != nil {
		return nil, err
	}
	more, err := EndSessions(tx, a.User, func(c Credential) bool {
		return c.Account == a.ID && about(c) && (e.Session == "" || c.ProviderSession == "") // which may be that session's
	})
	return append(ended, more...), err
}

// EndSessions ends those of a user's sessions of the console that a predicate names, with all that they made,
// and returns them.
func EndSessions(tx Tx, user string, those func(Credential) bool) ([]Credential, error) {
	all, err := tx.Credentials(user)
	return endThose(tx, all, func(c Credential) bool { return c.Kind == KindSession && those(c) }, err)
}

func endThose(tx Tx, all []Credential, those func(Credential) bool, err error) (ended []Credential, _ error) {
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if !those(c) {
			continue
		}
		if err := Revoke(tx, c); err != nil {
			return nil, err
		}
		ended = append(ended, c)
	}
	return ended, nil
}
