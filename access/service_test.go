package access_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
)

var morning = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// sponsored returns a store with me, in the group mine, and a service account that I answer for.
func sponsored(t testing.TB, mineHas, itHas []access.Role) (memory, access.User) {
	t.Helper()
	tx := newMemory()
	tx.users[me] = access.User{ID: "u_me", Name: me, Roles: access.Roles()}
	tx.users[other] = access.User{ID: "u_other", Name: other, Roles: access.Roles()}
	if err := errors.Join(tx.PutGroup(access.Group{ID: mine, Name: "Mine"}), tx.PutMember(mine, me)); err != nil {
		t.Fatal(err)
	}
	u, err := access.AddServiceAccount(tx, access.User{ID: "u_svc", Name: "deploy", Sponsor: me, Roles: itHas}, morning)
	if err != nil {
		t.Fatal(err)
	}
	tx.users[me] = access.User{ID: "u_me", Name: me, Roles: mineHas} // a sponsor loses roles
	return tx, u
}

// tokenOf gives a user a token.
func tokenOf(tx memory, user string) (secret string) {
	secret, hash := access.NewSecret(access.KindToken)
	tx.credentials[hash] = access.Credential{ID: hash[:12], Hash: hash, Kind: access.KindToken, User: user, Created: morning}
	return secret
}

// TestAServiceAccountIsNoWiderThanItsSponsor: whatever roles the two have, there is no app, request,
// person or group about which it may do more than its sponsor, and nothing that is for people.
func TestAServiceAccountIsNoWiderThanItsSponsor(t *testing.T) {
	every := []access.Role{
		"viewer", "developer", "reviewer", "finance", "auditor", "operator", "reviewer/privacy", "reviewer/security",
		"developer@" + mine, "operator@" + mine, "reviewer/privacy@" + mine, "reviewer@" + mine, "viewer@" + mine,
	}
	var all []access.Resource
	for _, kind := range []access.Kind{access.OnApp, access.OnRequest, access.OnPerson, access.OnGroup, access.OnNode} {
		all = append(all, everyResource(kind)...)
	}
	rapid.Check(t, func(rt *rapid.T) {
		roles := rapid.SliceOfNDistinct(rapid.SampledFrom(every), 0, 4, rapid.ID[access.Role])
		tx, u := sponsored(t, roles.Draw(rt, "the sponsor's"), roles.Draw(rt, "its own"))
		it, err := access.ActorOf(tx, u, access.Credential{Kind: access.KindToken}, morning)
		if err != nil {
			rt.Fatal(err)
		}
		sponsor, err := access.ActorOf(tx, tx.users[me], access.Credential{Kind: access.KindToken}, morning)
		if err != nil {
			rt.Fatal(err)
		}
		on := rapid.SampledFrom(all).Draw(rt, "about")
		for _, act := range access.Acts(it, on) {
			if access.InPerson(act) || !access.Allowed(sponsor, act, on) {
				rt.Fatalf("%v may %s %+v, and its sponsor with %v may not", it.Roles, act, on, sponsor.Roles)
			}
		}
		for _, rule := range access.Rules() {
			if rule.On == on.Kind && rule.InPerson && !errors.Is(access.May(it, rule.Act, on), access.ErrInPerson) {
				rt.Fatalf("%s: %v", rule.Act, access.May(it, rule.Act, on))
			}
			if rule.InPerson && !errors.Is(access.AtDoor(it, rule.Act), access.ErrInPerson) {
				rt.Fatalf("%s at the door: %v", rule.Act, access.AtDoor(it, rule.Act))
			}
		}
	})
}

// TestAServiceAccountWorksForItsSponsor: it has the roles that both have, and works on what its sponsor
// owns, but does not give it away.
func TestAServiceAccountWorksForItsSponsor(t *testing.T) {
	tx, u := sponsored(t, []access.Role{"developer@" + mine, "reviewer", "operator"}, []access.Role{"developer", "reviewer/privacy", "auditor"})
	it, err := access.ActorOf(tx, u, access.Credential{}, morning)
	if err != nil || !slices.Equal(it.Roles, []access.Role{"developer@" + mine, "reviewer/privacy"}) || it.Sponsor != me || it.Person() != me {
		t.Fatalf("%+v, %v", it, err)
	}
	tx, u = sponsored(t, []access.Role{"developer"}, []access.Role{"developer"})
	if it, err = access.ActorOf(tx, u, access.Credential{}, morning); err != nil {
		t.Fatal(err)
	}
	team := access.App("shop", other)
	team.Group = mine
	for _, on := range []access.Resource{access.App("shop", me), team} {
		if access.May(it, access.Publish, on) != nil || access.May(it, access.SetSecrets, on) != nil {
			t.Errorf("it does not work on %+v", on)
		}
		if access.Allowed(it, access.DeleteApp, on) || access.Allowed(it, access.TransferApp, on) {
			t.Errorf("it gives away %+v", on)
		}
	}
	if access.Allowed(it, access.Publish, access.App("shop", other)) {
		t.Error("it publishes what is another's")
	}
	if name := it.Behalf.Name(it.User); name != "deploy (service account of "+me+")" {
		t.Error(name)
	}
}

// TestASponsorDoesNotDecideForItsMachine: what a service account asked for is its sponsor's request,
// whosever the app is.
func TestASponsorDoesNotDecideForItsMachine(t *testing.T) {
	sponsor := access.Actor{User: me, Roles: []access.Role{access.RoleReviewer}}
	q := access.Resource{Kind: access.OnRequest, Name: "shop", Owner: other, By: "deploy" + abi.ServiceDomain, Sponsor: me}
	if err := access.May(sponsor, access.DecideRequest, q); !errors.Is(err, access.ErrOwnRequest) {
		t.Errorf("%v", err)
	}
	q.Sponsor = other
	if err := access.May(sponsor, access.DecideRequest, q); err != nil {
		t.Errorf("of another's: %v", err)
	}
}

// TestAServiceAccountEndsWithItsSponsor: its tokens are refused from the moment at which the sponsor is
// disabled, for good; a successor makes new ones.
func TestAServiceAccountEndsWithItsSponsor(t *testing.T) {
	developer := []access.Role{access.RoleDeveloper}
	tx, u := sponsored(t, developer, developer)
	secret := tokenOf(tx, u.Name)
	was, _, err := access.Authenticate(tx, secret, morning)
	if err != nil {
		t.Fatal(err)
	}
	gone := tx.users[me]
	gone.Disabled = true
	tx.users[me] = gone // as a store that somebody else changed, in which the tokens are still there
	if _, _, err := access.Authenticate(tx, secret, morning); !errors.Is(err, access.ErrNoSponsor) || !errors.Is(err, access.ErrUnauthenticated) || !strings.Contains(err.Error(), me) {
		t.Errorf("with the sponsor disabled: %v", err)
	}
	if err := access.Current(tx, was); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a change that began before: %v", err)
	}
	gone.Disabled = false
	tx.users[me] = gone
	for _, disabled := range []bool{true, false} {
		if _, err := access.ChangeUser(tx, access.User{Name: me, Roles: developer, Disabled: disabled}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := access.Authenticate(tx, secret, morning); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("who comes back brings the old tokens back: %v", err)
	}
	secret = tokenOf(tx, u.Name)
	to := u
	to.Sponsor = other
	if u, err = access.ChangeServiceAccount(tx, u, to, morning); err != nil {
		t.Fatal(err)
	}
	if _, _, err := access.Authenticate(tx, secret, morning); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("the token of the sponsor before: %v", err)
	}
	if it, _, err := access.Authenticate(tx, tokenOf(tx, u.Name), morning); err != nil || it.Sponsor != other {
		t.Errorf("%+v, %v", it, err)
	}
	if err := access.Current(tx, was); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("an actor of the sponsor before: %v", err)
	}
}

// TestServiceAccountRefusals: what cannot be a service account, and what one cannot be.
func TestServiceAccountRefusals(t *testing.T) {
	tx, u := sponsored(t, access.Roles(), []access.Role{access.RoleDeveloper})
	add := func(change func(*access.User)) error {
		n := access.User{Name: "next", Sponsor: me, Roles: []access.Role{access.RoleDeveloper}}
		change(&n)
		_, err := access.AddServiceAccount(tx, n, morning)
		return err
	}
	off := access.User{Name: "off@example.com", Disabled: true}
	tx.users[off.Name] = off
	for name, change := range map[string]func(*access.User){
		"no name": func(u *access.User) { u.Name = "" }, "a mail address": func(u *access.User) { u.Name = me }, "capitals and spaces": func(u *access.User) { u.Name = "My bot" },
		"another letter": func(u *access.User) { u.Name = "dеploy2" }, "no person": func(u *access.User) { u.Sponsor = "none@example.com" }, "a sponsor that is one": func(u *access.User) { u.Sponsor = u.Name + abi.ServiceDomain },
		"itself a service account": func(n *access.User) { n.Sponsor = u.Name }, "a sponsor who is disabled": func(n *access.User) { n.Sponsor = off.Name },
		"a role that is none": func(u *access.User) { u.Roles = []access.Role{"king"} }, "a long purpose": func(u *access.User) { u.Purpose = strings.Repeat("x", 301) }, "a purpose with a line": func(u *access.User) { u.Purpose = "a\nb" },
		"a name that is taken": func(n *access.User) { n.Name = u.Name },
	} {
		if err := add(change); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	tx.users[me] = access.User{ID: "u_me", Name: me, Roles: []access.Role{"developer@" + mine}}
	if err := add(func(*access.User) {}); !errors.Is(err, access.ErrServiceAccount) || !strings.Contains(err.Error(), "developer") {
		t.Errorf("a wider role than the sponsor's: %v", err)
	}
	tx.users[me] = access.User{ID: "u_me", Name: me, Roles: access.Roles()}
	_, person := access.ChangeUser(tx, access.User{Name: "eve" + abi.ServiceDomain})
	_, changed := access.ChangeUser(tx, access.User{Name: u.Name, Roles: []access.Role{access.RoleOperator}})
	_, away := access.Rename(tx, u.Name, "eve@example.com", morning)
	_, into := access.Rename(tx, me, "eve"+abi.ServiceDomain, morning)
	for what, err := range map[string]error{"a person of such a name": person, "roles by the way of people": changed, "a person's name for it": away, "its kind of name for a person": into} {
		if !errors.Is(err, access.ErrServiceAccount) {
			t.Errorf("%s: %v", what, err)
		}
	}
	u.Roles = []access.Role{access.RoleOperator}
	if u.CanOperate() {
		t.Error("a machine counts as the last operator")
	}
	gone, err := access.EndServiceAccount(tx, tx.users[u.Name], morning)
	if err != nil || gone.Ended.IsZero() {
		t.Fatal(err)
	}
	if err := add(func(n *access.User) { n.Name = u.Name }); !errors.Is(err, access.ErrServiceAccount) {
		t.Errorf("the name of one that was deleted: %v", err)
	}
	for i := range access.MaxServiceAccounts {
		if err := add(func(n *access.User) { n.Name = "bot-" + string(rune('a'+i/26)) + string(rune('a'+i%26)) }); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := add(func(n *access.User) { n.Name = "one-too-many" }); !errors.Is(err, access.ErrServiceAccount) {
		t.Errorf("one more than a sponsor answers for: %v", err)
	}
}

// TestBehalfNames: how an actor is shown, whatever it is called.
func TestBehalfNames(t *testing.T) {
	for want, c := range map[string]struct {
		abi.Behalf
		actor string
	}{
		me:                          {abi.Behalf{}, me},
		"Claude for " + me:          {abi.Behalf{Automation: "Claude"}, me},
		"ci (service account)":      {abi.Behalf{}, "ci" + abi.ServiceDomain},
		"ci (service account of m)": {abi.Behalf{Sponsor: "m"}, "ci" + abi.ServiceDomain},
		"node":                      {abi.Behalf{}, "node"},
	} {
		if got := c.Behalf.Name(c.actor); got != want || c.InPerson() != (c.Behalf == abi.Behalf{}) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for name, good := range map[string]bool{"Claude": true, "hello/deploy #12": true, "": false, "bob@example.com": false, "x for bob": false, " x": false, "a\u202eb": false, strings.Repeat("x", 61): false} {
		if err := access.CheckAutomation(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
