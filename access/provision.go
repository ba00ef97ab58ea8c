package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrProvisioning: what a provider says of its people is not valid.
	ErrProvisioning = errors.New("the provider's person is not valid")
	// ErrProvisionedTwice: a person or a key of the provider is another's already.
	ErrProvisionedTwice = errors.New("the provider's person meets another")
	// ErrNotProvisioned: the provider tells of no such person.
	ErrNotProvisioned = sentinel.New(ErrNotFound, "the provider tells of no such person")
	// ErrNoProvisioning: nothing provisions under that name.
	ErrNoProvisioning = sentinel.New(ErrNotFound, "nothing provisions under that name")
)

// KindProvisioning is the credential of a provider that tells who there is. It opens the front door
// for provisioning, of one provider, and no other.
const KindProvisioning CredentialKind = "provisioning"

// provisioningActor begins the name under which a provider acts, which is no person's.
const provisioningActor = "provisioning:"

// ProvisioningActor is who acts when a provider changes its people.
func ProvisioningActor(provider string) string { return provisioningActor + provider }

// Provider returns whose people an actor keeps; "" for who is no provider.
func (a Actor) Provider() string {
	if a.Via != KindProvisioning {
		return ""
	}
	return strings.TrimPrefix(a.User, provisioningActor)
}

var providerName = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,30}\z`)

// CheckProvider returns an error unless a text can name a provider.
func CheckProvider(name string) error {
	if !providerName.MatchString(name) {
		return fmt.Errorf("%w: a provider's name is 1 to 31 of a-z, 0-9 and -, and begins with a letter, not %.60q", ErrProvisioning, name)
	}
	return nil
}

// Mail is a mail address as a provider tells it: a label, by which no person is found.
type Mail struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Display string `json:"display,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Profile is what a provider tells of a person beside who that is. What Agora does not use is not
// kept.
type Profile struct {
	DisplayName string `json:"display_name,omitempty"`
	Formatted   string `json:"formatted,omitempty"`
	Given       string `json:"given,omitempty"`
	Family      string `json:"family,omitempty"`
	Title       string `json:"title,omitempty"`
	Department  string `json:"department,omitempty"`
	CostCenter  string `json:"cost_center,omitempty"`
	Manager     string `json:"manager,omitempty"` // as the provider names them: an id here, as a rule
	Mails       []Mail `json:"mails,omitempty"`
}

// Provisioned is a person as one provider tells of them. It links a sign-in to the person: who proves
// to be the External of a provider is the Person.
type Provisioned struct {
	Provider string `json:"provider"`
	Person   string `json:"person"` // a name; an id below state/persons
	// External is the provider's own key, "" if it has none: what its sign-in says in the subject.
	External string `json:"external,omitempty"`
	UserName string `json:"user_name"` // as the provider writes it
	Active   bool   `json:"active"`
	Profile
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
	// Deleted is when the provider deleted the person; zero: it has not. What is left is whose
	// External it was, so that who is made again is who they were.
	Deleted time.Time `json:"deleted,omitzero"`
	// Ended is set if it was this provider that disabled the person, who then comes back with it. Whom
	// an operator disabled stays so.
	Ended bool `json:"ended,omitempty"`
}

// Conflict is a person whom a provider tells of and who cannot be one here. A person decides what to
// do about it.
type Conflict struct {
	UserName string    `json:"user_name"`
	External string    `json:"external,omitempty"`
	Person   string    `json:"person,omitempty"` // who is in the way; a name, an id below state/persons
	Why      string    `json:"why"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Times    int       `json:"times"`
}

// Bounds of what is kept of provisioning.
const (
	MaxConflicts     = 100 // of one provider: the oldest go first
	MaxProviders     = 50
	maxProfileText   = 1000
	maxProfileMails  = 20
	maxProviderText  = 512
	conflictsWithout = 10 * time.Minute // one that is met again is written again only after that
)

// Provisioning is that a provider tells who there is.
type Provisioning struct {
	Provider  string     `json:"provider"`
	Created   time.Time  `json:"created"`
	By        string     `json:"by"` // who let it in; a name, an id below state/persons
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// ProvisionReader reads what providers tell.
type ProvisionReader interface {
	// Provisioned returns a person as a provider tells of them, also one whom it has deleted;
	// ErrNotProvisioned.
	Provisioned(provider, person string) (Provisioned, error)
	// ProvisionedAs is Provisioned by the provider's own key.
	ProvisionedAs(provider, external string) (Provisioned, error)
	// ProvisionedNamed is Provisioned by the user name at the provider, letter case aside, of those
	// whom it has not deleted.
	ProvisionedNamed(provider, userName string) (Provisioned, error)
	// ProvisionedFrom lists people of a provider whom it has not deleted, in an order that outlives
	// their names, without the first ones; limit -1: all.
	ProvisionedFrom(provider string, skip, limit int) ([]Provisioned, error)
	// Provisioning returns ErrNoProvisioning for a provider that tells nothing.
	Provisioning(provider string) (Provisioning, error)
	Provisionings() ([]Provisioning, error) // by provider
}

// ProvisionWriter changes it.
type ProvisionWriter interface {
	PutProvisioned(Provisioned) error
	PutProvisioning(Provisioning) error
}

// ProvisionTx is what changing provisioned people needs of a transaction.
type ProvisionTx interface {
	Tx
	ProvisionReader
	ProvisionWriter
}

// AuthenticateProvider returns the provider that holds a secret.
func AuthenticateProvider(tx Reader, secret string, now time.Time) (Actor, error) {
	c, err := tx.CredentialByHash(Hash(secret))
	if errors.Is(err, ErrNotFound) || (err == nil && (c.Kind != KindProvisioning || c.ended(now))) {
		return Actor{}, ErrUnauthenticated
	}
	if err != nil {
		return Actor{}, err
	}
	return Actor{User: c.User, Via: c.Kind, Credential: c.Hash, Parent: c.ID, Until: c.Expires, Since: c.Created}, nil
}

// FoldUserName returns the form in which user names of a provider are compared.
func FoldUserName(name string) string { return strings.ToLower(name) }

func (c Credential) ended(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// ProvisionedName returns the name here of a person whom a provider names: that name, if it is a mail
// address, else one at the provider. Mail addresses do not count: they are labels, and move.
func ProvisionedName(provider, userName string) (string, error) {
	plain := strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune(" !#$%&'*/=?^`{|}~\\:;,()<>[]\"", r) {
			return '_' // as in the names of guests: ada_example.org#EXT#@corp.example
		}
		return r
	}, strings.TrimSpace(userName))
	if !strings.Contains(plain, "@") {
		plain += "@" + provider
	}
	name, err := CanonicalName(plain)
	if err != nil {
		return "", fmt.Errorf("%w: the user name %.80q cannot be a name here: have the provider send one in a-z, 0-9 and . _ + -, of at most 63 letters before the @", ErrProvisioning, userName)
	}
	return name, nil
}

// check returns an error unless what a provider tells can be kept.
func (p Provisioned) check() error {
	if err := CheckProvider(p.Provider); err != nil {
		return err
	}
	for _, t := range []string{p.UserName, p.External} {
		if len(t) > maxProviderText || !plainText(t) {
			return fmt.Errorf("%w: a user name and an external id are texts of at most %d bytes", ErrProvisioning, maxProviderText)
		}
	}
	texts := []string{p.DisplayName, p.Formatted, p.Given, p.Family, p.Title, p.Department, p.CostCenter, p.Manager}
	for _, m := range p.Mails {
		texts = append(texts, m.Value, m.Type, m.Display)
	}
	if i := slices.IndexFunc(texts, func(t string) bool { return len(t) > maxProfileText || !plainText(t) }); i >= 0 {
		return fmt.Errorf("%w: %.40q… is no text of at most %d bytes without control characters", ErrProvisioning, texts[i], maxProfileText)
	}
	if len(p.Mails) > maxProfileMails {
		return fmt.Errorf("%w: a person has at most %d mail addresses here", ErrProvisioning, maxProfileMails)
	}
	return nil
}

// plainText reports whether a text has neither control characters nor broken letters.
func plainText(t string) bool {
	return utf8.ValidString(t) && !strings.ContainsFunc(t, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// ProvisionedChange is what a change of a provider did to a person.
type ProvisionedChange struct {
	Was, Is   string // the names
	New, Back bool   // the person is new; or is provisioned once more
	Ended     bool   // they were let in, and are not any more
	Enabled   bool   // they were not, and are
	Profile   bool   // what is told of them is other than it was
}

// Same reports whether nothing came of it.
func (c ProvisionedChange) Same() bool {
	return c == ProvisionedChange{Was: c.Was, Is: c.Is} && c.Was == c.Is
}

// StoreProvisioned stores what a provider tells of a person: of one who is known to it, named by p.Person,
// or for "" of one who is new to it, with the id fresh. Who was deleted and has the External of p is the same person
// again. A person who is here already is never taken for another because of a name: that is
// ErrProvisionedTwice, with who it is. Whom it makes inactive, all that they came in with ends.
func StoreProvisioned(tx ProvisionTx, p Provisioned, fresh string, now time.Time) (Provisioned, ProvisionedChange, error) {
	if err := p.check(); err != nil {
		return p, ProvisionedChange{}, err
	}
	name, err := ProvisionedName(p.Provider, p.UserName)
	if err != nil {
		return p, ProvisionedChange{}, err
	}
	was, known, err := knownTo(tx, &p)
	if err != nil {
		return p, ProvisionedChange{}, err
	}
	if !known {
		return addProvisioned(tx, p, User{ID: fresh, Name: name, Created: now.UTC(), Disabled: !p.Active})
	}
	p.Created, p.Changed, p.Ended = was.Created, was.Changed, was.Ended
	u, err := tx.User(p.Person)
	if err != nil {
		return p, ProvisionedChange{}, err
	}
	ch := ProvisionedChange{Was: u.Name, Is: u.Name, Back: !was.Deleted.IsZero() && p.Deleted.IsZero()}
	old, oldErr := ProvisionedName(was.Provider, was.UserName)
	if (oldErr != nil || old != name) && name != u.Name { // an operator's own name for them stays
		if u, err = renameTo(tx, u, name, now); err != nil {
			return p, ch, err
		}
		p.Person, ch.Is = u.Name, u.Name
	}
	was.Person = p.Person
	ch.Profile = !equalProvisioned(was, p)
	if err := settleActive(tx, u, was, &p, &ch); err != nil || ch.Same() {
		return p, ch, err
	}
	p.Changed = now.UTC()
	return p, ch, tx.PutProvisioned(p)
}

// knownTo finds whom a provider tells of, and completes p with who that is.
func knownTo(tx ProvisionReader, p *Provisioned) (was Provisioned, known bool, err error) {
	var other Provisioned
	if p.External != "" {
		other, err = tx.ProvisionedAs(p.Provider, p.External)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return was, false, err
		}
	}
	has := p.External != "" && err == nil
	named, err := tx.ProvisionedNamed(p.Provider, p.UserName)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return was, false, err
	}
	if err == nil && named.Person != p.Person && !(has && p.Person == "" && named.Person == other.Person) {
		return was, false, &MeetsError{Person: named.Person, Why: fmt.Sprintf("the user name %.80q is that of %s", p.UserName, named.Person)}
	}
	switch {
	case p.Person != "" && has && other.Person != p.Person, p.Person == "" && has && other.Deleted.IsZero():
		return was, false, &MeetsError{Person: other.Person, Why: fmt.Sprintf("the external id %.80q is that of %s", p.External, other.Person)}
	case p.Person != "":
		was, err = tx.Provisioned(p.Provider, p.Person)
		return was, err == nil, err
	case has:
		p.Person = other.Person
		return other, true, nil
	}
	return was, false, nil
}

func addProvisioned(tx ProvisionTx, p Provisioned, u User) (Provisioned, ProvisionedChange, error) {
	if err := notMet(tx, u.Name, ""); err != nil {
		return p, ProvisionedChange{}, err
	}
	u, err := ChangeUser(tx, u)
	if err != nil {
		return p, ProvisionedChange{}, err
	}
	p.Person, p.Created, p.Changed, p.Ended = u.Name, u.Created, u.Created, !p.Active
	return p, ProvisionedChange{Is: u.Name, New: true}, tx.PutProvisioned(p)
}

// notMet returns a *MeetsError if a name is, or was, that of another person.
func notMet(tx Reader, name, id string) error {
	err := free(tx, name, id)
	if !errors.Is(err, ErrNameTaken) {
		return err
	}
	p, personErr := tx.Person(name)
	if personErr != nil {
		return personErr
	}
	why := fmt.Sprintf("%s is a person here already", name)
	if p.Name != name {
		why = fmt.Sprintf("%s was the name of %s, and stays theirs", name, p.Name)
	}
	return &MeetsError{Person: p.Name, Why: why}
}

func renameTo(tx Tx, u User, name string, now time.Time) (User, error) {
	if err := notMet(tx, name, u.ID); err != nil {
		return u, err
	}
	return Rename(tx, u.Name, name, now)
}

// settleActive disables a person whom the provider ends, and enables one whom it had ended.
func settleActive(tx Tx, u User, was Provisioned, p *Provisioned, ch *ProvisionedChange) error {
	in, now := was.Active && was.Deleted.IsZero(), p.Active && p.Deleted.IsZero()
	switch {
	case in && !now && !u.Disabled:
		u.Disabled, p.Ended, ch.Ended = true, true, true
	case !in && now && was.Ended && u.Disabled:
		u.Disabled, p.Ended, ch.Enabled = false, false, true
	case now:
		p.Ended = false
		return nil
	default:
		return nil
	}
	_, err := ChangeUser(tx, u)
	return err
}

func equalProvisioned(a, b Provisioned) bool {
	a.Created, a.Changed, a.Ended, b.Created, b.Changed, b.Ended = time.Time{}, time.Time{}, false, time.Time{}, time.Time{}, false
	mails := slices.Equal(a.Mails, b.Mails)
	a.Mails, b.Mails = nil, nil
	return mails && a.flat() == b.flat()
}

// flat is all of it that == compares, once there are no mail addresses.
func (p Provisioned) flat() [14]string {
	return [14]string{
		p.Provider, p.Person, p.External, p.UserName, fmt.Sprint(p.Active), p.DisplayName, p.Formatted, p.Given, p.Family,
		p.Title, p.Department, p.CostCenter, p.Manager, p.Deleted.UTC().Format(time.RFC3339Nano),
	}
}

// MeetsError says whom a provider's person meets here.
type MeetsError struct {
	Person string
	Why    string
}

func (e *MeetsError) Error() string { return e.Why + ": " + ErrProvisionedTwice.Error() }

func (e *MeetsError) Unwrap() error { return ErrProvisionedTwice }

// Met notes a conflict, and reports whether that is news worth writing.
func (p *Provisioning) Met(c Conflict) bool {
	i := slices.IndexFunc(p.Conflicts, func(k Conflict) bool { return k.same(c) })
	if i < 0 {
		c.First, c.Times = c.Last, 1
		if p.Conflicts = append(slices.Clone(p.Conflicts), c); len(p.Conflicts) > MaxConflicts {
			p.Conflicts = p.Conflicts[1:]
		}
		return true
	}
	if c.Last.Sub(p.Conflicts[i].Last) < conflictsWithout {
		return false
	}
	p.Conflicts = slices.Clone(p.Conflicts)
	p.Conflicts[i].Last, p.Conflicts[i].Times = c.Last, p.Conflicts[i].Times+1
	return true
}

func (c Conflict) same(d Conflict) bool { return c.UserName == d.UserName && c.External == d.External }

// Over forgets the conflicts about a user name or a key, and reports whether there were any.
func (p *Provisioning) Over(userName, external string) bool {
	n := len(p.Conflicts)
	p.Conflicts = slices.DeleteFunc(slices.Clone(p.Conflicts), func(c Conflict) bool {
		return strings.EqualFold(c.UserName, userName) || external != "" && c.External == external
	})
	return len(p.Conflicts) < n
}

// LinkProvisioned stores that a provider's person is one who is here, because an operator says so.
func LinkProvisioned(tx ProvisionTx, p Provisioned, now time.Time) (Provisioned, error) {
	if err := p.check(); err != nil {
		return p, err
	}
	if p.UserName == "" {
		return p, fmt.Errorf("%w: name the person as the provider does", ErrProvisioning)
	}
	who, err := tx.Person(p.Person)
	if err != nil {
		return p, fmt.Errorf("user %.80q: %w", p.Person, err)
	}
	u, err := tx.User(who.Name)
	if err != nil {
		return p, err
	}
	if err := AsPerson(u.Name, "is no person of a provider"); err != nil {
		return p, err
	}
	p.Person = ""
	if _, known, err := knownTo(tx, &p); err != nil || known { // also one who is deleted: the key leads to them
		if err == nil {
			err = &MeetsError{Person: p.Person, Why: fmt.Sprintf("the external id %.80q is that of %s", p.External, p.Person)}
		}
		return p, err
	}
	if old, err := tx.Provisioned(p.Provider, u.Name); err == nil && old.Deleted.IsZero() {
		return p, &MeetsError{Person: u.Name, Why: fmt.Sprintf("%s is %q of %s already", u.Name, old.UserName, p.Provider)}
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		return p, err
	}
	p.Person, p.Active, p.Created, p.Changed = u.Name, !u.Disabled, now.UTC(), now.UTC()
	return p, tx.PutProvisioned(p)
}
