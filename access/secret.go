package access

import (
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
)

// prefixes make a leaked secret recognisable.
var prefixes = map[CredentialKind]string{KindToken: "agora_tok_", KindSession: "agora_ses_", KindLink: "agora_lnk_"}

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

// Authenticate answers who holds a token or a session. Links do not
// authenticate: they are used up by UseLink.
func Authenticate(tx Tx, secret string, now time.Time) (Actor, error) {
	c, u, err := lookup(tx, secret, now)
	if err != nil {
		return Actor{}, err
	}
	if c.Kind == KindLink {
		return Actor{}, fmt.Errorf("a sign-in link is no token: %w", ErrUnauthenticated)
	}
	return Actor{User: u.Name, Roles: u.Roles, Via: c.Kind}, nil
}

// UseLink uses up a sign-in link and answers whose it was.
func UseLink(tx Tx, secret string, now time.Time) (User, error) {
	c, u, err := lookup(tx, secret, now)
	if errors.Is(err, ErrUnauthenticated) || (err == nil && c.Kind != KindLink) {
		return User{}, fmt.Errorf("%w; ask an operator for another, or start the node again", ErrLinkUsed)
	}
	if err != nil {
		return User{}, err
	}
	return u, tx.DeleteCredential(c.Hash)
}

func lookup(tx Tx, secret string, now time.Time) (Credential, User, error) {
	c, err := tx.CredentialByHash(Hash(secret))
	if errors.Is(err, ErrNotFound) || (err == nil && !c.Expires.IsZero() && !now.Before(c.Expires)) {
		return Credential{}, User{}, ErrUnauthenticated
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

// Require answers nil if the actor has one of the roles.
func Require(a Actor, anyOf ...Role) error {
	if a.User == "" {
		return ErrUnauthenticated
	}
	if slices.ContainsFunc(anyOf, a.Has) {
		return nil
	}
	words := make([]string, len(anyOf))
	for i, r := range anyOf {
		words[i] = string(r)
	}
	return fmt.Errorf("%s needs the role %s, which an operator can give: %w", a.User, strings.Join(words, " or "), ErrForbidden)
}

var userName = regexp.MustCompile(`\A[a-z0-9][a-z0-9._+-]{0,62}@[a-z0-9]([a-z0-9.-]{0,188}[a-z0-9])?\z`)

// CheckUser tells whether a user can be stored: a name that is a plain
// lower-case mail address, and roles that exist.
func CheckUser(u User) error {
	if !userName.MatchString(u.Name) || strings.Contains(u.Name, "..") {
		return fmt.Errorf("%w: %q is no plain mail address in lower case", ErrBadUser, u.Name)
	}
	for _, r := range u.Roles {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("%w: there is no role %q; use viewer, developer, reviewer or operator", ErrBadUser, r)
		}
	}
	return nil
}
