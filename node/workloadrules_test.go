package node_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestWorkloadRulesAreShown: auditors and operators read every rule, with why one gives no tokens; who owns an app
// reads those by which jobs may act on it, and no more of them than is about it.
func TestWorkloadRulesAreShown(t *testing.T) {
	p := startPipeline(t)
	const ben = "ben@example.com"
	as := func(user string) []byte { return []byte(strings.ReplaceAll(string(manifest("till")), ada, user)) }
	p.publish(p.ada(), manifest("shop"), says("shop"))
	p.publish(p.ada(), manifest("desk"), says("desk"))
	p.publish(p.as(ben, access.RoleDeveloper), as(ben), says("till"))
	words := func(all []client.WorkloadRule, err error) string {
		t.Helper()
		if err != nil {
			return problemOf(t, err).Type
		}
		var b strings.Builder
		for _, r := range all {
			fmt.Fprintf(&b, "%d %s as %s %v for %v on %v: %s; ", r.Place, r.ID, r.Account, r.Effective, r.Scopes, r.Apps, r.Idle)
		}
		return b.String()
	}
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	const (
		deploy = "1 deploy as deploy [developer] for [apps:read apps:publish] on [shop]: ; "
		gitlab = "2 gitlab as deploy [developer] for [all] on []: ; "
		nobody = "3 nobody as no-such [] for [apps:read] on [desk till]: there is no such service account; "
	)
	auditor := p.as("audit@example.com", access.RoleAuditor)
	for name, who := range map[string]*client.Client{"an operator": p.ops(), "an auditor": auditor} {
		is(name, words(who.Workloads(t.Context(), "")), deploy+gitlab+nobody)
		is(name+" of an app", words(who.Workloads(t.Context(), "shop")), deploy+gitlab)
		is(name+" of an app of another's", words(who.Workloads(t.Context(), "till")), strings.Replace(nobody, "[desk till]", "[till]", 1))
	}
	is("a developer", words(p.ada().Workloads(t.Context(), "")), "/problems/forbidden")
	is("who owns it", words(p.ada().Workloads(t.Context(), "shop")), deploy+gitlab)
	is("who owns another one", words(p.ada().Workloads(t.Context(), "desk")), gitlab+strings.Replace(nobody, "[desk till]", "[desk]", 1))
	is("who owns another", words(p.ada().Workloads(t.Context(), "till")), "/problems/forbidden")
	is("a reviewer", words(p.rex().Workloads(t.Context(), "shop")), "/problems/forbidden")
	is("no app", words(p.ops().Workloads(t.Context(), "no-such")), "/problems/no-such-app")
	all, err := p.ops().Workloads(t.Context(), "")
	if err != nil || all[0].Issuer != p.URL || all[0].Audience != ciAudience || all[0].Sponsor != ada || all[0].Claims["repository_id"] != "100" {
		t.Errorf("%+v, %v", all, err)
	}

	page := func(user string, role access.Role, path string) string {
		t.Helper()
		got := p.do("GET", p.ConsoleURL()+path, "", "Cookie", p.session(user, role))
		if got.Status != http.StatusOK {
			t.Fatalf("%s for %s: %d", path, user, got.Status)
		}
		return got.Body
	}
	for _, c := range []struct {
		user  string
		role  access.Role
		path  string
		shown []string
		not   []string
	}{
		{"audit@example.com", access.RoleAuditor, "/service-accounts", []string{"Rules for jobs of a CI", "gitlab", "repository_id=100", "gives no tokens: there is no such service account"}, nil},
		{ada, access.RoleDeveloper, "/service-accounts", nil, []string{"Rules for jobs of a CI"}},
		{ada, access.RoleDeveloper, "/apps/shop", []string{"Pipelines", "repository_id=100", "project_id=55", p.URL, ada + " answers for it"}, []string{"no-such"}},
		{ops, access.RoleOperator, "/apps/shop", []string{"Pipelines"}, nil},
		{ops, access.RoleOperator, "/apps/till", []string{"no-such"}, []string{"gitlab"}},
		{rex, access.RoleReviewer, "/apps/shop", nil, []string{"Pipelines", "repository_id"}},
	} {
		body := page(c.user, c.role, c.path)
		for _, text := range c.shown {
			if !strings.Contains(body, text) {
				t.Errorf("%s for %s does not show %q", c.path, c.user, text)
			}
		}
		for _, text := range c.not {
			if strings.Contains(body, text) {
				t.Errorf("%s for %s shows %q", c.path, c.user, text)
			}
		}
	}

	yes := true
	if _, err := p.ada().ChangeServiceAccount(t.Context(), "deploy", client.ServiceAccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	const off = "1 deploy as deploy [] for [apps:read apps:publish] on [shop]: the service account is disabled; "
	is("of a disabled account, by name alone", words(p.ada().Workloads(t.Context(), "shop")), off)
	no := false
	if _, err := p.ada().ChangeServiceAccount(t.Context(), "deploy", client.ServiceAccountChange{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ops().PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	is("without its sponsor", words(auditor.Workloads(t.Context(), "shop")), strings.Replace(off, "the service account is disabled", "the sponsor of the service account has left", 1))
}
