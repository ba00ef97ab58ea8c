package access_test

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// memory is a Tx in maps.
type memory struct {
	groups
	access.AudienceReader
	access.AudienceWriter
	access.QuotaReader
	access.QuotaWriter
	users       map[string]access.User
	credentials map[string]access.Credential
	accounts    map[string]access.Account
	links       *access.Links
	provisioned map[string]access.Provisioned // by provider and key
}

func newMemory() memory {
	return memory{
		groups: newGroups(), users: map[string]access.User{}, credentials: map[string]access.Credential{}, accounts: map[string]access.Account{}, links: &access.Links{},
		provisioned: map[string]access.Provisioned{},
	}
}

func (m memory) User(name string) (access.User, error) {
	u, ok := m.users[name]
	if !ok {
		return u, access.ErrNotFound
	}
	return u, nil
}
func (m memory) Person(text string) (access.Identity, error) {
	for _, u := range m.users {
		if slices.Contains(u.References(), text) {
			return access.Identity{ID: u.ID, Name: u.Name}, nil
		}
	}
	return access.Identity{}, access.ErrNoUser
}
func (m memory) Users() ([]access.User, error) {
	return slices.Collect(maps.Values(m.users)), nil
}
func (m memory) ServiceAccounts(sponsor string) (all []access.User, err error) {
	users, err := m.Users()
	for _, u := range users {
		if u.Sponsor != "" && (sponsor == "" || u.Sponsor == sponsor) {
			all = append(all, u)
		}
	}
	return all, err
}
func (m memory) Absent() (all []access.User, err error) {
	users, err := m.Users()
	for _, u := range users {
		if slices.ContainsFunc(u.Delegations, access.Delegation.IsAbsence) {
			all = append(all, u)
		}
	}
	return all, err
}
func (m memory) PutUser(u access.User) error {
	maps.DeleteFunc(m.users, func(_ string, old access.User) bool { return u.ID != "" && old.ID == u.ID })
	m.users[u.Name] = u
	return nil
}
func (m memory) CredentialByHash(hash string) (access.Credential, error) {
	c, ok := m.credentials[hash]
	if !ok {
		return c, access.ErrNotFound
	}
	return c, nil
}
func (m memory) Credentials(user string) ([]access.Credential, error) {
	return m.those(func(c access.Credential) bool { return c.User == user }), nil
}
func (m memory) MadeWith(token string) ([]access.Credential, error) {
	return m.those(func(c access.Credential) bool { return c.Parent == token }), nil
}
func (m memory) Links() (access.Links, error)  { return *m.links, nil }
func (m memory) PutLinks(l access.Links) error { *m.links = l; return nil }
func (m memory) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	p, ok := m.provisioned[provider+" "+external]
	if !ok {
		return p, access.ErrNotProvisioned
	}
	return p, nil
}
func (m memory) Account(id string) (access.Account, error) {
	a, ok := m.accounts[id]
	if !ok {
		return a, access.ErrNoAccount
	}
	return a, nil
}
func (m memory) Accounts(user string) (all []access.Account, err error) {
	for _, a := range m.accounts {
		if a.User == user {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b access.Account) int { return strings.Compare(a.Provider, b.Provider) })
	return all, nil
}
func (m memory) SessionsAt(key string) ([]access.Credential, error) {
	return m.those(func(c access.Credential) bool { return key != "" && c.ProviderSession == key }), nil
}
func (m memory) PutAccount(a access.Account) error { m.accounts[a.ID] = a; return nil }
func (m memory) DeleteAccount(id string) error {
	if _, err := m.Account(id); err != nil {
		return err
	}
	delete(m.accounts, id)
	return nil
}
func (m memory) those(are func(access.Credential) bool) (all []access.Credential) {
	for _, c := range m.credentials {
		if are(c) {
			all = append(all, c)
		}
	}
	return all
}
func (m memory) EndedCredentials(now time.Time, most int) (hashes []string, err error) {
	ended := m.those(func(c access.Credential) bool { return c.Ended(now) })
	slices.SortFunc(ended, func(a, b access.Credential) int {
		return cmp.Or(cmp.Compare(a.Ends().Unix(), b.Ends().Unix()), cmp.Compare(a.Hash, b.Hash))
	})
	for _, c := range ended[:min(most, len(ended))] {
		hashes = append(hashes, c.Hash)
	}
	return hashes, nil
}
func (m memory) PutCredential(c access.Credential) error { m.credentials[c.Hash] = c; return nil }
func (m memory) DeleteCredential(hash string) error {
	if _, ok := m.credentials[hash]; !ok {
		return access.ErrNotFound
	}
	delete(m.credentials, hash)
	return nil
}

func TestSecrets(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tx := newMemory()
	tx.users["ada@example.com"] = access.User{Name: "ada@example.com", Roles: []access.Role{access.RoleDeveloper}}
	tx.users["off@example.com"] = access.User{Name: "off@example.com", Disabled: true}
	give := func(kind access.CredentialKind, user string, ttl time.Duration) string {
		secret, hash := access.NewSecret(kind)
		c := access.Credential{Hash: hash, Kind: kind, User: user, Created: now}
		if ttl != 0 {
			c.Expires = now.Add(ttl)
		}
		tx.credentials[hash] = c
		return secret
	}
	for _, c := range []struct {
		name, secret string
		ok           bool
	}{
		{"a token", give(access.KindToken, "ada@example.com", time.Hour), true},
		{"a token without an end", give(access.KindToken, "ada@example.com", 0), true},
		{"a session", give(access.KindSession, "ada@example.com", time.Hour), true},
		{"a token that ended this moment", give(access.KindToken, "ada@example.com", -1), false},
		{"a link is no token", give(access.KindLink, "ada@example.com", time.Hour), false},
		{"of a disabled user", give(access.KindToken, "off@example.com", time.Hour), false},
		{"of nobody", give(access.KindToken, "gone@example.com", time.Hour), false},
		{"made up", "agora_tok_x", false},
		{"nothing", "", false},
	} {
		actor, _, err := access.Authenticate(tx, c.secret, now)
		if c.ok != (err == nil) || (c.ok && actor.User != "ada@example.com") || (!c.ok && !errors.Is(err, access.ErrUnauthenticated)) {
			t.Errorf("%s: %+v, %v", c.name, actor, err)
		}
		for hash := range tx.credentials {
			if c.secret != "" && strings.Contains(hash, c.secret) {
				t.Errorf("%s: its secret is stored", c.name)
			}
		}
	}
	link := give(access.KindLink, "ada@example.com", time.Hour)
	if u, _, err := access.UseLink(tx, link, now); err != nil || u.Name != "ada@example.com" {
		t.Errorf("%+v, %v", u, err)
	}
	for name, secret := range map[string]string{
		"used": link, "ended": give(access.KindLink, "ada@example.com", -1), "a token": give(access.KindToken, "ada@example.com", time.Hour),
		"of a disabled user": give(access.KindLink, "off@example.com", time.Hour),
	} {
		if _, _, err := access.UseLink(tx, secret, now); !errors.Is(err, access.ErrLinkUsed) {
			t.Errorf("a link that is %s: %v", name, err)
		}
	}
	one, _ := access.NewSecret(access.KindToken)
	two, _ := access.NewSecret(access.KindToken)
	if one == two || len(one) < 50 {
		t.Errorf("secrets %q, %q", one, two)
	}
}

func TestRequire(t *testing.T) {
	dev := access.Actor{User: "a", Roles: []access.Role{access.RoleDeveloper}}
	for _, c := range []struct {
		who  access.Actor
		need []access.Role
		want error
	}{
		{access.Actor{}, []access.Role{access.RoleViewer}, access.ErrUnauthenticated},
		{access.Actor{Roles: access.Roles()}, []access.Role{access.RoleViewer}, access.ErrUnauthenticated}, // roles of no one
		{access.Actor{User: "a"}, []access.Role{access.RoleViewer}, access.ErrForbidden},
		{access.Actor{User: "a"}, []access.Role{access.SignedIn}, nil},
		{access.Actor{}, []access.Role{access.SignedIn}, access.ErrUnauthenticated},
		{dev, []access.Role{access.RoleViewer}, nil},
		{access.Actor{User: "a"}, []access.Role{access.RoleDeveloper}, access.ErrForbidden},
		{dev, []access.Role{access.RoleReviewer, access.RoleDeveloper}, nil},
		{dev, []access.Role{access.RoleOperator}, access.ErrForbidden},
		{dev, nil, access.ErrForbidden},
	} {
		if err := access.Require(c.who, c.need...); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%+v needs %v: %v, want %v", c.who, c.need, err, c.want)
		}
	}
}

func TestCheckUser(t *testing.T) {
	for name, ok := range map[string]bool{
		"ada@example.com": true, "a.b+c@x": true, "Ada@example.com": false, "ada": false, "@x": false, "a@": false, "a@x..y": false,
		"a b@x.y": false, "a@x.y\n": false, "<b>@x.y": false, "a@-": false, strings.Repeat("a", 64) + "@x.y": false, "a@x/../y": false,
	} {
		if err := access.CheckUser(access.User{Name: name}); ok != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := access.CheckUser(access.User{Name: "a@x.y", Roles: []access.Role{"root"}}); !errors.Is(err, access.ErrBadUser) {
		t.Errorf("an unknown role: %v", err)
	}
}

func TestCanonicalName(t *testing.T) {
	for text, want := range map[string]string{
		"ops@example.com": "ops@example.com", "OPS@EXAMPLE.COM": "ops@example.com", " Ops@Example.com\n": "ops@example.com",
		"\u212aim@example.com": "" /* KELVIN SIGN, which lower-cases to k */, "ｏps@example.com": "", "оps@example.com": "" /* Cyrillic */, "ops@exämple.com": "",
		"ops@example.com\u200b": "", "\u00a0ops@example.com": "", "ops@example.com.": "", "ops%40example.com": "", "ops@@example.com": "", "": "",
	} {
		got, err := access.CanonicalName(text)
		if got != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
		if err != nil && !errors.Is(err, access.ErrBadUser) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCanonicalName(f *testing.F) {
	f.Add("OPS@EXAMPLE.COM")
	f.Add("\u212a@x")
	f.Fuzz(func(t *testing.T, text string) {
		name, err := access.CanonicalName(text)
		if err != nil {
			return
		}
		if again, err := access.CanonicalName(name); again != name || err != nil || access.CheckUser(access.User{Name: name}) != nil {
			t.Fatalf("%q becomes %q, which becomes %q, %v", text, name, again, err)
		}
	})
}

// TestThereIsAlwaysAnOperator: whatever is changed in whatever order, once there is an operator
// there is one.
func TestThereIsAlwaysAnOperator(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		tx := newMemory()
		if _, err := access.ChangeUser(tx, access.User{Name: "a@x.y", Roles: []access.Role{access.RoleOperator}}); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			u := access.User{Name: string(rune('a'+r.IntN(3))) + "@x.y", Disabled: r.IntN(3) == 0}
			if r.IntN(2) == 0 {
				u.Roles = []access.Role{access.RoleOperator}
			}
			if _, err := access.ChangeUser(tx, u); err != nil && !errors.Is(err, access.ErrLastOperator) {
				t.Fatal(err)
			}
			operators := 0
			for _, u := range tx.users {
				if !u.Disabled && slices.Contains(u.Roles, access.RoleOperator) {
					operators++
				}
			}
			if operators == 0 {
				t.Fatalf("seed %d: %+v leaves nobody: %+v", seed, u, tx.users)
			}
		}
	}
}

// TestDisablingEndsCredentials, and enabling again brings none of them back.
func TestDisablingEndsCredentials(t *testing.T) {
	tx := newMemory()
	for _, name := range []string{"ops@x.y", "ada@x.y"} {
		if _, err := access.ChangeUser(tx, access.User{Name: name, Roles: []access.Role{access.RoleOperator}}); err != nil {
			t.Fatal(err)
		}
	}
	secret, hash := access.NewSecret(access.KindToken)
	tx.credentials[hash] = access.Credential{ID: "1", Hash: hash, Kind: access.KindToken, User: "ada@x.y"}
	for _, disabled := range []bool{true, false} {
		if _, err := access.ChangeUser(tx, access.User{Name: "ada@x.y", Disabled: disabled}); err != nil {
			t.Fatal(err)
		}
		if a, _, err := access.Authenticate(tx, secret, time.Now()); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("disabled %v: %+v, %v", disabled, a, err)
		}
	}
}
