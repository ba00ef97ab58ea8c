package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrServiceAccount: a service account cannot be made or changed like that, or is asked to be a
	// person.
	ErrServiceAccount = errors.New("the service account is not valid")
	// ErrNoServiceAccount: there is no such service account.
	ErrNoServiceAccount = sentinel.New(ErrNotFound, "there is no such service account")
	// ErrNoSponsor: no person answers for the service account any more.
	ErrNoSponsor = sentinel.New(ErrUnauthenticated, "the sponsor of the service account has left")
	// ErrInPerson: only a person does that, and neither a service account nor automation.
	ErrInPerson = errors.New("a person does that")
)

// Bounds of service accounts.
const (
	MaxServiceAccounts = 50 // of one sponsor
	maxPurpose         = 300
)

var serviceName = regexp.MustCompile(`\A[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?\z`)

// ServiceAccountName returns the name under which a service account acts, by that name or by its
// first part: "deploy" is "deploy@service-account".
func ServiceAccountName(text string) (string, error) {
	short := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), abi.ServiceDomain)
	if !serviceName.MatchString(short) || strings.Contains(short, "..") {
		return "", fmt.Errorf("%w: a service account is named with up to 40 of a-z, 0-9, . _ and -, such as deploy-hello, not %.60q", ErrServiceAccount, text)
	}
	return short + abi.ServiceDomain, nil
}

// IsServiceAccount reports whether a name is that of a service account.
func IsServiceAccount(name string) bool { return strings.HasSuffix(name, abi.ServiceDomain) }

// Person returns who answers for what an actor does: the actor or, of a service account, the sponsor.
func (a Actor) Person() string {
	if a.Sponsor != "" {
		return a.Sponsor
	}
	return a.User
}

// sponsorOf returns who answers for a service account: a person who may come in.
func sponsorOf(tx Reader, u User) (User, error) {
	s, err := tx.User(u.Sponsor)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (s.Disabled || s.Sponsor != ""):
		return s, fmt.Errorf("%w: %s answered for it; an operator names another with `agora service-accounts set %s --sponsor PERSON`, and then it needs new tokens", ErrNoSponsor, u.Sponsor, strings.TrimSuffix(u.Name, abi.ServiceDomain))
	case err != nil:
		return s, err
	}
	return s, nil
}

// standIn completes an actor that is a service account: it has those of its roles that its sponsor
// has, is in the groups of its sponsor, and is not there without one.
func standIn(tx Reader, u User, now time.Time, a *Actor) error {
	s, err := sponsorOf(tx, u)
	if err != nil {
		return err
	}
	if a.Groups, err = tx.GroupsOf(s.Name); err != nil {
		return err
	}
	a.Sponsor, a.Roles = s.Name, rolesWithin(u.Roles, s.RolesAt(now, a.Groups))
	return nil
}

// rolesWithin returns what two lists of roles both allow.
func rolesWithin(roles, outer []Role) (both []Role) {
	for _, a := range roles {
		for _, b := range outer {
			if r, ok := meet(a, b); ok && !slices.Contains(both, r) {
				both = append(both, r)
			}
		}
	}
	return both
}

// meet returns the role that allows what two roles both allow, if they are the same role for other
// concerns or groups.
func meet(a, b Role) (Role, bool) {
	ofA, concernA, groupA := a.Parts()
	ofB, concernB, groupB := b.Parts()
	concern, concerns := narrower(string(concernA), string(concernB))
	group, groups := narrower(groupA, groupB)
	if ofA != ofB || !concerns || !groups {
		return "", false
	}
	if concern != "" {
		ofA += Role("/" + concern)
	}
	if group != "" {
		ofA += Role("@" + group)
	}
	return ofA, true
}

// narrower returns what is in both of two sets that each have one member or, for "", all.
func narrower(a, b string) (string, bool) {
	if a == "" || a == b {
		return b, true
	}
	return a, b == ""
}

// checkSponsor returns an error unless a person may answer for a service account with some roles, and
// for one more.
func checkSponsor(tx Reader, u User, now time.Time) error {
	s, err := tx.User(u.Sponsor)
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("the sponsor %.80q: %w", u.Sponsor, ErrNoUser)
	case err != nil:
		return err
	case s.Sponsor != "":
		return fmt.Errorf("%w: %s is a service account itself; a person answers for one", ErrServiceAccount, s.Name)
	case s.Disabled:
		return fmt.Errorf("%w: %s is disabled, and cannot answer for it", ErrServiceAccount, s.Name)
	}
	groups, err := tx.GroupsOf(s.Name)
	if err != nil {
		return err
	}
	for _, r := range u.Roles {
		if !slices.Contains(rolesWithin([]Role{r}, s.RolesAt(now, groups)), r) {
			return fmt.Errorf("%w: its sponsor %s has not the role %s, and it can have none that its sponsor has not", ErrServiceAccount, s.Name, r)
		}
	}
	all, err := tx.ServiceAccounts(s.Name)
	all = slices.DeleteFunc(all, func(o User) bool { return o.Name == u.Name || !o.Ended.IsZero() })
	if err == nil && len(all) >= MaxServiceAccounts {
		return fmt.Errorf("%w: %s answers for %d service accounts, and that is the most; delete one, or name another sponsor", ErrServiceAccount, s.Name, len(all))
	}
	return err
}

// check returns an error unless a service account can be stored.
func (u User) checkService(tx Reader, now time.Time) error {
	if len(u.Purpose) > maxPurpose || !plainText(u.Purpose) {
		return fmt.Errorf("%w: what it is for is a text of at most %d bytes without control characters", ErrServiceAccount, maxPurpose)
	}
	if err := checkRoles(u.Roles); err != nil {
		return err
	}
	return checkSponsor(tx, u, now)
}

// AddServiceAccount stores a service account that is new.
func AddServiceAccount(tx Tx, u User, now time.Time) (User, error) {
	name, err := ServiceAccountName(u.Name)
	if err != nil {
		return u, err
	}
	u.Name = name
	if u.Roles, err = ResolveRoles(tx, u.Roles); err != nil {
		return u, err
	}
	if old, err := tx.User(name); err == nil && !old.Ended.IsZero() {
		return u, fmt.Errorf("%w: there was a service account %s, and what it did stays under that name; take another", ErrServiceAccount, name)
	}
	if err := free(tx, name, ""); err != nil {
		return u, err
	}
	if err := u.checkService(tx, now); err != nil {
		return u, err
	}
	return u, tx.PutUser(u)
}

// FindServiceAccount returns a service account by either of its names, unless it was deleted.
func FindServiceAccount(tx Reader, text string) (User, error) {
	name, err := ServiceAccountName(text)
	if err != nil {
		return User{}, fmt.Errorf("%.60q: %w", text, ErrNoServiceAccount)
	}
	u, err := tx.User(name)
	if errors.Is(err, ErrNotFound) || (err == nil && (u.Sponsor == "" || !u.Ended.IsZero())) {
		return User{}, fmt.Errorf("%q: %w", name, ErrNoServiceAccount)
	}
	return u, err
}

// ChangeServiceAccount stores a service account that is there. All its tokens end when it is disabled,
// and when another person answers for it from now on: the one before knows them.
func ChangeServiceAccount(tx Tx, was, u User, now time.Time) (User, error) {
	var err error
	if u.Roles, err = ResolveRoles(tx, u.Roles); err != nil {
		return u, err
	}
	// A change that keeps the sponsor is possible although that one has left: it is no wider.
	if u.Sponsor != was.Sponsor || !slices.Equal(u.Roles, was.Roles) || u.Purpose != was.Purpose || (was.Disabled && !u.Disabled) {
		if err := u.checkService(tx, now); err != nil {
			return u, err
		}
	}
	if u.Disabled || u.Sponsor != was.Sponsor {
		if err := endAll(tx, u.Name); err != nil {
			return u, err
		}
	}
	return u, tx.PutUser(u)
}

// EndServiceAccount deletes a service account. Its record stays, so that what it did is still its own,
// and no other is given the name.
func EndServiceAccount(tx Tx, u User, now time.Time) (User, error) {
	u.Disabled, u.Ended = true, now.UTC()
	if err := endAll(tx, u.Name); err != nil {
		return u, err
	}
	return u, tx.PutUser(u)
}

// endServiceAccounts ends what all service accounts of a sponsor come in with.
func endServiceAccounts(tx Tx, sponsor string) error {
	all, err := tx.ServiceAccounts(sponsor)
	for _, u := range all {
		if err == nil {
			err = endAll(tx, u.Name)
		}
	}
	return err
}

// AsPerson returns an error if a name is that of a service account, where a person is meant.
func AsPerson(name, what string) error {
	if IsServiceAccount(name) {
		return fmt.Errorf("%w: %s is a service account, and %s", ErrServiceAccount, name, what)
	}
	return nil
}

// inPerson are the acts that people do themselves: to decide, and to change people, what people come in
// with, and whose an app is. A machine that could do one of them could make itself a person who
// approves.
var inPerson = map[Act]bool{
	DecideRequest: true, AskChanges: true, CertifyGrant: true, GrantEmergency: true, Review: true, Delegate: true, EndDelegations: true,
	ManagePerson: true, ManageAccounts: true, ManageKeys: true, ManageGroup: true, ManageServiceAccount: true, SetQuotas: true,
	EndQuarantine: true, TransferApp: true, ShareApp: true, AcceptOffer: true, EndOffer: true,
}

// InPerson reports whether an act is for people themselves, and neither for service accounts nor for
// automation.
func InPerson(act Act) bool { return inPerson[act] }

// able returns an error if an act is for people, and the actor is none.
func (a Actor) able(act Act) error {
	if a.InPerson() || !inPerson[act] {
		return nil
	}
	kind := "a service account"
	if a.Automation != "" {
		kind = "automation"
	}
	return fmt.Errorf("%s is %s, which never does that (%s); %s has to, signed in: %w", a.Behalf.Name(a.User), kind, act, a.Person(), ErrInPerson)
}

// AtDoor returns an error unless an actor has a role for an act, whatever it is about, and is a person if
// the act is for people.
func AtDoor(a Actor, act Act) error {
	if a.User == "" {
		return ErrUnauthenticated
	}
	if err := a.able(act); err != nil {
		return err
	}
	return Require(a, Door(act)...)
}

var automationName = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9 ._/#:+-]{0,58}[A-Za-z0-9])?\z`)

// CheckAutomation returns an error unless a text can name automation. It stands before the name of a
// person, and must not look like one.
func CheckAutomation(name string) error {
	if !automationName.MatchString(name) || strings.Contains(name, " for ") {
		return fmt.Errorf("%w: automation is named with up to 60 letters, digits, spaces and . _ / # : + -, such as Claude or hello/deploy, not %.60q", ErrBadUser, name)
	}
	return nil
}
