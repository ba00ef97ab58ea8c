package access_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

func TestRules(t *testing.T) {
	rules := access.RoleRules{Providers: []string{"entra", "partners"}, Rules: []access.GroupRule{
		{Roles: []access.Role{access.RoleViewer}, Everyone: true},
		{Roles: []access.Role{access.RoleDeveloper}, Groups: []string{"makers", "/it/makers"}},
		{Roles: []access.Role{access.RoleReviewer, access.RoleDeveloper}, Provider: "entra", Groups: []string{"security"}},
	}}
	for _, r := range rules.Rules {
		if err := r.Check([]string{"entra", "partners"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		provider string
		groups   []string
		want     string
	}{
		{"entra", nil, "[{viewer 1 }]"},
		{"entra", []string{"makers"}, "[{viewer 1 } {developer 2 makers}]"},
		{"entra", []string{"Makers", "makers ", "/it"}, "[{viewer 1 }]"},
		{"partners", []string{"/it/makers", "security"}, "[{viewer 1 } {developer 2 /it/makers}]"},
		{"elsewhere", []string{"makers"}, "[]"},
		{"entra", []string{"security"}, "[{viewer 1 } {reviewer 3 security} {developer 3 security}]"},
	} {
		if got := given(rules.Give(c.provider, c.groups)); got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.provider, c.groups, got, c.want)
		}
	}
}

// given writes roles with the rule and the group that gave them.
func given(all []access.Given) string {
	words := []string{}
	for _, g := range all {
		words = append(words, fmt.Sprintf("{%s %d %s}", g.Role, g.Rule, g.Group))
	}
	return fmt.Sprint(words)
}

func TestBadRules(t *testing.T) {
	viewer := []access.Role{access.RoleViewer}
	for _, role := range []access.Role{"finance", "auditor", "reviewer/security", "developer@g_a", "reviewer/privacy@g_a"} {
		if err := (access.GroupRule{Roles: []access.Role{role}, Everyone: true}).Check(nil); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	for says, r := range map[string]access.GroupRule{
		`"reviewer/all"`: {Roles: []access.Role{"reviewer/all"}, Everyone: true},
		"has no id":      {Roles: []access.Role{"developer@team"}, Everyone: true},
		"no role":        {Everyone: true},
		"whom":           {Roles: viewer},
		"not both":       {Roles: viewer, Everyone: true, Groups: []string{"a"}},
		"no name":        {Roles: viewer, Groups: []string{""}},
		`"other"`:        {Roles: viewer, Everyone: true, Provider: "other"},
		`"admin"`:        {Roles: []access.Role{"admin"}, Everyone: true},
		"an operator":    {Roles: []access.Role{access.RoleOperator}, Everyone: true},
		`no role ""`:     {Roles: []access.Role{access.SignedIn}, Everyone: true},
	} {
		if err := r.Check([]string{"entra"}); !errors.Is(err, access.ErrRule) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, which does not say %q", r, err, says)
		}
	}
}
