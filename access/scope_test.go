package access_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// universe is what a reach may be made of, and things that no reach can name: an app that is not in
// the lists, "" for what is about no single app, and a scope of a later version.
var (
	someScopes = []access.Scope{access.ScopeAll, access.ScopeAppsRead, access.ScopeAppsPublish, access.ScopeTokensWrite, access.ScopeMetricsRead, access.ScopeBackupRead}
	allScopes  = append(someScopes[1:len(someScopes):len(someScopes)], "later:read")
	someApps   = []string{"shop", "other", "third"}
	allApps    = append(slices.Clone(someApps), "new", "")
)

// opens is the model of what a reach is: the scopes and apps that it opens, one by one.
func opens(r access.Reach, s access.Scope, app string) bool {
	named := slices.Contains(r.Scopes, s)
	if s != access.ScopeBackupRead {
		named = named || len(r.Scopes) == 0 || slices.Contains(r.Scopes, access.ScopeAll)
	}
	return named && (len(r.Apps) == 0 || slices.Contains(r.Apps, app))
}

func some[T any](random *rand.Rand, of []T) (chosen []T) {
	for _, v := range of {
		if random.IntN(len(of)) < 2 {
			chosen = append(chosen, v)
		}
	}
	return chosen
}

// FuzzInside: a reach is inside another exactly if the other opens all that it opens, and what is
// given away is never more than what was had.
func FuzzInside(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		for range 20 {
			inner := access.Reach{Scopes: some(random, someScopes), Apps: some(random, someApps)}
			outer := access.Reach{Scopes: some(random, someScopes), Apps: some(random, someApps)}
			inside, beyond := true, false // beyond: also without the backup, which a session gives by another rule
			for _, s := range allScopes {
				for _, app := range allApps {
					if opens(inner, s, app) != (inner.Allows(s) == nil && inner.AllowsApp(app) == nil) {
						t.Fatalf("%+v and %q of %q", inner, s, app)
					}
					if opens(inner, s, app) && !opens(outer, s, app) {
						inside, beyond = false, beyond || s != access.ScopeBackupRead
					}
				}
			}
			if err := inner.Inside(outer); (err == nil) != inside || (err != nil && !errors.Is(err, access.ErrScope)) {
				t.Errorf("%+v inside %+v: %v, want %t", inner, outer, err, inside)
			}
			now := time.Now()
			for _, via := range []access.CredentialKind{access.KindToken, access.KindSession} {
				actor := access.Actor{User: "ada@example.com", Roles: access.Roles(), Via: via, Credential: "x", Parent: "token", Reach: outer}
				err := access.MayGive(actor, inner, time.Hour, now)
				if (beyond || !inside) && err == nil {
					t.Errorf("%s of %+v gives %+v", via, outer, inner)
				}
				if via == access.KindToken && inside && !(slices.Contains(inner.Scopes, access.ScopeBackupRead) && len(inner.Apps) > 0) && err != nil {
					t.Errorf("%s of %+v does not give %+v: %v", via, outer, inner, err)
				}
			}
		}
	})
}

// TestMayBackUp: the role alone is never enough for a credential.
func TestMayBackUp(t *testing.T) {
	now := time.Now()
	operator := access.Actor{User: "op@example.com", Roles: []access.Role{access.RoleOperator}, Credential: "x", Via: access.KindSession, Since: now.Add(-time.Minute)}
	for name, k := range map[string]struct {
		change func(*access.Actor)
		want   error
	}{
		"a session that just began":         {func(*access.Actor) {}, nil},
		"a session of a while ago":          {func(a *access.Actor) { a.Since = now.Add(-access.FreshFor) }, access.ErrBackup},
		"a session that a token began":      {func(a *access.Actor) { a.Parent = "token" }, access.ErrBackup},
		"a token of everything":             {func(a *access.Actor) { a.Via, a.Scopes = access.KindToken, []access.Scope{access.ScopeAll} }, access.ErrBackup},
		"a token of before there were some": {func(a *access.Actor) { a.Via = access.KindToken }, access.ErrBackup},
		"a token that names it":             {func(a *access.Actor) { a.Via, a.Scopes = access.KindToken, []access.Scope{access.ScopeBackupRead} }, nil},
		"a token of another role": {func(a *access.Actor) {
			a.Roles = []access.Role{access.RoleReviewer}
			a.Via = access.KindToken
			a.Scopes = []access.Scope{access.ScopeBackupRead}
		}, access.ErrForbidden},
		"the process itself": {func(a *access.Actor) { a.Via, a.Credential = "", "" }, nil},
	} {
		a := operator
		k.change(&a)
		if err := access.MayBackUp(a, now); !errors.Is(err, k.want) || (err == nil) != (k.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, k.want)
		}
	}
}
