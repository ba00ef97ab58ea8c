package access_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

var (
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	rules = access.RoleRules{Providers: []string{"company", "partners"}, Rules: []access.GroupRule{
		{Roles: []access.Role{access.RoleViewer}, Everyone: true},
		{Roles: []access.Role{access.RoleDeveloper}, Groups: []string{"makers"}},
	}}
)

// groups is a GroupTx in maps.
type groups struct {
	all     map[string]access.Group
	members map[access.Member]bool
}

func newGroups() groups { return groups{map[string]access.Group{}, map[access.Member]bool{}} }

func (g groups) find(is func(access.Group) bool) (access.Group, error) {
	for _, one := range g.all {
		if is(one) {
			return one, nil
		}
	}
	return access.Group{}, access.ErrNoGroup
}
func (g groups) Group(id string) (access.Group, error) {
	return g.find(func(o access.Group) bool { return o.ID == id })
}
func (g groups) GroupNamed(source, name string) (access.Group, error) {
	return g.find(func(o access.Group) bool {
		return o.Source == source && access.FoldGroupName(o.Name) == access.FoldGroupName(name)
	})
}
func (g groups) GroupKnownAs(source, external string) (access.Group, error) {
	return g.find(func(o access.Group) bool { return o.Source == source && o.External == external })
}
func (g groups) GroupsOf(person string) (ids []string, err error) {
	for m := range g.members {
		if m.Person == person {
			ids = append(ids, m.Group)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
func (g groups) IsMember(group, person string) (bool, error) {
	return g.members[access.Member{Group: group, Person: person}], nil
}
func (g groups) PutGroup(one access.Group) error { g.all[one.ID] = one; return nil }
func (g groups) DeleteGroup(id string) error     { delete(g.all, id); return nil }
func (g groups) PutMember(group, person string) error {
	g.members[access.Member{Group: group, Person: person}] = true
	return nil
}
func (g groups) DeleteMember(group, person string) error {
	delete(g.members, access.Member{Group: group, Person: person})
	return nil
}

func ada(change ...func(*access.Assertion)) access.Assertion {
	who := access.Assertion{Provider: "company", Issuer: "https://login", Subject: "1", Email: "Ada@Example.com", Verified: true, GroupsKnown: true, Groups: []string{"makers"}}
	for _, f := range change {
		f(&who)
	}
	return who
}

// roles writes the roles that a user has at a time.
func roles(tx memory, u access.User, at time.Time) string {
	ids, _ := tx.GroupsOf(u.Name)
	return fmt.Sprint(u.RolesAt(at, ids))
}

// signedIn signs in, or ends the test.
func signedIn(t *testing.T, tx memory, who access.Assertion, at time.Time) access.User {
	t.Helper()
	told, err := access.SignIn(tx, access.Arrive(who, rules, at))
	if err != nil {
		t.Fatal(err)
	}
	return told.User
}

// TestSignInAtProvider: a person is who the provider's subject says, whatever becomes of addresses.
func TestSignInAtProvider(t *testing.T) {
	tx := newMemory()
	u := signedIn(t, tx, ada(), noon)
	if u.Name != "ada@example.com" || roles(tx, u, noon) != "[viewer developer]" || len(u.Roles) > 0 || u.ID == "" {
		t.Errorf("signed in as %+v", u)
	}
	moved := signedIn(t, tx, ada(func(a *access.Assertion) { a.Email, a.Verified = "ada@elsewhere.example.com", false }), noon)
	accounts, _ := tx.Accounts(u.Name)
	if moved.ID != u.ID || moved.Name != u.Name || accounts[0].Email != "ada@elsewhere.example.com" {
		t.Errorf("after the mail moved: %+v, %+v", moved, accounts)
	}
	// The address is another person's now: that one is not Ada.
	for name, who := range map[string]access.Assertion{
		"another subject":  ada(func(a *access.Assertion) { a.Subject = "2" }),
		"another issuer":   ada(func(a *access.Assertion) { a.Issuer = "https://login/" }),
		"another provider": ada(func(a *access.Assertion) { a.Provider = "partners" }),
	} {
		if told, err := access.SignIn(tx, access.Arrive(who, rules, noon)); !errors.Is(err, access.ErrNotConnected) || told.User.Name != "" {
			t.Errorf("%s: %+v, %v", name, told, err)
		}
	}
	if len(tx.accounts) != 1 || len(tx.users) != 1 {
		t.Errorf("what was refused left %+v, %+v", tx.accounts, tx.users)
	}
	for name, who := range map[string]access.Assertion{
		"unverified": ada(func(a *access.Assertion) { a.Subject, a.Email, a.Verified = "3", "eve@example.com", false }),
		"none":       ada(func(a *access.Assertion) { a.Subject, a.Email = "3", "" }),
		"no address": ada(func(a *access.Assertion) { a.Subject, a.Email = "3", "eve" }),
	} {
		if _, err := access.SignIn(tx, access.Arrive(who, rules, noon)); !errors.Is(err, access.ErrUnvouched) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := access.ChangeUser(tx, access.User{Name: "ops@example.com", Roles: []access.Role{access.RoleOperator}}); err != nil {
		t.Fatal(err)
	}
	if _, err := access.ChangeUser(tx, access.User{Name: u.Name, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := access.SignIn(tx, access.Arrive(ada(), rules, noon)); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a disabled user: %v", err)
	}
}

// TestFormerNames: a name that was somebody's is nobody's to sign in with.
func TestFormerNames(t *testing.T) {
	tx := newMemory()
	signedIn(t, tx, ada(), noon)
	if _, err := access.Rename(tx, "ada@example.com", "ada.l@example.com", noon); err != nil {
		t.Fatal(err)
	}
	tx.accounts[ada().Key()] = func() access.Account { a := tx.accounts[ada().Key()]; a.User = "ada.l@example.com"; return a }() // as state/persons does
	if u := signedIn(t, tx, ada(), noon); u.Name != "ada.l@example.com" {
		t.Errorf("after a rename: %+v", u)
	}
	if _, err := access.SignIn(tx, access.Arrive(ada(func(a *access.Assertion) { a.Subject = "2" }), rules, noon)); !errors.Is(err, access.ErrNotConnected) {
		t.Errorf("with a former name: %v", err)
	}
}

func TestConnect(t *testing.T) {
	tx := newMemory()
	for _, name := range []string{"ops@x.y", "ada@x.y"} {
		if _, err := access.ChangeUser(tx, access.User{Name: name, Roles: []access.Role{access.RoleOperator}}); err != nil {
			t.Fatal(err)
		}
	}
	connect := func(user string, who access.Assertion) error {
		_, err := access.Connect(tx, user, access.Arrive(who, rules, noon))
		return err
	}
	other := ada(func(a *access.Assertion) { a.Subject = "2" })
	partners := ada(func(a *access.Assertion) { a.Provider = "partners" })
	if err := errors.Join(connect("ada@x.y", ada()), connect("ada@x.y", ada()), connect("ada@x.y", partners)); err != nil {
		t.Fatal(err)
	}
	if err := connect("ops@x.y", ada()); !errors.Is(err, access.ErrAccountTaken) {
		t.Errorf("another's account: %v", err)
	}
	if err := connect("ada@x.y", other); !errors.Is(err, access.ErrAccountTaken) {
		t.Errorf("a second account there: %v", err)
	}
	if u := signedIn(t, tx, ada(), noon); u.Name != "ada@x.y" || !strings.Contains(roles(tx, u, noon), "viewer") {
		t.Errorf("%+v", u)
	}
	begun := func(hash, account string) {
		tx.credentials[hash] = access.Credential{Hash: hash, Kind: access.KindSession, User: "ada@x.y", Account: account}
	}
	begun("theirs", ada().Key())
	begun("partners", partners.Key())
	begun("link", "")
	if _, err := access.Disconnect(tx, "ops@x.y", ada().Key(), rules); !errors.Is(err, access.ErrNoAccount) {
		t.Errorf("another's: %v", err)
	}
	if _, err := access.Disconnect(tx, "ada@x.y", ada().Key(), rules); err != nil {
		t.Fatal(err)
	}
	if len(tx.credentials) != 2 || tx.credentials["theirs"].Hash != "" {
		t.Errorf("left are %+v", tx.credentials)
	}
	if _, err := access.Disconnect(tx, "ada@x.y", partners.Key(), rules); err != nil {
		t.Fatal(err)
	}
	if u := tx.users["ada@x.y"]; len(u.Given) > 0 || len(u.Roles) != 1 {
		t.Errorf("without accounts: %+v", u)
	}
}

// TestGivenRoles: what rules give ends with what it is given for, and is no operator's gift.
func TestGivenRoles(t *testing.T) {
	tx := newMemory()
	at := func(u access.User, after time.Duration) string { return roles(tx, u, noon.Add(after)) }
	u := signedIn(t, tx, ada(), noon)
	if at(u, access.GivenFor-1) != "[viewer developer]" || at(u, access.GivenFor) != "[]" {
		t.Errorf("they hold until %+v", u.Given)
	}
	out := signedIn(t, tx, ada(func(a *access.Assertion) { a.Groups = nil }), noon.Add(time.Hour))
	if at(out, 0) != "[viewer]" {
		t.Errorf("out of the group: %+v", out)
	}
	signedIn(t, tx, ada(), noon)
	unknown := signedIn(t, tx, ada(func(a *access.Assertion) { a.Groups, a.GroupsKnown = nil, false }), noon.Add(2*access.GivenFor/3))
	if at(unknown, access.GivenFor-1) != "[viewer developer]" || at(unknown, access.GivenFor) != "[viewer]" {
		t.Errorf("groups that the provider left out for long: %+v", unknown.Given)
	}
	// A provider that has said groups, and leaves them out now, says that there are none.
	leftOut := ada(func(a *access.Assertion) { a.Groups, a.GroupsKnown, a.GroupsLeftOut = nil, false, true })
	if out := signedIn(t, tx, leftOut, noon.Add(time.Hour)); at(out, 0) != "[viewer]" {
		t.Errorf("out of the last group: %+v", out)
	}
	if back := signedIn(t, tx, ada(), noon); at(back, 0) != "[viewer developer]" {
		t.Errorf("back in it: %+v", back)
	}
	// One that provisions people says their groups there.
	told := newMemory()
	signedIn(t, told, ada(), noon)
	told.provisioned["company 1"] = access.Provisioned{Provider: "company", External: "1", Person: "ada@example.com"}
	if kept := signedIn(t, told, leftOut, noon.Add(time.Hour)); roles(told, kept, noon) != "[viewer developer]" {
		t.Errorf("provisioned, and left out: %+v", kept)
	}
	// An operator's change takes nothing that rules gave, and gives nothing of it for ever.
	changed, err := access.ChangeUser(tx, access.User{Name: u.Name, Roles: []access.Role{access.RoleReviewer}})
	if err != nil || at(changed, 0) != "[reviewer viewer developer]" {
		t.Errorf("%+v, %v", changed, err)
	}
	secret, hash := access.NewSecret(access.KindToken)
	tx.credentials[hash] = access.Credential{Hash: hash, Kind: access.KindToken, User: u.Name}
	a, _, err := access.Authenticate(tx, secret, noon.Add(5*access.GivenFor))
	if err != nil || fmt.Sprint(a.Roles) != "[reviewer]" {
		t.Errorf("a token of somebody who does not sign in: %+v, %v", a, err)
	}
}

// TestTakenOutOfAGroup: whoever is taken out of a group has no role by it from that moment, with any
// credential.
func TestTakenOutOfAGroup(t *testing.T) {
	tx := newMemory()
	u := signedIn(t, tx, ada(), noon)
	secret, hash := access.NewSecret(access.KindToken)
	tx.credentials[hash] = access.Credential{Hash: hash, Kind: access.KindToken, User: u.Name}
	has := func() string {
		t.Helper()
		a, _, err := access.Authenticate(tx, secret, noon)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Roles)
	}
	if has() != "[viewer developer]" {
		t.Errorf("in the group: %s", has())
	}
	ids, _ := tx.GroupsOf(u.Name)
	if err := tx.DeleteMember(ids[0], u.Name); err != nil {
		t.Fatal(err)
	}
	if has() != "[viewer]" {
		t.Errorf("out of it: %s", has())
	}
}

// TestProvisionedPerson: whom a provider told of, by the subject, is signed in as that person, and whom
// it has taken away is not.
func TestProvisionedPerson(t *testing.T) {
	tx := newMemory()
	if _, err := access.ChangeUser(tx, access.User{Name: "ada@example.com", Roles: []access.Role{access.RoleReviewer}}); err != nil {
		t.Fatal(err)
	}
	tx.provisioned["company 1"] = access.Provisioned{Provider: "company", Person: "ada@example.com", External: "1", Active: true}
	tx.provisioned["company 2"] = access.Provisioned{Provider: "company", Person: "ada@example.com", External: "2", Deleted: noon}
	if _, err := access.SignIn(tx, access.Arrive(ada(func(a *access.Assertion) { a.Subject = "2" }), rules, noon)); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("whom the provider has deleted: %v", err)
	}
	if _, err := access.SignIn(tx, access.Arrive(ada(func(a *access.Assertion) { a.Provider = "partners" }), rules, noon)); !errors.Is(err, access.ErrNotConnected) {
		t.Errorf("at another provider: %v", err)
	}
	u := signedIn(t, tx, ada(func(a *access.Assertion) { a.Email, a.Verified = "other@example.com", false }), noon)
	if u.Name != "ada@example.com" || roles(tx, u, noon) != "[reviewer viewer developer]" {
		t.Errorf("%+v", u)
	}
}

// TestTheLastOperatorIsNoRules: whoever rules make an operator does not keep the node manageable.
func TestTheLastOperatorIsNoRules(t *testing.T) {
	tx := newMemory()
	byRule := access.RoleRules{Providers: []string{"company"}, Rules: []access.GroupRule{{Roles: []access.Role{access.RoleOperator}, Groups: []string{"makers"}}}}
	if _, err := access.SignIn(tx, access.Arrive(ada(), byRule, noon)); err != nil {
		t.Fatal(err)
	}
	if _, err := access.ChangeUser(tx, access.User{Name: "ops@x.y", Roles: []access.Role{access.RoleOperator}}); err != nil {
		t.Fatal(err)
	}
	if _, err := access.ChangeUser(tx, access.User{Name: "ops@x.y"}); !errors.Is(err, access.ErrLastOperator) {
		t.Errorf("%v", err)
	}
}

// TestLinksOff: operators' links are switched off only where another way in was used, and what whoever
// holds the data directory makes is taken still.
func TestLinksOff(t *testing.T) {
	tx := newMemory()
	signedIn(t, tx, ada(), noon)
	off := access.Links{Off: true, By: "ops@x.y", At: noon}
	if err := access.SwitchLinks(tx, off, rules.Providers); !errors.Is(err, access.ErrLastWayIn) || tx.links.Off {
		t.Errorf("without an operator: %v", err)
	}
	if _, err := access.ChangeUser(tx, access.User{Name: "ada@example.com", Roles: []access.Role{access.RoleOperator}}); err != nil {
		t.Fatal(err)
	}
	if err := access.SwitchLinks(tx, off, []string{"elsewhere"}); !errors.Is(err, access.ErrLastWayIn) {
		t.Errorf("with a provider that there is not: %v", err)
	}
	link := func(label string) string {
		secret, hash := access.NewSecret(access.KindLink)
		tx.credentials[hash] = access.Credential{Hash: hash, Kind: access.KindLink, User: "ada@example.com", Label: label}
		return secret
	}
	before, broken := link(""), link(access.BreakGlass)
	if err := access.SwitchLinks(tx, off, rules.Providers); err != nil {
		t.Fatal(err)
	}
	if _, _, err := access.UseLink(tx, before, noon); !errors.Is(err, access.ErrLinksOff) {
		t.Errorf("a link of before: %v", err)
	}
	if u, _, err := access.UseLink(tx, broken, noon); err != nil || u.Name != "ada@example.com" {
		t.Errorf("break-glass: %+v, %v", u, err)
	}
	if err := access.SwitchLinks(tx, access.Links{}, nil); err != nil {
		t.Error(err)
	}
	if _, _, err := access.UseLink(tx, before, noon); err != nil {
		t.Errorf("on again: %v", err)
	}
}

func TestEndAt(t *testing.T) {
	ended := access.Ended{Provider: "company", Issuer: "https://login", At: noon}
	session := func(sid string, subject string, created time.Time) access.Credential {
		who := ada(func(a *access.Assertion) { a.Subject = subject })
		return access.Credential{
			Hash: fmt.Sprint(sid, subject, created.Unix()), Kind: access.KindSession, User: "ada@example.com", Account: who.Key(),
			ProviderSession: access.SessionKey("company", "https://login", sid), Created: created,
		}
	}
	before := noon.Add(-time.Minute)
	for name, c := range map[string]struct {
		change func(*access.Ended)
		ends   []string
	}{
		"a session":             {func(e *access.Ended) { e.Session = "s" }, []string{"old"}},
		"a session, and whose":  {func(e *access.Ended) { e.Session, e.Subject = "s", "1" }, []string{"old", "unnamed"}},
		"a person":              {func(e *access.Ended) { e.Subject = "1" }, []string{"old", "other", "unnamed"}},
		"a stranger":            {func(e *access.Ended) { e.Subject = "9" }, nil},
		"an unknown session":    {func(e *access.Ended) { e.Session = "9" }, nil},
		"of another provider":   {func(e *access.Ended) { e.Provider, e.Session, e.Subject = "partners", "s", "1" }, nil},
		"of another issuer":     {func(e *access.Ended) { e.Issuer, e.Session, e.Subject = "https://x", "s", "1" }, nil},
		"of before the session": {func(e *access.Ended) { e.Session, e.At = "s", before.Add(-time.Second) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tx := newMemory()
			signedIn(t, tx, ada(), before)
			names := map[string]string{}
			for name, s := range map[string]access.Credential{
				"old": session("s", "1", before), "other": session("t", "1", before), "unnamed": session("", "1", before), "new": session("s", "1", noon.Add(time.Minute)),
			} {
				tx.credentials[s.Hash], names[s.Hash] = s, name
			}
			tx.credentials["token"] = access.Credential{Hash: "token", Kind: access.KindToken, User: "ada@example.com", Created: before}
			e := ended
			c.change(&e)
			all, err := access.EndAt(tx, e)
			var got []string
			for _, s := range all {
				got = append(got, names[s.Hash])
			}
			slices.Sort(got)
			if err != nil || !slices.Equal(got, c.ends) || len(tx.credentials) != 5-len(c.ends) {
				t.Errorf("ended %v, %v; want %v", got, err, c.ends)
			}
		})
	}
}
