package node_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// reloaded is a node whose sign-in file changes while it runs.
type reloaded struct {
	*testNode
	path string
	log  *lockedLog
	all  map[string]*oidctest.Provider
}

type doc = map[string]any

// says writes the file and has the node look twice, as it does within seconds: what is wrong counts if it is still
// so at the second look.
func (r *reloaded) says(text string) {
	r.t.Helper()
	r.writes(text)
	r.LookAtSignIn(r.t.Context())
	r.LookAtSignIn(r.t.Context())
}

// writes replaces the file, as an operator's tools do, so that the node's own looks see it whole.
func (r *reloaded) writes(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path+".new", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

// file is a file with some of the providers, one mapping and more keys.
func (r *reloaded) file(role, group string, more doc, ids ...string) string {
	r.t.Helper()
	f := doc{"rules": []doc{{"roles": []string{"viewer"}, "everyone": true}, {"roles": []string{role}, "groups": []string{group}}}}
	var providers []doc
	for _, id := range ids {
		p := r.all[id]
		providers = append(providers, doc{"id": id, "name": "The " + id, "issuer": p.URL, "client_id": p.ClientID, "client_secret": p.ClientSecret})
	}
	f["providers"] = providers
	for key, value := range more {
		f[key] = value
	}
	raw, err := json.Marshal(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(raw)
}

// offered are the providers of the page where people sign in.
func (r *reloaded) offered() string {
	r.t.Helper()
	page := r.visitor().get("/sign-in").Body
	var ids []string
	for _, id := range []string{"company", "partners"} {
		if strings.Contains(page, `href="/auth/`+id) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

func (r *reloaded) fileCheck() client.Check {
	r.t.Helper()
	checks, err := r.ops().Doctor(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range checks {
		if c.Name == "sign-in file" {
			return c
		}
	}
	r.t.Fatal("the doctor says nothing of the file")
	return client.Check{}
}

func (r *reloaded) troubled() bool {
	r.t.Helper()
	token, err := r.TokenOf(r.t.Context(), ops, "metrics", time.Hour, access.Reach{Scopes: []access.Scope{access.ScopeMetricsRead}})
	if err != nil {
		r.t.Fatal(err)
	}
	page := r.visitor().get("/metrics", "Authorization", "Bearer "+token).Body
	switch {
	case strings.Contains(page, "agora_sign_in_file_trouble 1\n"):
		return true
	case strings.Contains(page, "agora_sign_in_file_trouble 0\n"):
		return false
	}
	r.t.Fatal("the metrics say nothing of the file")
	return false
}

// TestSignInFileIsReadAgain: while a node runs, its sign-in file gets another provider, another mapping and rules for
// jobs, and is broken in each way; what is right is in force at once, and what is wrong changes nothing and is told.
func TestSignInFileIsReadAgain(t *testing.T) {
	r := &reloaded{log: new(lockedLog), path: filepath.Join(t.TempDir(), "sign-in.json"), all: map[string]*oidctest.Provider{"company": oidctest.Start(t), "partners": oidctest.Start(t)}}
	r.testNode = &testNode{t: t}
	r.writes(r.file("developer", "makers", nil, "company"))
	r.testNode = start(t, func(o *node.Options) {
		o.SignIn, o.FreshSignIn = r.path, node.FreshWithProviders
		o.LookAtSignInEvery(20 * time.Millisecond)
		o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	})
	r.ops()
	grace := oidctest.Person{Subject: "s-grace", Email: "grace@partners.example.com", Verified: true, Groups: []string{"makers"}}
	r.all["company"].Add(adaThere)
	r.all["partners"].Add(grace)
	for id, p := range r.all {
		p.Allow(r.ConsoleURL() + "/auth/" + id + "/callback")
	}
	adas := r.visitor()
	adas.signIn("/auth/company", adaThere.Subject)
	roles := func() string { u, _ := r.person(ada); return fmt.Sprint(r.rolesOf(u)) }
	if !adas.in() || roles() != "[viewer developer]" || r.offered() != "company" {
		t.Fatalf("before anything changes: %s, %s", roles(), r.offered())
	}
	asked := r.all["company"].Asked("/.well-known/openid-configuration")

	t.Run("another provider", func(t *testing.T) {
		r.all["partners"].SetDown(true) // nobody waits for it
		r.says(r.file("developer", "makers", nil, "company", "partners"))
		if r.offered() != "company partners" || !adas.in() || r.troubled() {
			t.Errorf("offered: %s", r.offered())
		}
		r.all["partners"].SetDown(false)
		graces, other := r.visitor(), r.visitor()
		graces.signIn("/auth/partners", grace.Subject)
		other.signIn("/auth/company", adaThere.Subject)
		if !graces.in() || !other.in() {
			t.Error("not both providers sign people in")
		}
		if now := r.all["company"].Asked("/.well-known/openid-configuration"); now > asked {
			t.Errorf("the provider that stayed was asked %d times for what the node knew", now-asked)
		}
		if c := r.fileCheck(); !c.OK {
			t.Errorf("the doctor says %+v", c)
		}
	})

	t.Run("by itself", func(t *testing.T) {
		r.writes(r.file("viewer", "makers", nil, "company", "partners"))
		eventually(t, "the node looks at the file", func() bool { return roles() == "[viewer]" })
	})

	t.Run("another mapping", func(t *testing.T) {
		r.says(r.file("reviewer", "makers", nil, "company", "partners"))
		if roles() != "[viewer reviewer]" {
			t.Errorf("without a sign-in, Ada has %s", roles())
		}
		if got := adas.get("/upload").Status; got != http.StatusForbidden {
			t.Errorf("the role that the mapping gave no more uploads: %d", got)
		}
		r.says(r.file("developer", "makers", nil, "company", "partners"))
		if roles() != "[viewer developer]" || adas.get("/upload").Status != http.StatusOK {
			t.Errorf("with the mapping back, Ada has %s", roles())
		}
	})

	t.Run("rules for jobs", func(t *testing.T) {
		ci := oidctest.Start(t)
		if _, err := r.ada().CreateServiceAccount(t.Context(), client.NewServiceAccount{Name: "deploy", Roles: []string{"developer"}}); err != nil {
			t.Fatal(err)
		}
		p := &pipeline{testNode: r.testNode, Provider: ci, log: r.log, later: new(atomic.Int64)}
		p.refuses(t, "before there is a rule", ci.Sign(p.job()), "no rule is for the issuer")
		rule := doc{"id": "deploy", "issuer": ci.URL, "audience": ciAudience, "claims": doc{"repository_id": "100", "repository_owner_id": "7", "ref": "refs/heads/main"}, "service_account": "deploy", "scopes": []string{"apps:read"}}
		r.says(r.file("developer", "makers", doc{"workloads": []doc{rule}}, "company", "partners"))
		got, err := r.anybody().ExchangeToken(t.Context(), ci.Sign(p.job()), "")
		if err != nil || got.Rule != "deploy" {
			t.Errorf("%+v, %v", got, err)
		}
		r.says(r.file("developer", "makers", nil, "company", "partners"))
		p.refuses(t, "after the rule is gone", ci.Sign(p.job()), "no rule is for the issuer")
		if who, err := r.with(got.AccessToken).Whoami(t.Context()); err != nil || who.User != got.User {
			t.Errorf("the token that was exchanged before: %+v, %v", who, err)
		}
	})

	good := r.file("developer", "makers", nil, "company", "partners")
	for what, text := range map[string]string{
		"nothing": "", "half of it": good[:len(good)/2], "a key that is not known": `{"provider": []}`, "no provider": "{}",
		"an id of a provider that is none": strings.ReplaceAll(good, `"partners"`, `"Partners!"`),
		"everyone an operator":             strings.Replace(good, `"viewer"`, `"operator"`, 1),
		"a secret that is not there":       strings.Replace(good, `"client_secret":"`+r.all["company"].ClientSecret, `"client_secret_file":"gone`, 1),
	} {
		t.Run(what, func(t *testing.T) {
			before := len(r.log.String())
			r.says(text)
			if r.offered() != "company partners" || roles() != "[viewer developer]" || !adas.in() {
				t.Errorf("it is in force: %s, %s", r.offered(), roles())
			}
			if c := r.fileCheck(); c.OK || !strings.Contains(c.Detail, "what it said before") || c.Remedy.Summary == "" {
				t.Errorf("the doctor says %+v", c)
			}
			if !r.troubled() {
				t.Error("the metrics do not tell it")
			}
			if said := r.log.String()[before:]; strings.Count(said, "the sign-in file is not taken into use") != 1 || strings.Contains(said, r.all["company"].ClientSecret) {
				t.Errorf("the log says %s", said)
			}
			r.LookAtSignIn(t.Context())
			if said := r.log.String()[before:]; strings.Count(said, "the sign-in file is not taken into use") != 1 {
				t.Errorf("the log says it again and again: %s", said)
			}
			other := r.visitor()
			if other.signIn("/auth/company", adaThere.Subject); !other.in() {
				t.Error("nobody can sign in")
			}
			r.says(good)
			if !r.fileCheck().OK || r.troubled() {
				t.Errorf("after it is corrected: %+v", r.fileCheck())
			}
		})
	}

	t.Run("a provider that went away", func(t *testing.T) {
		graces := r.visitor()
		graces.signIn("/auth/partners", grace.Subject)
		r.says(r.file("developer", "makers", nil, "company"))
		if !graces.in() {
			t.Error("the session ended that began there")
		}
		if u, _ := r.person(grace.Email); len(r.rolesOf(u)) > 0 {
			t.Errorf("what its groups gave: %v", r.rolesOf(u))
		}
		late := r.visitor()
		if got := late.get("/auth/partners"); got.Status != http.StatusNotFound || r.offered() != "company" {
			t.Errorf("a new sign-in: %d; offered are %s", got.Status, r.offered())
		}
		if again := graces.get("/again?next=%2Fsettings").Body; strings.Contains(again, "/auth/partners") || !strings.Contains(again, "/auth/company/again") || !strings.Contains(again, "one-time sign-in link") {
			t.Errorf("there is no way to sign in again: %s", again)
		}
	})

	t.Run("nobody is locked out", func(t *testing.T) {
		link, err := r.Welcome(t.Context(), ops, access.RoleOperator)
		if err != nil {
			t.Fatal(err)
		}
		boss := r.visitor()
		_, secret, _ := strings.Cut(link, "link=")
		boss.request(http.MethodPost, "/sign-in", map[string][]string{"link": {secret}})
		r.all["company"].Add(oidctest.Person{Subject: "s-ops", Email: "ops@company.example.com", Verified: true})
		boss.signIn("/auth/company/connect", "s-ops")
		_, accounts := r.person(ops)
		if len(accounts) != 1 {
			t.Fatalf("the operator has no account there: %+v", accounts)
		}
		if _, err := r.ops().SwitchLinks(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		r.says(r.file("developer", "makers", nil, "partners"))
		if c := r.fileCheck(); c.OK || !strings.Contains(c.Detail, "agora users links on") || r.offered() != "company" {
			t.Errorf("a file by which no operator comes in is in force: %+v", c)
		}
		if _, err := r.ops().SwitchLinks(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		r.LookAtSignIn(t.Context())
		if c := r.fileCheck(); !c.OK || r.offered() != "partners" {
			t.Errorf("after links are taken again: %+v", c)
		}
	})
}
