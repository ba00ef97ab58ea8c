package access

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNameTaken: the name is another person's, or was.
var ErrNameTaken = errors.New("the name is taken")

// Identity is whom a reference leads to.
type Identity struct {
	ID   string `json:"id"`
	Name string `json:"name"` // that the person has now
}

// FormerName is a name that a person had. It stays theirs: signatures, certificates and records name
// them by it, so that it is never given to another person.
type FormerName struct {
	Name  string    `json:"name"`
	Until time.Time `json:"until"`
}

const personPrefix = "u_"

// NewPersonID makes an id: 128 random bits, which say nothing of the person and never change. No name
// of a person can be taken for one.
func NewPersonID() string {
	var b [16]byte
	rand.Read(b[:])
	return personPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// IsPersonID reports whether a reference is the id of a person, and no name.
func IsPersonID(text string) bool { return strings.HasPrefix(text, personPrefix) }

// References are what leads to a user: the id, the name, and the names that were.
func (u User) References() []string {
	all := []string{u.Name}
	if u.ID != "" {
		all = append(all, u.ID)
	}
	for _, f := range u.Former {
		all = append(all, f.Name)
	}
	return all
}

// free returns nil if no person has or had a name, or only the person of an id.
func free(tx Reader, name, id string) error {
	p, err := tx.Person(name)
	switch {
	case errors.Is(err, ErrNotFound) || (err == nil && id != "" && p.ID == id):
		return nil
	case err != nil:
		return err
	case p.Name == name:
		return fmt.Errorf("%s is another person's name: %w", name, ErrNameTaken)
	}
	return fmt.Errorf("%s was the name of %s: %w", name, p.Name, ErrNameTaken)
}

// Rename gives a user another name. Everything that refers to them refers to them under it: they go on
// as they were, with their credentials, apps, keys and decisions. The old name stays theirs, and they
// may take it again.
func Rename(tx Tx, from, to string, now time.Time) (User, error) {
	u, err := tx.User(from)
	if err != nil {
		return u, fmt.Errorf("user %q: %w", from, err)
	}
	if to, err = CanonicalName(to); err != nil {
		return u, err
	}
	if err := errors.Join(AsPerson(from, "keeps its name"), AsPerson(to, "a person is not called like one")); err != nil {
		return u, err
	}
	if to == u.Name {
		return u, fmt.Errorf("%w: %s has that name already", ErrBadUser, to)
	}
	if err := free(tx, to, u.ID); err != nil {
		return u, err
	}
	u.Former = slices.DeleteFunc(slices.Clone(u.Former), func(f FormerName) bool { return f.Name == to })
	u.Former = append(u.Former, FormerName{Name: u.Name, Until: now.UTC()})
	u.Name = to
	return u, tx.PutUser(u)
}
