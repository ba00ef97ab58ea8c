package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

func (m memory) ProvisionedAs(string, string) (access.Provisioned, error) {
	return access.Provisioned{}, access.ErrNotProvisioned
}

// provisioned is a Tx of a provider that told of one person.
type provisioned struct {
	access.Tx
	as access.Provisioned
}

func (p provisioned) ProvisionedAs(provider, external string) (access.Provisioned, error) {
	if provider != p.as.Provider || external != p.as.External {
		return access.Provisioned{}, access.ErrNotProvisioned
	}
	return p.as, nil
}

// TestProvisionedName: what a provider calls a person leads to a name here, or is refused; two that look
// alike are not one.
func TestProvisionedName(t *testing.T) {
	for is, want := range map[string]string{
		"Ada@Example.com": "ada@example.com", " ada@example.com ": "ada@example.com", "ada": "ada@entra", `CORP\Ada`: "corp_ada@entra", "ada lovelace": "ada_lovelace@entra",
		"ada_gmail.com#EXT#@corp.example": "ada_gmail.com_ext_@corp.example", "4711": "4711@entra",
		"": "", "@": "", "аda@example.com": "", "ada@exam ple.com": "", "a..b@example.com": "", ".ada": "", "ada@a@b": "",
	} {
		if got, err := access.ProvisionedName("entra", is); got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, access.ErrProvisioning) {
			t.Errorf("%q is %q, %v; want %q", is, got, err, want)
		}
	}
}

// TestConflictsAreBounded: a provider that tells of strangers without end fills no record, and what it
// tries again and again is not written each time.
func TestConflictsAreBounded(t *testing.T) {
	var p access.Provisioning
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if first, again, later := p.Met(access.Conflict{UserName: "a", Last: at}), p.Met(access.Conflict{UserName: "a", Last: at.Add(time.Minute)}), p.Met(access.Conflict{UserName: "a", Last: at.Add(time.Hour)}); !first || again || !later || p.Conflicts[0].Times != 2 {
		t.Errorf("%v %v %v %+v", first, again, later, p)
	}
	for i := range 3 * access.MaxConflicts {
		p.Met(access.Conflict{UserName: string(rune('b' + i)), Last: at})
	}
	if len(p.Conflicts) != access.MaxConflicts {
		t.Errorf("%d conflicts", len(p.Conflicts))
	}
}

// TestProvisionedSignsIn: the first sign-in of whom a provider told of is that person's, by the
// provider's own key, whatever address comes with it; one who was ended is not let in, and no other
// provider's key counts.
func TestProvisionedSignsIn(t *testing.T) {
	m := newMemory()
	if _, err := access.ChangeUser(m, access.User{ID: "u_zoe", Name: "zoe@example.com"}); err != nil {
		t.Fatal(err)
	}
	tx := provisioned{m, access.Provisioned{Provider: "company", Person: "zoe@example.com", External: "1"}}
	if _, err := access.SignIn(tx, access.Arrive(ada(func(a *access.Assertion) { a.Provider, a.Email = "partners", "zoe@example.com" }), rules, noon)); !errors.Is(err, access.ErrNotConnected) {
		t.Errorf("another provider's key: %v", err)
	}
	told, err := access.SignIn(tx, access.Arrive(ada(func(a *access.Assertion) { a.Verified = false }), rules, noon))
	if err != nil || told.User.ID != "u_zoe" || told.NewUser || !told.New {
		t.Fatalf("%+v, %v", told, err)
	}
	if again := signedIn(t, tx, ada(), noon); again.ID != "u_zoe" {
		t.Errorf("%+v", again)
	}
	if _, err := access.ChangeUser(m, access.User{Name: "zoe@example.com", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := access.SignIn(tx, access.Arrive(ada(), rules, noon)); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("who was ended signs in: %v", err)
	}
}
