package access

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// prefixes make a leaked secret recognisable.
var prefixes = map[CredentialKind]string{KindToken: "agora_tok_", KindSession: "agora_ses_", KindLink: "agora_lnk_", KindProvisioning: "agora_scim_",
	KindSignOn: "agora_sso_", KindCode: "agora_cod_", KindApp: "agora_app_", KindLogin: "agora_log_"}

// Made reports whether a text has the form of a secret of a kind, of which a record may or may not exist.
func (k CredentialKind) Made(text string) bool { return strings.HasPrefix(text, prefixes[k]) }

// NewSecret makes a secret of 256 random bits, and the hash to store.
func NewSecret(kind CredentialKind) (secret, hash string) {
	var b [32]byte
	rand.Read(b[:])
	secret = prefixes[kind] + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, Hash(secret)
}

// Hash is how a secret is stored. A plain SHA-256 suffices: there is nothing to
// guess in 256 random bits.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// SecretPrefix begins every secret that this package makes, whatever its kind.
const SecretPrefix = "agora_"

// Authenticate returns who holds a token or a session of the console. Links do not
// authenticate: they are used up by UseLink. What is good at an app's address, or for signing on to
// one, is good for that alone.
func Authenticate(tx Reader, secret string, now time.Time) (Actor, Credential, error) {
	c, u, err := lookup(tx, secret, now)
	if err != nil {
		return Actor{}, c, err
	}
	if c.Kind != KindToken && c.Kind != KindSession {
		return Actor{}, c, fmt.Errorf("this secret is no token, and no session of the console: %w", ErrUnauthenticated)
	}
	if c.OpensApp() {
		return Actor{}, c, fmt.Errorf("this token opens %s at its own address, and is not for the API: %w", c.Apps[0], ErrUnauthenticated)
	}
	actor, err := ActorOf(tx, u, c, now)
	return actor, c, err
}

// ActorOf returns who acts when a user shows a token or a session.
func ActorOf(tx Reader, u User, c Credential, now time.Time) (Actor, error) {
	actor := Actor{
		User: u.Name, Behalf: abi.Behalf{Automation: c.Automation},
		Via: c.Kind, Credential: c.Hash, Parent: c.Parent, Until: c.Until, Since: c.Created, Proven: c.Proven, Reach: c.Reach,
	}
	if c.Kind == KindToken {
		actor.Parent, actor.Until = c.ID, c.Expires
	}
	if u.Sponsor != "" {
		return actor, standIn(tx, u, now, &actor)
	}
	groups, err := tx.GroupsOf(u.Name)
	actor.Roles, actor.Groups = u.RolesAt(now, groups), groups
	if err == nil && len(u.DecidesFor) > 0 {
		actor.For, err = DecidesFor(tx, actor, now)
	}
	return actor, err
}

// UseLink uses up a sign-in link and returns whose it was. The user is stored as one who has
// signed in. What the link was made with bounds the session, which the credential says.
func UseLink(tx Tx, secret string, now time.Time) (User, Credential, error) {
	c, u, err := lookup(tx, secret, now)
	if errors.Is(err, ErrUnauthenticated) || (err == nil && c.Kind != KindLink) {
		return User{}, Credential{}, fmt.Errorf("%w; ask an operator for another, or start the node with --admin-link", ErrLinkUsed)
	}
	if err == nil {
		_, err = TakesLink(tx, c.Label)
	}
	if err != nil {
		return User{}, Credential{}, err
	}
	if u.SignedIn.IsZero() {
		u.SignedIn = now.UTC()
		if err := tx.PutUser(u); err != nil {
			return User{}, Credential{}, err
		}
	}
	return u, c, tx.DeleteCredential(c.Hash)
}

// Within cuts the life of a credential to that of the token behind it.
func (c Credential) Within(parent string, until time.Time) Credential {
	c.Parent, c.Until = parent, until
	if !until.IsZero() && (c.Expires.IsZero() || c.Expires.After(until)) {
		c.Expires = until
	}
	return c
}

// Revoke ends a credential and all that was made with it, down to the last.
func Revoke(tx Tx, c Credential) error {
	ending := []Credential{c}
	for i := 0; i < len(ending); i++ {
		if err := tx.DeleteCredential(ending[i].Hash); err != nil {
			return err
		}
		if ending[i].ID == "" || ending[i].Kind != KindToken && ending[i].Kind != KindSession {
			continue
		}
		made, err := tx.MadeWith(ending[i].ID)
		if err != nil {
			return err
		}
		ending = append(ending, made...)
	}
	return nil
}

// Current returns an error unless an actor still is who they were when they were let in: the
// credential is there, the user is not disabled, and has the roles.
func Current(tx Reader, a Actor) error {
	if a.Credential == "" {
		return nil
	}
	_, err := tx.CredentialByHash(a.Credential)
	if a.Provider() != "" {
		if errors.Is(err, ErrNotFound) {
			return ErrUnauthenticated
		}
		return err
	}
	var u User
	if err == nil {
		u, err = tx.User(a.User)
	}
	if errors.Is(err, ErrNotFound) || (err == nil && u.Disabled) {
		return fmt.Errorf("what you signed in with has ended meanwhile: %w", ErrUnauthenticated)
	}
	if err != nil {
		return err
	}
	if u.Sponsor != "" {
		return currentService(tx, u, a)
	}
	if len(a.Groups) > 0 {
		groups, err := tx.GroupsOf(a.User)
		if err != nil {
			return err
		}
		for _, g := range a.Groups {
			if !In(groups, g) {
				return fmt.Errorf("you were taken out of a group meanwhile; try again: %w", ErrForbidden)
			}
		}
	}
	for _, r := range a.Roles {
		if !u.Holds(r) {
			return fmt.Errorf("an operator took the role %s from you meanwhile: %w", r, ErrForbidden)
		}
	}
	return nil
}

// currentService is Current for a service account, which hangs on its sponsor as well. What lapses with
// time lapsed before the actor was let in, or will be asked for next time.
func currentService(tx Reader, u User, a Actor) error {
	var now Actor
	if err := standIn(tx, u, time.Time{}, &now); err != nil {
		return err
	}
	if now.Sponsor != a.Sponsor {
		return fmt.Errorf("%s answers for the service account now: %w", now.Sponsor, ErrUnauthenticated)
	}
	for _, g := range a.Groups {
		if !In(now.Groups, g) {
			return fmt.Errorf("%s was taken out of a group meanwhile; try again: %w", a.Sponsor, ErrForbidden)
		}
	}
	for _, r := range a.Roles {
		if !slices.Contains(now.Roles, r) {
			return fmt.Errorf("the role %s was taken from the service account or from %s meanwhile: %w", r, a.Sponsor, ErrForbidden)
		}
	}
	return nil
}

func lookup(tx Reader, secret string, now time.Time) (Credential, User, error) {
	return lookupHash(tx, Hash(secret), now)
}

func lookupHash(tx Reader, hash string, now time.Time) (Credential, User, error) {
	c, err := tx.CredentialByHash(hash)
	if errors.Is(err, ErrNotFound) || (err == nil && c.Ended(now)) {
		return Credential{}, User{}, ErrUnauthenticated
	}
	if err == nil && c.Session != "" {
		_, err = behind(tx, c, now)
	}
	if err != nil {
		return Credential{}, User{}, err
	}
	u, err := tx.User(c.User)
	if errors.Is(err, ErrNotFound) || (err == nil && u.Disabled) {
		return Credential{}, User{}, ErrUnauthenticated
	}
	return c, u, err
}

// Require returns nil if the actor has one of the roles.
func Require(a Actor, anyOf ...Role) error {
	if a.User == "" {
		return ErrUnauthenticated
	}
	if slices.ContainsFunc(anyOf, a.Has) {
		return nil
	}
	return a.lacks(anyOf)
}

// lacks is the refusal of an actor who has none of some roles.
func (a Actor) lacks(anyOf []Role) error {
	if len(a.Roles) == 0 {
		return fmt.Errorf("%s has no role, which an operator can give: %w", a.User, ErrForbidden)
	}
	words := make([]string, len(anyOf))
	for i, r := range anyOf {
		words[i] = r.Word()
	}
	return fmt.Errorf("%s needs the role %s, which an operator can give: %w", a.User, strings.Join(words, " or "), ErrForbidden)
}

var userName = regexp.MustCompile(`\A[a-z0-9][a-z0-9._+-]{0,62}@[a-z0-9]([a-z0-9.-]{0,188}[a-z0-9])?\z`)

// CanonicalName returns the one form of a user's name, in which it is stored, compared and signed:
// a plain mail address of ASCII letters, digits and . _ + -, in lower case, without spaces around
// it. Two names are one user's exactly if their canonical forms are the same. Letters beyond ASCII
// are refused and not folded: what looks like another name is another name, or none.
func CanonicalName(text string) (string, error) {
	name := strings.Trim(text, " \t\r\n")
	for i := range len(name) {
		if name[i] >= 0x80 {
			return "", fmt.Errorf("%w: %.80q has letters beyond ASCII; write the mail address in a-z, an international domain in its xn-- form", ErrBadUser, text)
		}
	}
	name = strings.ToLower(name)
	if !userName.MatchString(name) || strings.Contains(name, "..") {
		return "", fmt.Errorf("%w: %.80q is no plain mail address such as ada@example.com", ErrBadUser, text)
	}
	return name, nil
}

// CheckUser reports whether a user can be stored: a name that is a plain
// lower-case mail address, and roles that exist.
func CheckUser(u User) error {
	if name, err := CanonicalName(u.Name); err != nil || name != u.Name {
		return fmt.Errorf("%w: %q is no plain mail address in lower case", ErrBadUser, u.Name)
	}
	return checkRoles(u.Roles)
}

// CanOperate reports whether a user can manage the node, and goes on to be able to whatever a sign-in
// provider says: a role that rules gave does not count. A service account is not counted.
func (u User) CanOperate() bool {
	return !u.Disabled && u.Sponsor == "" && slices.Contains(u.Roles, RoleOperator)
}

// ChangeUser stores a user, new or changed; the id counts for a new one alone. It refuses a change that would leave the node without
// an operator, whoever makes it. What a user signed in with ends when the user is disabled, so
// that nothing of it works again if the user is enabled later; so does what the service accounts come in
// with that the user answers for.
func ChangeUser(tx Tx, u User) (User, error) {
	roles, err := ResolveRoles(tx, u.Roles)
	if err != nil {
		return u, err
	}
	u.Roles = roles
	if err := CheckUser(u); err != nil {
		return u, err
	}
	if err := AsPerson(u.Name, "is changed as one"); err != nil {
		return u, err
	}
	old, err := tx.User(u.Name)
	if errors.Is(err, ErrNotFound) {
		if err := free(tx, u.Name, ""); err != nil {
			return u, err
		}
		u.ID = cmp.Or(u.ID, NewPersonID())
		return u, tx.PutUser(u)
	}
	if err != nil {
		return u, err
	}
	u.ID, u.Former, u.Created, u.SignedIn, u.Given = old.ID, old.Former, old.Created, old.SignedIn, old.Given
	u.Delegations, u.DecidesFor = old.Delegations, old.DecidesFor
	if old.CanOperate() && !u.CanOperate() {
		if err := keepsAnOperator(tx, u.Name); err != nil {
			return u, err
		}
	}
	if u.Disabled {
		u.Delegations, u.DecidesFor = nil, nil
		if err := errors.Join(endAll(tx, u.Name), endServiceAccounts(tx, u.Name)); err != nil {
			return u, err
		}
	}
	return u, tx.PutUser(u)
}

func keepsAnOperator(tx Reader, without string) error {
	users, err := tx.Users()
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.Name != without && u.CanOperate() {
			return nil
		}
	}
	return fmt.Errorf("%s is the last operator: %w", without, ErrLastOperator)
}

func endAll(tx Tx, user string) error {
	all, err := tx.Credentials(user)
	if err != nil {
		return err
	}
	for _, c := range all {
		// One that was made with another of these may have ended with it.
		if err := Revoke(tx, c); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
